"""The few Linux calls that branches stand on: process control, and finding and killing everything below a process."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = [
    "BRANCH_MARK",
    "become_subreaper",
    "descendants",
    "die_with_parent",
    "kill_below",
    "kill_strays",
    "last_to_be_spared",
    "name_process",
    "strays",
    "thread_names",
]

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_ZOMBIE = "Z"

BRANCH_MARK = "RLM_BRANCH"
"""Environment variable that names a branch's session to whatever the branch executes."""

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value}) failed")


def die_with_parent(parent: int, sig: signal.Signals) -> None:
    """Have this process sent `sig` when the thread that forked it ends (prctl(2), PR_SET_PDEATHSIG).

    The setting is lost at fork, so each process sets its own. If the parent is already gone, exit at once.
    """
    _prctl(_PR_SET_PDEATHSIG, sig)
    if os.getppid() != parent:
        os._exit(1)


def become_subreaper() -> None:
    """Adopt orphaned descendants, daemons included, so that they stay findable below this process (prctl(2))."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def last_to_be_spared() -> None:
    """Offer this process to the kernel's out-of-memory killer before anything of the user's."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def descendants(root: int) -> set[int]:
    """Return the pids of all living processes below `root`; zombies do not count."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError, ValueError):
                parent, dead = _parent_and_death(int(entry.name))
                if not dead:
                    children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    below = [root]
    while below:
        fresh = [pid for pid in children.get(below.pop(), ()) if pid not in found]
        found.update(fresh)
        below.extend(fresh)
    return found


def strays(session: int) -> set[int]:
    """Return the living processes of session `session`, and those that were started with the mark of it.

    This is what can still be found of a branch whose nanny is dead: everything that did not both leave the session
    and do without `exec`.
    """
    mark = f"{BRANCH_MARK}={session}".encode()
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError, ValueError):
                fields = _stat(int(entry.name))
                environ = Path(entry.path, "environ").read_bytes()
                if fields[0] != _ZOMBIE and (int(fields[3]) == session or mark in environ.split(b"\0")):
                    found.add(int(entry.name))
    return found


def kill_strays(session: int, spare: Iterable[int] = ()) -> None:
    """Kill what `strays` finds, except the processes in `spare`, until it finds nothing."""
    spared = set(spare)
    while victims := strays(session) - spared:
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _parent_and_death(pid: int) -> tuple[int, bool]:
    fields = _stat(pid)
    # A process whose main thread is gone shows as a zombie while others of its threads still live, and own children.
    return int(fields[1]), fields[0] == _ZOMBIE and int(fields[17]) <= 1


def _stat(pid: int) -> list[str]:
    # The command name in parentheses may itself hold blanks and parentheses: read behind the last one (proc(5)).
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    return stat[stat.rindex(b")") + 2 :].decode().split()


def thread_names() -> list[str]:
    """Return the operating system's names of this process's threads, Python's and others'."""
    names = []
    for task in os.scandir("/proc/self/task"):
        with suppress(OSError):
            names.append(Path(task.path, "comm").read_text().strip())
    return names


def kill_below(root: int, spare: Iterable[int] = ()) -> None:
    """Kill everything below `root` except the processes in `spare`, and return when nothing is left.

    All are stopped before any is killed, so that none can fork or react in between; then the scan is repeated until
    it finds nothing, because a fork may have been under way. `root` itself is woken up, never killed.
    """
    spared = set(spare)
    while victims := descendants(root) - spared:
        for sig in (signal.SIGSTOP, signal.SIGKILL):
            for pid in victims:
                with suppress(ProcessLookupError):
                    os.kill(pid, sig)
        with suppress(ProcessLookupError):
            os.kill(root, signal.SIGCONT)


def name_process(name: str) -> None:
    """Let this process be listed as `name` (15 bytes at most) by ps and top."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
