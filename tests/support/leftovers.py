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
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["Footprint", "footprint", "nothing_left"]


@dataclass(frozen=True)
class Footprint:
    """What a process holds: descendants by pid, its number of threads, its descriptors by what they are."""

    processes: dict[int, str] = field(default_factory=dict)
    threads: int = 0
    descriptors: Counter[str] = field(default_factory=Counter)

    def beyond(self, before: Footprint) -> list[str]:
        """Name in words all that was not there before."""
        new = {pid: name for pid, name in self.processes.items() if pid not in before.processes}
        more = [f"process {pid}: {name}" for pid, name in new.items()]
        if self.threads > before.threads:
            more.append(f"{self.threads - before.threads} more threads: {_thread_names()}")
        return more + [f"{n} more open {kind}" for kind, n in (self.descriptors - before.descriptors).items()]


def footprint(pid: int) -> Footprint:
    """Return what the process `pid` holds now."""
    process = psutil.Process(pid)
    return Footprint(
        {child.pid: _command(child) for child in process.children(recursive=True)},
        process.num_threads(),
        Counter(_descriptors(pid)),
    )


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
    end = time.monotonic() + deadline
    tick = threading.Event()
    gc.collect()
    while (more := footprint(watched).beyond(before)) and time.monotonic() < end:
        tick.wait(0.02)
    assert not more, "left behind: " + "; ".join(more)


def _descriptors(pid: int) -> Iterator[str]:
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


def _thread_names() -> str:
    return ", ".join(sorted(thread.name for thread in threading.enumerate()))
