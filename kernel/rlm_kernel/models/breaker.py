"""A server that is down is asked by one call at a time, and then by none.

Until a first reply has come, and after a connection has failed, one call goes ahead and the others wait for what it
finds out. After three failures in a row, with pauses between them, every call fails at once with the same error; 2 s
later one is let through again. So a cell with a thousand sub-calls costs a dead server three connections, and its
reader one message.
"""

from __future__ import annotations

import asyncio
import copy
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..errors import ModelError, ModelUnreachable

__all__ = ["Breaker", "breaker_for"]

_PAUSES = (0.25, 0.75)
_OPEN = 2.0
_PATIENCE = 1.0
"""Seconds: between the first tries, until an open breaker tries again, and for which a first call holds up the rest."""


class Breaker:
    """What is known of the connections to one endpoint."""

    def __init__(self) -> None:
        self._works = False
        self._failures = 0
        self._last = ModelUnreachable("")
        self._resumes = 0.0
        self._scout: asyncio.Future[None] | None = None

    @asynccontextmanager
    async def watching(self, deadline: float | None = None) -> AsyncIterator[None]:
        """Let a call through, and note how it went.

        Args:
            deadline: on the event loop's clock, in seconds; a call that would have to wait longer fails at once.

        Raises:
            ModelUnreachable: it is not let through; this is what the last one that tried was told.

        """
        scout = await self._entered(deadline)
        failures = self._failures
        try:
            yield
        except ModelUnreachable as error:
            if not error.answered and failures == self._failures:  # of calls that fail together only one counts
                self._note(error)
            raise
        except ModelError:  # an answer, if not the one that was wanted
            self._works, self._failures = True, 0
            raise
        else:
            self._works, self._failures = True, 0
        finally:
            if scout is not None:
                self._over(scout)

    async def _entered(self, deadline: float | None) -> asyncio.Future[None] | None:
        """Wait until a call may go on; return the future to resolve when it is over if others wait for it."""
        loop = asyncio.get_running_loop()
        while not self._works:
            if self._failures > len(_PAUSES) and loop.time() < self._resumes:
                raise self._refusal()
            if self._scout is None:
                return await self._ahead(loop, deadline)
            if await self._held_up(self._scout, loop, deadline):
                return None
        return None

    async def _ahead(self, loop: asyncio.AbstractEventLoop, deadline: float | None) -> asyncio.Future[None]:
        """Become the call that goes ahead, after the pause since the last failure."""
        if deadline is not None and self._failures and deadline <= self._resumes:
            raise self._refusal()
        self._scout = scout = loop.create_future()
        try:
            await asyncio.sleep(max(0.0, self._resumes - loop.time()))
        except BaseException:
            self._over(scout)
            raise
        return scout

    async def _held_up(
        self, scout: asyncio.Future[None], loop: asyncio.AbstractEventLoop, deadline: float | None
    ) -> bool:
        """Wait for the call that went ahead; true if it is just slow and no reason to wait any longer."""
        patience = _PATIENCE if not self._failures else None if deadline is None else deadline - loop.time()
        await asyncio.wait([scout], timeout=patience)
        if scout.done():
            return False
        if self._failures:
            raise self._refusal()
        return True

    def _note(self, error: ModelUnreachable) -> None:
        self._works = False
        self._last = error
        pause = _PAUSES[self._failures] * random.uniform(0.8, 1.2) if self._failures < len(_PAUSES) else _OPEN
        self._failures += 1
        self._resumes = asyncio.get_running_loop().time() + pause

    def _over(self, scout: asyncio.Future[None]) -> None:
        self._scout = None
        scout.set_result(None)

    def _refusal(self) -> ModelUnreachable:
        """Return the last error anew, for one more caller: not to be tried again now."""
        error = copy.copy(self._last)
        error.answered = error.transient = False
        return error


_breakers: dict[str, Breaker] = {}


def breaker_for(endpoint_key: str) -> Breaker:
    """Return the endpoint's breaker, one for all runs of this process."""
    return _breakers.setdefault(endpoint_key, Breaker())


os.register_at_fork(after_in_child=_breakers.clear)  # a call that went ahead in the parent is not under way here
