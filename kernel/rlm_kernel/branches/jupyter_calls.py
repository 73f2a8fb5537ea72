"""Calls from a cell on a Jupyter kernel, answered on the notebook's side.

A child of such a cell is a branch on another kernel of the same kind. What it starts with comes here in pieces, as
bytes that only another kernel will unpack, and waits in memory files for the calls that are about it.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Any

from .branch import Branch, Serve
from .clock import CellClock
from .jupyter_freight import Freight, Relayed
from .replay import Take

__all__ = ["CellCalls", "PlayedCalls"]


class CellCalls:
    """Answers the calls of one cell, outside the cell's time, and puts them down; `close` it after the cell.

    Args:
        take: where the calls are put down.
        serve: says what to answer.
        clock: the cell's.
        open_child: opens a branch for a child.
        children: how many of them may be at work at once.

    """

    def __init__(
        self, take: Take, serve: Serve, clock: CellClock, open_child: Callable[[Freight], Branch], children: int
    ) -> None:
        self._take = take
        self._serve = serve
        self._clock = clock
        self._open_child = open_child
        self._places = asyncio.Semaphore(children)
        self._parcels: dict[int, int] = {}

    async def __call__(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return `{"value": …}` or `{"error": …}`."""
        if name == "piece":
            return self._take_in(arguments["parcel"], arguments["data"])
        if name != "rlm_query":
            return await self._take.answer(name, arguments, self._serve, self._clock)
        freight = arguments.pop("freight")
        with self._clock.paused():
            async with self._places:
                branch = self._open_child(Relayed(self._parcels[freight["parcel"]], freight["home"]))
                try:
                    return await self._take.answer(name, arguments, self._serve, self._clock, branch=branch)
                finally:
                    branch.close()

    def close(self) -> None:
        """Forget what children were to start with."""
        while self._parcels:
            os.close(self._parcels.popitem()[1])

    def _take_in(self, parcel: int, data: str) -> dict[str, Any]:
        if parcel not in self._parcels:
            self._parcels[parcel] = os.memfd_create("rlm-child", os.MFD_CLOEXEC)
        os.write(self._parcels[parcel], base64.b64decode(data))
        return {"value": None}


class PlayedCalls:
    """Answers the calls of a cell that is run again with what they were answered before."""

    def __init__(self, take: Take) -> None:
        self._take = take

    async def __call__(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return `{"value": …}` or `{"error": …}`."""
        if name == "piece":
            return {"value": None}
        arguments.pop("freight", None)
        return self._take.reply_to(name, arguments)
