"""The nanny: one small process per branch, between the kernel and everything the model's code starts.

It adopts whatever the branch orphans, so that the kernel finds all of it below one pid; it collects the dead and
reports how they died; and when the kernel itself dies it takes the branch with it. It never runs model code.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
from contextlib import suppress

from .linux import become_subreaper, die_with_parent, kill_below, name_process
from .protocol import encode

__all__ = ["become_nanny", "watch"]

_WATCHED = (signal.SIGCHLD, signal.SIGTERM)


def become_nanny(kernel: int) -> None:
    """Turn this fresh fork of `kernel` into a nanny: own session, subreaper, told when the kernel dies."""
    name_process("rlm-nanny")
    os.setsid()  # Kernel → Interrupt signals the kernel's process group; the branch is not in it
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    become_subreaper()
    die_with_parent(kernel, signal.SIGTERM)
    gc.freeze()
    gc.disable()  # a collection would touch, and so copy, every page of the notebook's memory


def watch(kernel: int, report: socket.socket) -> None:
    """Collect the dead and report them until the kernel says goodbye (SIGTERM) or is gone; then kill what is below.

    A SIGTERM that neither the kernel nor its death sent comes from model code, and is ignored.
    """
    while True:
        signal_info = signal.sigwaitinfo(_WATCHED)
        _reap(report)
        if signal_info.si_signo == signal.SIGTERM and (signal_info.si_pid == kernel or os.getppid() != kernel):
            kill_below(os.getpid())
            _reap(report)
            return


def _reap(report: socket.socket) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with suppress(OSError):
                report.sendall(encode({"op": "exit", "pid": pid, "status": status}))
