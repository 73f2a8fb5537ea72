"""The memory watchdog: ends a cell before it takes the memory that the notebook and its machine live on.

Asked every few moments while a cell runs, it compares what the cell's processes hold with what they held when it
began. Two measures are used, because neither will do alone. The cheap one, anonymous memory, sees what is allocated; it
is blind to shared pages that the cell copies by writing to them, and counts what a new child shares with its parent
as if it were new. The exact one, private memory, sees copies and leaves out what is shared; it takes milliseconds, and
so is taken once a second, and before anything is ended on the word of the cheap one.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from pathlib import Path

from .meminfo import anonymous, available, private, virtual

__all__ = ["RESERVE", "MemoryWatch", "limit_address_space"]

RESERVE = 128 * 2**20
"""Bytes that must stay free on the machine, or in our control group, while a cell runs."""

_DEFAULT_SHARE = 0.75
_EXACT_EVERY = 1.0
_EXACT_DUTY = 10
"""The exact measure rests for at least this many times as long as it took."""


class MemoryWatch:
    """Watches one cell, from its construction on.

    Args:
        root: pid of the process in which the cell runs; what it starts is watched too. What was below it before the
            cell began, such as its checkpoint, counts only as far as it grows.
        limit: bytes that the cell may use beyond what was there when it began; `None` for three quarters of what was
            free then.
        forked: whether `root` shares its memory with a fork, so that writing to old variables takes new memory.

    """

    def __init__(self, root: int, limit: int | None, *, forked: bool = True) -> None:
        self._root = root
        self._forked = forked
        self._before = {pid: anonymous(pid) for pid in _family(root)}
        self._limit = int(available() * _DEFAULT_SHARE) if limit is None else limit
        self._limit_words = f"limit {_size(self._limit)}" + (", most of what was free" if limit is None else "")
        self._exact_due = time.monotonic() + _EXACT_EVERY
        self._exact_allowed = 0.0

    def breach(self) -> str:
        """Return why the cell must end, or an empty text while all is well.

        Meant to be called every 50 ms: it takes a fraction of a millisecond, once a second several.
        """
        now = time.monotonic()
        low = available() < RESERVE
        suspicious = low or self._allocated() > self._limit
        if now < (self._exact_allowed if suspicious else self._exact_due):
            return ""
        used = self._used()
        took = time.monotonic() - now
        self._exact_allowed = now + took * (1 + _EXACT_DUTY)
        self._exact_due = max(now + _EXACT_EVERY, self._exact_allowed)
        if used > self._limit:
            return f"it used {_size(used)} more memory ({self._limit_words})"
        if low and used > RESERVE // 2:  # a cell that took less is not where the memory went
            return f"it used {_size(used)} more memory, and the machine had less than {_size(RESERVE)} left"
        return ""

    def _allocated(self) -> int:
        return sum(self._growth(pid) for pid in _family(self._root))

    def _used(self) -> int:
        return sum(self._cost(pid) for pid in _family(self._root))

    def _cost(self, pid: int) -> int:
        if pid not in self._before:
            return private(pid)  # what it shares with its parent is already counted there
        if pid == self._root and self._forked:
            return max(self._growth(pid), private(pid))
        return self._growth(pid)

    def _growth(self, pid: int) -> int:
        return max(0, anonymous(pid) - self._before.get(pid, 0))


def limit_address_space(extra: int) -> None:
    """Let this process reserve at most `extra` bytes of address space more than now (setrlimit(2), RLIMIT_AS).

    Beyond that Python raises MemoryError, which a cell can survive. Not for every process: some libraries reserve
    far more than they use, and fail.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = virtual(os.getpid()) + extra
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _family(root: int) -> set[int]:
    """Return `root` and all processes below it, without reading through all of /proc."""
    found = {root}
    below = [root]
    while below:
        fresh = _children(below.pop()) - found
        found |= fresh
        below += fresh
    return found


def _children(pid: int) -> set[int]:
    children: set[int] = set()
    with suppress(OSError):
        for task in os.scandir(f"/proc/{pid}/task"):
            with suppress(OSError):
                children.update(map(int, Path(task.path, "children").read_bytes().split()))
    return children


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
