"""The nanny: one small process per branch, between the kernel and everything the model's code starts.

It adopts whatever the branch orphans, so that the kernel finds all of it below one pid; it collects the dead and
reports how they died; when the kernel dies or hangs up, it takes the branch with it. It never runs model code, so it
also *is* the branch as it was at the beginning: on request it forks another runner from that.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from .linux import BRANCH_MARK, become_subreaper, die_with_parent, kill_below, name_process
from .protocol import Decoder, Frame, encode
from .wiring import FarEnds

__all__ = ["RunnerLife", "live_as_nanny"]

RunnerLife = Callable[[socket.socket, FarEnds, Frame], None]
"""What a runner does: with its control socket, the branch's output pipes and the frame that asked for it."""


def live_as_nanny(parent: int, ends: FarEnds, life: RunnerLife) -> NoReturn:
    """Be the nanny of a branch below process `parent`, and leave by `os._exit`; `life` is what runners do.

    Only for a process that nobody else's code runs in any more: a fresh fork, or a fresh Python.
    """
    try:
        name_process("rlm-nanny")
        with suppress(PermissionError):  # it leads a session already: it was a spawned process
            os.setsid()  # Kernel → Interrupt signals the kernel's process group; the branch is not in it
        become_subreaper()
        os.environ[BRANCH_MARK] = str(os.getsid(0))
        _Nanny(parent, ends, life).serve()
        os._exit(0)
    except BaseException:  # noqa: BLE001 (nothing may escape into the copy of the caller that this process is)
        os.write(ends.stderr, traceback.format_exc().encode("utf-8", "replace")[-4000:])
    finally:
        os._exit(1)


class _Nanny:
    def __init__(self, parent: int, ends: FarEnds, life: RunnerLife) -> None:
        self._parent = parent
        self._ends = ends
        self._life = life
        self._decoder = Decoder()
        self._wake, self._woken_by = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for sig in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(sig, lambda *_: None)
        signal.set_wakeup_fd(self._woken_by, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        die_with_parent(parent, signal.SIGTERM)
        gc.freeze()
        gc.disable()  # a collection would touch, and so copy, every page of the notebook's memory

    def serve(self) -> None:
        """Serve until the kernel hangs up or is gone, then kill what is below.

        SIGTERM is how the parent's death is told; one that model code sends finds the parent alive, and changes
        nothing.
        """
        poll = select.poll()
        poll.register(self._ends.nanny, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        connected = True
        while connected and os.getppid() == self._parent:
            ready = {fd for fd, _ in poll.poll()}
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                self._reap()
            if self._ends.nanny.fileno() in ready:
                connected = self._obey()
        kill_below(os.getpid())
        self._reap()

    def _obey(self) -> bool:
        """Start a runner for each socket that has come; return false at the end of the stream."""
        connected = self._decoder.read(self._ends.nanny)
        while (frame := self._decoder.next()) is not None:
            sock = socket.socket(fileno=frame["fds"][0])
            if os.fork() == 0:
                self._be_a_runner(sock, frame)
            sock.close()
        return connected

    def _be_a_runner(self, sock: socket.socket, frame: Frame) -> NoReturn:
        try:
            gc.enable()
            self._ends.nanny.close()
            signal.set_wakeup_fd(-1)
            os.close(self._wake)
            os.close(self._woken_by)
            self._life(sock, self._ends, frame)
            os._exit(0)
        except BaseException:  # noqa: BLE001 (see `live_as_nanny`)
            os.write(self._ends.stderr, traceback.format_exc().encode("utf-8", "replace")[-4000:])
        finally:
            os._exit(1)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                with suppress(OSError):
                    self._ends.nanny.sendall(encode({"op": "exit", "pid": pid, "status": status}))
