"""What a fresh fork of a kernel must reset before it may run anything.

A forked child shares with its parent whatever a descriptor points at: the kernel's ZMQ sockets, its history database,
the event loop's epoll set, a library's open connections. And it inherits locks in whatever state some other thread
held them. So a branch gives all of that up first; each function below names what goes wrong without it. (The display
hooks of the shell are replaced in `capture`, where their successors are.)
"""

from __future__ import annotations

import asyncio
import bdb
import builtins
import getpass
import logging
import os
import pdb
import resource
import signal
import stat
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

__all__ = [
    "refuse_debugger",
    "reset_asyncio",
    "reset_history",
    "reset_input",
    "reset_logging",
    "reset_signals",
    "scrub_descriptors",
    "signals_for_a_cell",
]


def scrub_descriptors(keep: Iterable[int]) -> None:
    """Make every inherited descriptor harmless, except those in `keep`.

    Sockets, pipes, terminals and event queues are replaced by /dev/null; regular files are reopened for reading at
    their own offset. Without this one stray write wedges the kernel or corrupts its history database, and two
    processes answer each other's HTTP requests. Numbers stay occupied, so objects that own them can still close them.
    """
    kept = set(keep)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in [int(name) for name in os.listdir("/proc/self/fd")]:  # noqa: PTH208 (a Path per descriptor is waste)
        if fd not in kept and fd != null:
            with suppress(OSError):
                _make_harmless(fd, null)
    os.close(null)


def _make_harmless(fd: int, null: int) -> None:
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        return
    inheritable = os.get_inheritable(fd)
    if not stat.S_ISREG(mode):
        os.dup2(null, fd, inheritable)
        return
    offset = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        private = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        os.dup2(null, fd, inheritable)
        return
    os.lseek(private, offset, os.SEEK_SET)
    os.dup2(private, fd, inheritable)
    os.close(private)


def reset_signals() -> None:
    """Undo the parent's handlers: its wake-up descriptor would stir the parent's loop, its mask would deafen us."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for sig in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM, signal.SIGHUP):
        signal.signal(sig, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextmanager
def signals_for_a_cell() -> Iterator[None]:
    """Let a SIGINT raise KeyboardInterrupt in a cell and nowhere else, and let no timer of a cell outlive it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def reset_asyncio() -> None:
    """Forget the parent's event loop without closing it: `await` and `asyncio.run` in a cell start their own."""
    asyncio._set_running_loop(None)
    asyncio.set_event_loop(None)
    helpers = sys.modules.get("IPython.core.async_helpers")
    if hasattr(helpers, "_asyncio_event_loop"):
        setattr(helpers, "_asyncio_event_loop", None)  # noqa: B010 (private, and absent in some versions)


def reset_logging(streams: dict[int, Any]) -> None:
    """Point stream handlers at the branch's streams; `streams` maps `id(old stream)` to the new one."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and id(handler.stream) in streams:
                with suppress(AttributeError):  # logging's last-resort handler looks its stream up by itself
                    handler.stream = streams[id(handler.stream)]


def reset_history(shell: Any) -> None:
    """Keep the shell off the user's history, whose lock another thread may hold and whose file is shared."""
    history = shell.history_manager
    if history is not None:
        history.enabled = False
        for name in ("db_input_cache_lock", "db_output_cache_lock"):
            if hasattr(history, name):
                setattr(history, name, threading.Lock())


def reset_input() -> None:
    """Refuse `input()`, `getpass()` and debuggers: nobody sits at a branch, and the kernel's would ask on its socket.

    A debugger is refused where it is called. Left to find its input empty it would quit at the next line that is
    traced, and that may be one of ours.
    """
    builtins.input = getpass.getpass = _refuse_input
    sys.breakpointhook = bdb.Bdb.set_trace = refuse_debugger  # type: ignore[method-assign]  # where all debuggers begin
    pdb.set_trace = refuse_debugger  # tools put their own here, which may ask for a terminal first
    pdb.Pdb.interaction = refuse_debugger  # type: ignore[method-assign]  # post mortem, and what runs under a debugger
    if "comm" in sys.modules:
        import comm

        comm.create_comm = comm.DummyComm


def refuse_debugger(*_: object, **__: object) -> NoReturn:
    """Stand in for anything that would start a debugger.

    Raises:
        RuntimeError: always.

    """
    raise RuntimeError("there is no keyboard here: code the model runs cannot be stepped through; print what matters")


def _refuse_input(*_: object, **__: object) -> NoReturn:
    raise EOFError("there is no keyboard here: code the model runs cannot ask for input")
