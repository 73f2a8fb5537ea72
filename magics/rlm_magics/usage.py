"""What `%%rlm?` shows, written from the table of options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import OPTIONS

if TYPE_CHECKING:
    from rlm_kernel.settings import Option

__all__ = ["usage"]

_HEAD = """\
Answer a question about a value by letting a language model write Python against it.

    %%rlm context=EXPRESSION [option=value ...]
    the question

    run = %rlm context=EXPRESSION [option=value ...] query="the question"

In the second form the question needs its quotes where it ends with a question mark.
The value is not sent to the model: the code it writes runs on a copy of this session.
The result is a Run; it shows itself, and is also in `_`."""

_EXAMPLES = """\
Examples:
    %%rlm context=df
    Which region lost the most customers?

    %%rlm context=df.loc["2024":, ["price", "region"]] model=gpt-5-mini timeout=2m out=run
    Which region raised its price most often?

    %%rlm context=docs keep=none query=Which documents mention a refund?"""


def usage() -> str:
    """Return the help text: synopsis, one line per option with its unit and default, examples."""
    width = max(len(name) for name in OPTIONS)
    options = "\n".join(f"    {option.name:{width}}  {_explained(option)}" for option in OPTIONS.values())
    return f"{_HEAD}\n\nOptions:\n{options}\n\n{_EXAMPLES}\n"


def _explained(option: Option) -> str:
    facts = [option.type, f"in {option.unit}" if option.unit else ""]
    facts.append("" if option.default is None else f"default {_plain(option.default)}")
    facts.append(f"environment {option.env}" if option.env else "")
    return f"{option.doc} ({', '.join(fact for fact in facts if fact)})"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
