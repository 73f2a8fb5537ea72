"""The user's tools: functions and data that cells find by name; which names they may have, how a prompt shows them."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Mapping
from typing import Any

from ..engine.shaping import clip
from .table import FIXED_NAMES

__all__ = ["check_tools", "tool_lines", "tool_values"]

_RESERVED = re.compile(r"(context|history)(_\d+)?\Z|_")
_DOC = 200


def check_tools(tools: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the names of tools, one sentence for each; empty if all is well."""
    problems = []
    for name in tools:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            problems.append(f"a tool's name must be a Python name, not {name!r}")
        elif name in FIXED_NAMES or _RESERVED.match(name):
            problems.append(f"a tool cannot be called {name}: that name belongs to the session")
    return problems


def tool_values(tools: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tools themselves by name, out of `{"tool": value, "description": text}` where they are in one."""
    return {name: _opened(entry)[0] for name, entry in tools.items()}


def tool_lines(tools: Mapping[str, Any]) -> str:
    """Return one line for each tool, for a prompt: its signature or type, and what it does."""
    return "\n".join(_line(name, *_opened(entry)) for name, entry in tools.items())


def _opened(entry: Any) -> tuple[Any, str]:
    if isinstance(entry, dict) and "tool" in entry and entry.keys() <= {"tool", "description"}:
        return entry["tool"], str(entry.get("description") or "")
    return entry, ""


def _line(name: str, value: Any, description: str) -> str:
    if not callable(value):
        return f"- `{name}`: {clip(description, _DOC) or type(value).__qualname__}"
    doc = description or (inspect.getdoc(value) or "").strip().partition("\n")[0]
    return f"- `{name}{_signature(value)}`" + (f": {clip(doc, _DOC)}" if doc else "")


def _signature(function: Any) -> str:
    try:
        return str(inspect.signature(function))
    except (TypeError, ValueError):
        return "(…)"
