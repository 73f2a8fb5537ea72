"""What `%%rlm?` and `%%branch?` show, written from the tables of options and commands.

The many options of `%%rlm` stand in groups, each under its heading.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from .commands import COMMANDS
from .options import BRANCH_OPTIONS, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.settings import Option

__all__ = ["branch_usage", "usage"]

_HEAD = """\
Answer a question about a value by letting a language model write Python against it.

    %%rlm context=EXPRESSION [option=value ...]
    the question

    run = %rlm context=EXPRESSION [option=value ...] query="the question"

In the second form the question needs its quotes where it ends with a question mark.
The value is not sent to the model (direct_threshold is the exception): its code runs on a copy of this session.
The result is a Run; it shows itself, and is also in `_`.
A flag needs no value: --orchestrator. A type is an expression: answer_type=list[int]."""

_EXAMPLES = """\
Examples:
    %%rlm context=df
    Which region lost the most customers?

    %%rlm context=df.loc["2024":, ["price", "region"]] model=gpt-5-mini timeout=2m out=run
    Which region raised its price most often?

    %%rlm context=docs keep=none query=Which documents mention a refund?

    %%rlm context=orders,minutes answer_type=list[str] max_tokens=200000 --verify-answer
    Which customers in the minutes have no order?"""

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

_WIDTH = max(map(len, OPTIONS))


def usage() -> str:
    """Return the help of `%%rlm`: synopsis, options in groups with units and defaults, commands, examples."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"    %rlm {command.name:{width}}  {command.doc}" for command in COMMANDS.values())
    groups = groupby(OPTIONS.values(), key=lambda option: option.group)
    options = "\n\n".join(f"{group}:\n{_rows(rows)}" for group, rows in groups)
    return f"{_HEAD}\n\n{options}\n\nCommands:\n{commands}\n\n{_EXAMPLES}\n"


def branch_usage() -> str:
    """Return the help of `%%branch`: what it does, a line per option with its unit and default, examples."""
    return f"{_BRANCH}\n\nOptions:\n{_rows(BRANCH_OPTIONS.values())}\n\n{_BRANCH_EXAMPLES}\n"


def _rows(options: Iterable[Option]) -> str:
    return "\n".join(f"    {option.name:{_WIDTH}}  {_explained(option)}" for option in options)


def _explained(option: Option) -> str:
    facts = [option.type, f"in {option.unit}" if option.unit else ""]
    facts.append("" if option.default in (None, "") else f"default {_plain(option.default)}")
    facts.append(f"environment {option.env}" if option.env else "")
    return f"{option.doc} ({', '.join(fact for fact in facts if fact)})"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # as it is written on the line
    return f"{value:g}" if isinstance(value, float) else str(value)
