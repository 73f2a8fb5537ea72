"""The options of `%%rlm` and `%%branch`, and how a line and a body become a call.

A table for each magic, `OPTIONS` and `BRANCH_OPTIONS`, serves the parser, the help and the completion: options of
the magic itself, then those settings of the kernel that can be given on its line. Every error points at its column.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from keyword import iskeyword
from types import MappingProxyType
from typing import TYPE_CHECKING

from rlm_kernel import settings
from rlm_kernel.errors import OptionError, QuestionError
from rlm_kernel.settings import Option
from rlm_kernel.values import FLAG, Kind

from .grammar import Token, scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["BRANCH_OPTIONS", "OPTIONS", "Call", "read_branch_line", "read_line"]


@dataclass(frozen=True, slots=True)
class Call:
    """What one `%%rlm` asks for.

    Attributes:
        context: the expression as typed; empty if none was given.
        question: the question, never empty.
        out: the variable that gets the `Run`, if any.
        answer_type: the expression of the type that the answer must have, if any.
        given: checked values of the settings given on the line, by name.

    """

    context: str
    question: str
    out: str | None
    answer_type: str | None
    given: dict[str, object]


def _variable(raw: object) -> str:
    if not isinstance(raw, str) or not raw.isidentifier() or iskeyword(raw):
        raise ValueError
    return raw


_EXPRESSION = Kind("expression", "a Python expression", "df", str)
_PROSE = Kind("text", "a question", "Which region grew most?", str)
_VARIABLE = Kind("variable", "a name that a variable can have", "run", _variable)

_QUESTION = "The question"

_OWN = (
    Option(
        "context",
        None,
        _EXPRESSION,
        "the value the question is about, or several: df,docs; required",
        "",
        "",
        _QUESTION,
    ),
    Option("query", None, _PROSE, "the question, to the end of the line; else the cell's body", "", "", _QUESTION),
    Option("out", None, _VARIABLE, "variable that gets the Run; also -o NAME", "", "", _QUESTION),
)
_ANSWER_TYPE = replace(settings.OPTIONS["answer_type"], kind=_EXPRESSION)
_NOT_ON_A_LINE = ("runs_dir", "checkpoints", "checkpoint_memory", "address_space")
"""Settings of the session, not of one question."""


def _table(options: Iterable[Option]) -> Mapping[str, Option]:
    return MappingProxyType({option.name: option for option in options})


_SETTINGS = {**settings.OPTIONS, "answer_type": _ANSWER_TYPE}

OPTIONS = _table((*_OWN, *(row for name, row in _SETTINGS.items() if name not in _NOT_ON_A_LINE)))
"""All options of `%%rlm` by name, in the order in which help lists them: group after group."""

_KEEP = replace(settings.OPTIONS["keep"], default="all")  # the cell is the user's own: what it does is meant

BRANCH_OPTIONS = _table(
    _KEEP if name == "keep" else settings.OPTIONS[name] for name in ("timeout", "mem", "keep", "branch", "ship")
)
"""All options of `%%branch` by name, in the order in which help lists them."""


def read_line(line: str, body: str | None) -> Call:
    """Read the line of `%%rlm` (without that name) and the cell's body (`None` for a line magic).

    Raises:
        OptionError: the line does not follow the grammar, or an option or its value is wrong.
        QuestionError: there is no question.

    """
    tokens = {token.name: token for token in scan(line)}
    values = {name: _value(token, OPTIONS, "rlm") for name, token in tokens.items()}
    own = (*_OWN, _ANSWER_TYPE)
    context, query, out, kind = (None if (v := values.pop(o.name, None)) is None else str(v) for o in own)
    question = (body or "").strip()
    if question and query is not None:
        hint = "remove query= from the line, or empty the cell's body"
        raise OptionError("give the question once", hint, line=line, column=tokens["query"].column)
    question = question or (query or "").strip()
    if not question:
        raise QuestionError("there is no question", "write it below the %%rlm line, or as query=… at the line's end")
    return Call(context or "", question, out, kind, values)


def read_branch_line(line: str) -> dict[str, object]:
    """Read the line of `%%branch` (without that name); return checked values of settings by name.

    Raises:
        OptionError: the line does not follow the grammar, or an option or its value is wrong.

    """
    given = {token.name: _value(token, BRANCH_OPTIONS, "branch") for token in scan(line, likely="timeout")}
    return {"keep": _KEEP.default, **given}


def _value(token: Token, table: Mapping[str, Option], magic: str) -> object:
    option = table.get(token.name)
    if option is None:
        near = get_close_matches(token.name, table, n=1)
        hint = f"did you mean {near[0]}?" if near else f"%%{magic}? lists the options"
        raise OptionError(f"there is no option {token.name!r}", hint, line=token.line, column=token.column)
    if option.kind is _EXPRESSION and token.value is not None:
        return token.value  # an expression keeps its quotes
    if option.kind is FLAG and token.value is None:
        return True
    text = token.text()
    try:
        return option.kind.read(token.name, text)
    except OptionError as error:
        raise token.error(error.message, error.hint) from None
