"""A kit on its way into another process, in parts: each can be refused by itself, and a tool can be left at home.

A tool that cannot travel stays in the notebook's process, and what goes in its place calls it there. This file is also
sent to Jupyter kernels, which send kits on to the kernels of children; so it needs nothing but the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from ..vocabulary.kit import Kit

__all__ = ["CONTEXT", "KIT", "SEARCH", "ToolAtHome", "connect", "parts_of", "put_together", "stays_at_home", "word_for"]

CONTEXT = "\0context"
"""How contexts are called, with a number, among the values that both sides of a branch have; no variable can be."""

KIT = "\0kit."
"""How the other parts of a kit are called."""

SEARCH = "search"
"""Under this name the user's own search is called where it could not travel; it is the session's own word for it."""

_RETRIEVER = f"{KIT}retriever"
_TOOL_SETS = ("tools", "sub_tools")


class ToolAtHome:
    """Stands for a function of the user's that stayed in the notebook's process, and calls it there.

    Args:
        name: the tool's.
        doc: its documentation.

    """

    def __init__(self, name: str, doc: str | None) -> None:
        self.__name__ = name
        self.__doc__ = doc
        self.call: Callable[..., Any] | None = None
        """Asks the notebook's side; see `connect`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the tool; arguments and result are JSON."""
        assert self.call is not None  # the session is connected before any cell runs
        try:
            json.dumps([args, kwargs])
        except (TypeError, ValueError) as error:
            name = self.__name__
            raise TypeError(f"{name} runs in another process, which takes only what JSON can hold: {error}") from None
        return self.call("tool", name=self.__name__, args=list(args), kwargs=kwargs)


def connect(kit: Kit, call: Callable[..., Any]) -> None:
    """Have the tools of a kit that stayed at home be called by `call`."""
    for tool in (*kit.tools.values(), *(kit.sub_tools or {}).values(), kit.retriever):
        if isinstance(tool, ToolAtHome):
            tool.call = call


def parts_of(kit: Kit) -> dict[str, Any]:
    """Take a kit apart; return its parts by names that no variable has."""
    parts = {f"{CONTEXT}{place:04}": value for place, value in enumerate(kit.contexts)}
    parts |= {f"{KIT}{field.name}": getattr(kit, field.name) for field in fields(kit) if field.name != "contexts"}
    for name in _TOOL_SETS:
        tools: Mapping[str, Any] | None = parts[f"{KIT}{name}"]
        if tools is not None:
            parts[f"{KIT}{name}"] = {}
            parts |= {f"{KIT}{name}.{tool}": value for tool, value in tools.items()}
    return parts


def stays_at_home(part: str, value: Any) -> str | None:
    """Return the documentation of a part that can be called from afar instead of travelling; `None` if it cannot."""
    if part != _RETRIEVER and not _is_tool(part):
        return None
    wrapped = isinstance(value, Mapping)
    tool = value["tool"] if wrapped and "tool" in value else value
    if not callable(tool):
        return None
    return str((wrapped and value.get("description")) or getattr(tool, "__doc__", None) or "")


def put_together(values: dict[str, Any], rest: dict[str, Any], home: Mapping[str, str]) -> Kit | None:
    """Take the contexts out of `values` and put the kit together; `None` where there is none.

    Args:
        values: what the session starts with, contexts included.
        rest: the other parts; no parts, no kit.
        home: the tools that stayed there, and their documentation.

    """
    if not rest:
        return None
    contexts = tuple(values.pop(name) for name in sorted(values) if name.startswith(CONTEXT))
    parts = rest | {name: ToolAtHome(_tool_of(name), doc) for name, doc in home.items()}
    plain = {name.removeprefix(KIT): part for name, part in parts.items()}
    for name in [name for name in plain if "." in name]:
        tools, _, tool = name.partition(".")
        plain[tools][tool] = plain.pop(name)
    return Kit(contexts=contexts, **plain)


def word_for(part: str) -> str:
    """Return what the user calls a part."""
    if part.startswith(CONTEXT):
        return "the context"
    name = part.removeprefix(KIT)
    return f"the tool {_tool_of(part)}" if _is_tool(part) else f"the {name}" if name != part else part


def _is_tool(part: str) -> bool:
    return part.startswith(tuple(f"{KIT}{name}." for name in _TOOL_SETS))


def _tool_of(part: str) -> str:
    return SEARCH if part == _RETRIEVER else part.split(".", 2)[-1]
