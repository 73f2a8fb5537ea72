"""How much memory there still is, and how much of it a process holds: the few numbers in /proc that say so.

A container may have less than the machine: control groups, of either version, are looked at too.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Group", "anonymous", "available", "limited_groups", "private", "virtual"]

_KB = 1024
_UNLIMITED = 2**62
"""What version 1 writes for "no limit" is some number above this."""


@dataclass(frozen=True)
class Group:
    """A memory control group with a limit: the files that say how full it is."""

    limit: Path
    usage: Path
    cache_key: str
    """The entry of `memory.stat` for file pages that the system gives up before it refuses memory."""

    def headroom(self) -> float:
        """Return how many more bytes the group may take, infinity if there is no limit."""
        try:
            limit = int(self.limit.read_text())
            return limit - int(self.usage.read_text()) + self._cache() if limit < _UNLIMITED else math.inf
        except (OSError, ValueError):  # no such group, or its limit is the word "max"
            return math.inf

    def _cache(self) -> int:
        entries = (line.split() for line in (self.limit.parent / "memory.stat").read_text().splitlines())
        return next((int(value) for key, value in entries if key == self.cache_key), 0)


def available() -> int:
    """Return the bytes that new work can still take without swapping: of the machine, or of our control groups.

    Source: MemAvailable in proc(5); memory.max and memory.current of cgroup v2, memory.limit_in_bytes and
    memory.usage_in_bytes of v1.
    """
    free = _field(Path("/proc/meminfo"), "MemAvailable")
    return int(min([free, *(group.headroom() for group in _own_groups())]))


def anonymous(pid: int) -> int:
    """Return the bytes of heap, stacks and the like that a process holds, swapped out or not; 0 when it is gone.

    Pages that it shares with the process it was forked from count in full. Takes some 20 µs.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return 0
    return _total(lines, "RssAnon:", "VmSwap:")


def private(pid: int) -> int:
    """Return the bytes that only this process holds and has written, swapped out or not; 0 when it is gone.

    After a fork these are its own allocations and its own copies of shared pages. Takes milliseconds for a process
    of some hundred megabytes, because the system looks at every page.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return _total(lines, "Private_Dirty:", "SwapPss:")


def virtual(pid: int) -> int:
    """Return the bytes of address space that a process has reserved."""
    return _field(Path(f"/proc/{pid}/status"), "VmSize")


def limited_groups(membership: str, mount: Path) -> Iterator[Group]:
    """Yield our memory control groups, and the groups around them, that have a limit.

    Args:
        membership: the text of /proc/self/cgroup.
        mount: where control groups are mounted, normally /sys/fs/cgroup.

    """
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _limited(mount, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = mount / "memory"
            yield from _limited(root, path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _limited(root: Path, path: str, limit: str, usage: str, cache_key: str) -> Iterator[Group]:
    # In a container the path may be the one seen from outside, which is not mounted: its root is our group then.
    inner = root / path.lstrip("/")
    for folder in (inner, *inner.parents):
        group = Group(folder / limit, folder / usage, cache_key)
        if group.headroom() < math.inf:
            yield group


@functools.cache
def _own_groups() -> list[Group]:
    return list(limited_groups(Path("/proc/self/cgroup").read_text(), Path("/sys/fs/cgroup")))


def _field(file: Path, name: str) -> int:
    return _total(file.read_text(errors="replace"), f"{name}:")


def _total(lines: str, *names: str) -> int:
    return sum(int(line.split()[1]) * _KB for line in lines.splitlines() if line.startswith(names))
