"""An event loop whose clock jumps: it never waits for a timer, it sets the clock to it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run_at_once"]

T = TypeVar("T")


class _NoWaiting(selectors.DefaultSelector):
    """Finds nothing to read or write, and tells the loop how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits, and there is no timer to go on with")
        self.waited += max(timeout, 0.0)
        return []


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _NoWaiting()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.waited


def run_at_once(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that does no input or output, on a clock that starts at 0 s and costs no time.

    Raises:
        AssertionError: the coroutine waits for something that nothing will bring about.

    """
    with asyncio.Runner(loop_factory=_JumpingLoop) as runner:
        return runner.run(main)
