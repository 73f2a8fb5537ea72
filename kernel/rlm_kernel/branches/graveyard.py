"""How the processes of a branch died, and the nanny's own end."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from contextlib import suppress

from .link import GONE
from .protocol import Frame

__all__ = ["Graveyard", "end_nanny"]

_NEWS_LIMIT = 0.2
_GOODBYE_LIMIT_MS = 500
_PLOTS = 100


class Graveyard:
    """Keeps the latest wait statuses that the nanny has reported, and the news of its own end."""

    def __init__(self) -> None:
        self.nanny_gone = False
        self._statuses: dict[int, int] = {}
        self._news = asyncio.Event()

    def note(self, frame: Frame) -> None:
        """Take in a frame from the nanny."""
        if frame is GONE:
            self.nanny_gone = True
        elif frame["op"] == "exit":
            self._statuses[frame["pid"]] = frame["status"]
            while len(self._statuses) > _PLOTS:
                del self._statuses[next(iter(self._statuses))]
        self._news.set()

    async def obituary(self, pid: int | None) -> str:
        """Say how process `pid` died, as far as the nanny can tell in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_NEWS_LIMIT):
                while pid not in self._statuses and not self.nanny_gone:
                    self._news.clear()
                    await self._news.wait()
        status = self._statuses.get(pid or 0)
        return "its process ended" if status is None else _how(status)


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with suppress(ValueError):
            return f"its process died of signal {number} ({signal.Signals(number).name})"
        return f"its process died of signal {number}"
    return f"its process exited with code {os.WEXITSTATUS(status)}"


def end_nanny(pid: int) -> None:
    """Wait until a nanny whose line was closed has collected the dead and gone; if it does not go, kill it."""
    with suppress(ProcessLookupError, ChildProcessError):
        pidfd = os.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(_GOODBYE_LIMIT_MS):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        finally:
            os.close(pidfd)
