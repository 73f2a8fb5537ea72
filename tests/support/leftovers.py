"""What a process has open, and the proof that it has nothing more afterwards.

`nothing_left(pid)` takes the footprint of a process before a block and demands the same one after it. Things
that are on their way out get until the deadline to be gone.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["Footprint", "footprint", "nothing_left"]


@dataclass(frozen=True)
class Footprint:
    """What a process holds: its descendants by pid, its threads and its descriptors by what the system calls them."""

    processes: dict[int, str]
    threads: Counter[str]
    descriptors: Counter[str]

    def beyond(self, before: Footprint) -> list[str]:
        """Name in words all that was not there before."""
        new = {pid: name for pid, name in self.processes.items() if pid not in before.processes}
        return [
            *(f"process {pid}: {name}" for pid, name in new.items()),
            *(f"{n} more thread {name}" for name, n in (self.threads - before.threads).items()),
            *(f"{n} more open {kind}" for kind, n in (self.descriptors - before.descriptors).items()),
        ]


def footprint(pid: int) -> Footprint:
    """Return what the process `pid` holds now."""
    children = psutil.Process(pid).children(recursive=True)
    return Footprint({child.pid: _command(child) for child in children}, Counter(_threads(pid)), Counter(_open(pid)))


@contextmanager
def nothing_left(pid: int | None = None, deadline: float = 5.0) -> Iterator[None]:
    """Demand that the process `pid` (this one by default) holds no more after the block than before it.

    Raises:
        AssertionError: `deadline` seconds later there is still something; it is named.

    """
    watched = os.getpid() if pid is None else pid
    gc.collect()
    before = footprint(watched)
    yield
    gc.collect()
    end = time.monotonic() + deadline
    tick = threading.Event()
    while (more := footprint(watched).beyond(before)) and time.monotonic() < end:
        tick.wait(0.02)
    assert not more, "left behind: " + "; ".join(more)


def _threads(pid: int) -> Iterator[str]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            yield (task / "comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):  # ended while we looked
            continue


def _open(pid: int) -> Iterator[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:  # closed while we looked
            continue
        yield target.split(":", 1)[0] if target.startswith(("socket:", "pipe:")) else target


def _command(process: psutil.Process) -> str:
    try:
        return f"{process.status()} {' '.join(process.cmdline())[:200]}"
    except psutil.NoSuchProcess:
        return "gone"
