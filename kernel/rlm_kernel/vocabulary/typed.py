"""Typed answers: is a value what was asked for, and if not, what is wrong, where, and what was expected?

Text is also tried as JSON, because models often answer in it, and numbers of numpy as Python's own.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ..engine.shaping import clip
from .checkers import checker_for
from .shapes import shape_of

__all__ = ["check", "judge", "schema_of", "unchecked"]

_FENCED = re.compile(r"\s*```\w*\n(.*)\n```\s*\Z", re.DOTALL)
_PROBLEMS = 10
_FEEDBACK = 1_000


def judge(value: Any, kind: Any, user_check: Callable[[Any], Any] | None) -> tuple[Any, str]:
    """Return (value, problem) after `check`, and after the user's own check of what came of it."""
    value, problem = check(value, kind)
    if problem or user_check is None:
        return value, problem
    return value, _refusal(user_check, value)


def check(value: Any, kind: Any) -> tuple[Any, str]:
    """Return (value, "") if the value is, or can become, one of `kind`, else (value, problem).

    Args:
        value: anything; the text of JSON will do for what it holds, and `True` is not a number.
        kind: a type, a typing generic, a dataclass, a pydantic model class, a JSON schema; `None` for anything.

    """
    if kind is None:
        return value, ""
    tried = checker_for(kind)
    if tried is None:
        return value, ""
    problems: list[str] = []
    for candidate in _readings(value):
        found, wrong = tried(candidate)
        if not wrong:
            return found, ""
        problems = problems or wrong
    told = "\n".join(f"- {line}" for line in problems[:_PROBLEMS])
    return value, f"The answer is not what was asked for:\n{told}\nExpected: {shape_of(kind)}"


def unchecked(kind: Any) -> str:
    """Return a remark if answers of this kind cannot be checked here, else an empty text."""
    if kind is None or checker_for(kind) is not None:
        return ""
    library = "jsonschema" if isinstance(kind, dict) else "pydantic"
    return f"Note: whether the answer is {shape_of(kind)} was not checked ({library} cannot do it here)."


def schema_of(kind: Any) -> dict[str, Any] | None:
    """Return the JSON schema of a kind.

    Raises:
        TypeError: it has none, or pydantic is not installed here.

    """
    if kind is None or isinstance(kind, dict):
        return kind
    try:
        from pydantic import TypeAdapter

        return TypeAdapter(kind).json_schema()
    except Exception as error:
        raise TypeError(f"schema is a JSON schema (a dict) or a type that has one, not {kind!r}") from error


def _readings(value: Any) -> Iterator[Any]:
    """Yield a value as it is, without numpy, and as the JSON that it is the text of."""
    yield value
    plain = _plain_inside(value)
    if plain is not value:
        yield plain
    if isinstance(value, str):
        fenced = _FENCED.match(value)
        with contextlib.suppress(ValueError, RecursionError):
            yield json.loads(fenced.group(1) if fenced else value)


def _plain_inside(value: Any) -> Any:
    """Return a value whose numbers are Python's own, the same object if they are already."""
    if isinstance(value, list | tuple):
        items = [_plain_inside(item) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if isinstance(value, dict):
        held = {_plain_inside(key): _plain_inside(item) for key, item in value.items()}
        same = all(a is b for a, b in zip(held.values(), value.values(), strict=False)) and len(held) == len(value)
        return value if same and all(a is b for a, b in zip(held, value, strict=True)) else held
    return value.tolist() if callable(getattr(value, "tolist", None)) else value


def _refusal(user_check: Callable[[Any], Any], value: Any) -> str:
    """Return why the user's check refuses a value, empty if it accepts; assertions that all hold return `None`."""
    try:
        verdict = user_check(value)
        accepted, feedback = verdict if isinstance(verdict, tuple) else (verdict, "")
        if accepted is None or bool(accepted):
            return ""
    except Exception as error:  # noqa: BLE001 (a check that raises refuses, whatever it raises)
        feedback = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return clip(f"The answer was checked and refused{f': {feedback}' if feedback else '.'}", _FEEDBACK)
