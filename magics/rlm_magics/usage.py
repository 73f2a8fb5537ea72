"""What `%%rlm?` and `%%branch?` show, written from the tables of options and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .commands import COMMANDS
from .options import BRANCH_OPTIONS, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rlm_kernel.settings import Option

__all__ = ["branch_usage", "usage"]

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

_BRANCH = """\
Run this cell on a branch of the session: keep what it does if it succeeds, and nothing otherwise.

    %%branch [option=value ...]
    code

The cell runs in a copy of this session, and its output shows as it comes. If it succeeds, the variables it
made, changed or deleted are so in this session too. If it raises, runs over its time or memory, dies or is
interrupted, the session's variables are what they were before. Files, databases and servers are not undone."""

_BRANCH_EXAMPLES = """\
Examples:
    %%branch
    df.drop(columns="price", inplace=True)
    model.fit(df)

    %%branch timeout=10m mem=4GB keep=result
    result = simulate(df)"""


def usage() -> str:
    """Return the help of `%%rlm`: synopsis, a line per option with its unit and default, commands, examples."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"    %rlm {command.name:{width}}  {command.doc}" for command in COMMANDS.values())
    return f"{_HEAD}\n\nOptions:\n{_rows(OPTIONS)}\n\nCommands:\n{commands}\n\n{_EXAMPLES}\n"


def branch_usage() -> str:
    """Return the help of `%%branch`: what it does, a line per option with its unit and default, examples."""
    return f"{_BRANCH}\n\nOptions:\n{_rows(BRANCH_OPTIONS)}\n\n{_BRANCH_EXAMPLES}\n"


def _rows(table: Mapping[str, Option]) -> str:
    width = max(map(len, table))
    return "\n".join(f"    {option.name:{width}}  {_explained(option)}" for option in table.values())


def _explained(option: Option) -> str:
    facts = [option.type, f"in {option.unit}" if option.unit else ""]
    facts.append("" if option.default in (None, "") else f"default {_plain(option.default)}")
    facts.append(f"environment {option.env}" if option.env else "")
    return f"{option.doc} ({', '.join(fact for fact in facts if fact)})"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
