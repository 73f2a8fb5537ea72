"""One scheduler per endpoint for the whole process: every run's calls stand in the same line.

A run has a `Scheduler` with its own limit; what the server works on at once, and what this machine may have in flight,
holds for all of them together. `line` says whose turn it is, `gate` keeps the count between processes. Use all
schedulers on one event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from ..errors import ModelBusy
from .gate import Gate
from .line import Line, Queue, Turn

__all__ = ["Scheduler", "scheduler_for"]


class Scheduler:
    """The way of one run to one endpoint; `scheduler_for` makes it.

    Attributes:
        key: the endpoint.
        line: its line, shared by all runs of this process.

    """

    def __init__(self, key: str, line: Line, limit: int, gate: Gate | None = None) -> None:
        self.key = key
        self.line = line
        self._queue = Queue(limit)
        self._gate = gate

    @asynccontextmanager
    async def slot(
        self, *, priority: int = 3, deadline: float | None = None, exclusive: bool = False
    ) -> AsyncIterator[None]:
        """Wait until it is a call's turn, and hold its place while it is made.

        Args:
            priority: 1 (first) to 5 (last).
            deadline: on the event loop's clock, in seconds, when the call leaves the line; `None` for never.
            exclusive: no other call to the endpoint may be in flight: none of this process, and none of this machine
                where calls are counted for the machine.

        Raises:
            ModelBusy: the deadline came first.

        """
        with ExitStack() as held:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._turn(priority, deadline, exclusive)
                    held.callback(self._leave)
                    if self._gate is not None:
                        await self._gate.enter(held, exclusive)
            except TimeoutError:
                raise ModelBusy(f"The call's time was over before {self.key} had room for it.", _HINT) from None
            yield

    async def _turn(self, priority: int, deadline: float | None, exclusive: bool) -> None:
        loop = asyncio.get_running_loop()
        if deadline is not None and deadline <= loop.time():
            raise TimeoutError
        turn = Turn(priority, loop.time(), exclusive, loop.create_future())
        self.line.join(self._queue, turn, deadline)
        try:
            await turn.come
        except asyncio.CancelledError:
            self.line.give_up(self._queue, turn)
            raise

    def _leave(self) -> None:
        self.line.leave(self._queue)


_HINT = "make fewer calls at once, or give them more time"
_lines: WeakValueDictionary[str, Line] = WeakValueDictionary()


def scheduler_for(
    endpoint_key: str, limit: int, machine_limit: int | None = None, *, slots: int | None = None
) -> Scheduler:
    """Return a new run's scheduler for an endpoint.

    Args:
        endpoint_key: the endpoint, in a form that can be shown.
        limit: calls of this run in flight at once.
        machine_limit: calls in flight at once over all processes of this user on this machine that give a limit; if
            they give different ones, the highest holds.
        slots: calls that the server works on at once, for all runs together, where it says so (`probe.Served`).

    Raises:
        OptionError: there can be no folder for the machine's count.

    """
    line = _lines.setdefault(endpoint_key, Line())
    line.capacity = slots or line.capacity
    if machine_limit is None:
        return Scheduler(endpoint_key, line, limit)
    return Scheduler(endpoint_key, line, min(limit, machine_limit), Gate(endpoint_key, machine_limit))


os.register_at_fork(after_in_child=_lines.clear)  # the parent's calls are in flight there, not here
