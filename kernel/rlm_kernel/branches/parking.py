"""Checkpoints of finished runs stay for a while, so that their variables can be looked at and used later.

They are few and they are watched: over all runs at most `checkpoints` of them, taking at most `checkpoint_memory`
bytes; the oldest of the oldest run goes first, the answering one of each run last. When the machine runs low on memory
all of them go. Everything here happens on the solver thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ..errors import BranchError
from .branch import Branch
from .keep import Snapshot
from .meminfo import available, private
from .watchdog import RESERVE

__all__ = ["Cleaned", "Lot", "lot"]

_LOOK_EVERY = 5.0
_SHARE = 4
_ROOM = "it made room for newer ones (see checkpoints and checkpoint_memory)"


@dataclass(frozen=True)
class Cleaned:
    """How many checkpoints were dropped, and the bytes that only they had held."""

    count: int
    bytes: int


class Lot:
    """The parked branches of this process, oldest first."""

    def __init__(self) -> None:
        self._branches: list[Branch] = []
        self._dropped: WeakKeyDictionary[Branch, str] = WeakKeyDictionary()
        self._guard: asyncio.TimerHandle | None = None

    async def admit(self, branch: Branch, most: int, memory: int | None) -> None:
        """Settle a finished branch here, or close it; then make room within `most` checkpoints and `memory` bytes."""
        if most:
            await branch.settle()
        if not most or not branch.parked:
            branch.close()
            self._dropped[branch] = "no checkpoints are kept (checkpoints=0)"
            return
        self._branches.append(branch)
        limit = available() // _SHARE if memory is None else memory
        while self.count > most or (self.count and self._held() > limit):
            self._drop_oldest()
        self._stand_guard()

    def thin(self, branch: Branch, most: int) -> None:
        """Drop the oldest checkpoints of a branch at work beyond `most`: its every cell takes longer with each."""
        while len(branch.parked) > most:
            branch.unpark(next(iter(branch.parked)))
            self._dropped[branch] = _ROOM

    def look(self, branch: Branch, label: Hashable) -> None:
        """Check that a checkpoint is still there.

        Raises:
            BranchError: it is not; the message says why.

        """
        if branch in self._branches and label in branch.parked:
            return
        why = self._dropped.get(branch, "there is no checkpoint of it")
        there = ", ".join(map(str, branch.parked)) if branch in self._branches else ""
        raise BranchError(
            f"The state after iteration {label} is not there: {why}.",
            f"still there: {there}" if there else "run the question again",
        )

    def clean(self, why: str) -> Cleaned:
        """Drop everything."""
        done = Cleaned(self.count, self._held())
        for branch in list(self._branches):
            self._let_go(branch, why)
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None
        return done

    @property
    def count(self) -> int:
        """How many checkpoints are parked."""
        return sum(len(branch.parked) for branch in self._branches)

    def _held(self) -> int:
        return sum(private(pid) for branch in self._branches for pid in set(branch.parked.values()))

    def _drop_oldest(self) -> None:
        branch = next((b for b in self._branches if len(b.parked) > 1), self._branches[0])
        branch.unpark(next(iter(branch.parked)))
        self._dropped[branch] = _ROOM
        if not branch.parked:
            self._let_go(branch, _ROOM)

    def _let_go(self, branch: Branch, why: str) -> None:
        self._branches.remove(branch)
        self._dropped[branch] = why
        branch.close()
        branch.snapshot = Snapshot({})  # a run outlives its checkpoints, and must not hold the user's old values

    def _stand_guard(self) -> None:
        if self._guard is None and self._branches:
            self._guard = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._relieve)

    def _relieve(self) -> None:
        self._guard = None
        if available() < RESERVE:
            self.clean("memory ran low, so all of them were dropped")
        self._stand_guard()


lot = Lot()
"""The lot of this process."""
