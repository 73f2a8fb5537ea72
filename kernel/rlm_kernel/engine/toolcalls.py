"""The caller's functions, run in the notebook's process for cells in a session that they could not be sent to."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..branches.luggage import SEARCH
from ..errors import SubcallError

if TYPE_CHECKING:
    from .hooks import Hooks

__all__ = ["run_tool"]


async def run_tool(hooks: Hooks, depth: int, *, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return what the tool called `name` returns; a plain function runs in a thread of its own.

    Args:
        hooks: where the tools are.
        depth: of the trajectory that calls, 0 for the root; children may have tools of their own.
        name: the tool.
        args: positional arguments, JSON values.
        kwargs: named arguments, JSON values.

    Raises:
        SubcallError: there is no such tool, it raised, or its result cannot travel as JSON.

    """
    tools = hooks.sub_tools if depth and hooks.sub_tools is not None else hooks.tools
    tool = hooks.retriever if name == SEARCH and hooks.retriever is not None else tools.get(name)
    tool = tool["tool"] if isinstance(tool, Mapping) and "tool" in tool else tool
    if not callable(tool):
        raise SubcallError(f"there is no tool named {name!r}")
    try:
        result = await _run(tool, args, kwargs)
    except Exception as error:  # the caller's code may raise anything; the cell is told what
        raise SubcallError(f"{name} raised {type(error).__name__}: {error}") from error
    try:
        json.dumps(result)
    except (TypeError, ValueError) as error:
        raise SubcallError(f"{name} returned a {type(result).__name__}, which is not JSON: {error}") from error
    return result


async def _run(tool: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    if inspect.iscoroutinefunction(tool):
        return await tool(*args, **kwargs)
    return await asyncio.to_thread(tool, *args, **kwargs)
