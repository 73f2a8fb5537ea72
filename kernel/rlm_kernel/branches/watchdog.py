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

from .linux import descendants
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
        self._next_exact = time.monotonic() + _EXACT_EVERY

    def breach(self) -> str:
        """Return why the cell must end, or an empty text while all is well.

        Meant to be called every 50 ms: it takes a fraction of a millisecond, once a second several.
        """
        now = time.monotonic()
        low = available() < RESERVE
        if not low and now < self._next_exact and self._allocated() <= self._limit:
            return ""
        return self._exact_breach(low)

    def _exact_breach(self, low: bool) -> str:
        started = time.monotonic()
        if not low and started < self._next_exact - _EXACT_EVERY:
            return ""
        used = self._used()
        took = time.monotonic() - started
        ...
        return ""


def _family(root: int) -> set[int]:
    return {root}


def _size(number: int) -> str:
    return str(number)
