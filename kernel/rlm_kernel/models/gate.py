"""At most so many calls in flight at one endpoint over all processes of a user on this machine.

Each call holds one of N lock files, so that the operating system frees the place of a process that dies. Who wants a
place waits at the door, another lock, until it has one: a process with many calls cannot snatch each free place from
the others. Who must be alone keeps the door shut and waits until all places are free. Locks are only tried, never
waited for, which neither blocks the event loop nor leaves a lock behind when the waiting is cancelled.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
import random
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OptionError

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["Gate"]

_SHORTEST, _LONGEST = 0.005, 0.05
"""Seconds between two tries; they grow while it lasts."""


class Gate:
    """The gate of one endpoint, as one run of this process uses it.

    Args:
        endpoint_key: the endpoint.
        limit: calls in flight at once.

    Raises:
        OptionError: Jupyter's runtime folder, where the locks are, cannot be written to.

    """

    def __init__(self, endpoint_key: str, limit: int) -> None:
        from filelock import FileLock

        name = hashlib.sha256(endpoint_key.encode()).hexdigest()[:16]
        folder = _folder()
        self._door: BaseFileLock = FileLock(folder / f"{name}.door", thread_local=False)
        self._places: list[BaseFileLock] = [FileLock(folder / f"{name}.{n}", thread_local=False) for n in range(limit)]
        self._line = asyncio.Lock()
        self._crowded = False

    async def enter(self, held: ExitStack, exclusive: bool) -> None:
        """Wait for a place, or with `exclusive` for all of them; it is given back when `held` is closed."""
        async with self._line:
            if self._crowded:
                await asyncio.sleep(_SHORTEST)  # the other processes' chance to be next at the door
            self._crowded = False
            door = await self._locked([self._door])
            with ExitStack() as behind:
                behind.callback(door.release)
                if exclusive:
                    for place in self._places:
                        behind.callback((await self._locked([place])).release)
                    held.push(behind.pop_all())
                else:
                    held.callback((await self._locked(self._places)).release)

    async def _locked(self, locks: Sequence[BaseFileLock]) -> BaseFileLock:
        """Return the first of the locks that could be locked, trying until there is one."""
        pause = _SHORTEST
        while (found := next((lock for lock in locks if _lock(lock)), None)) is None:
            self._crowded = True
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST)
        return found


def _lock(lock: BaseFileLock) -> bool:
    """Lock it if it is free; a lock of our own is not."""
    from filelock import Timeout

    if lock.is_locked:
        return False
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


def _folder() -> Path:
    """Return the folder of the locks, the user's own; home folders on a network serve more than one machine."""
    from jupyter_core.paths import jupyter_runtime_dir

    folder = Path(jupyter_runtime_dir(), "rlm-gates", platform.node() or "here")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "open").touch()
    except OSError as error:
        raise OptionError(
            f"machine_concurrency needs a folder for its locks, and {folder} cannot be used: {error.strerror}",
            "set JUPYTER_RUNTIME_DIR to a folder of yours, or leave machine_concurrency out",
        ) from None
    return folder
