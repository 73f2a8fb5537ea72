"""The cell clock: a time limit that stands still while a sub-call is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["CellClock"]


class CellClock:
    """Runs a deadline of `asyncio.timeout`; sub-calls have limits of their own and do not count against the cell."""

    def __init__(self, seconds: float) -> None:
        self.deadline = asyncio.timeout(seconds)
        self._left = seconds
        self._loop = asyncio.get_running_loop()
        self._running_since = self._loop.time()
        self._pauses = 0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock; several pauses may overlap."""
        if self._pauses == 0:
            self._left -= self._loop.time() - self._running_since
            self.deadline.reschedule(None)
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if self._pauses == 0 and not self.deadline.expired():
                self._running_since = self._loop.time()
                self.deadline.reschedule(self._running_since + self._left)
