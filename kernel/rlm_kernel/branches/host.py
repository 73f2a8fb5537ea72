"""Opening a branch: the one place where the notebook's process forks."""

from __future__ import annotations

import gc
import os
import socket
import traceback
import warnings
from typing import Any, NoReturn

from ..errors import ForkUnavailable
from .forked import ForkedBranch, Wiring
from .hygiene import scrub_descriptors
from .keep import Snapshot
from .nanny import become_nanny, watch
from .openmp import pause_openmp
from .runner import Runner

__all__ = ["open_branch"]


def open_branch(namespace: dict[str, Any], context: Any, reason: str) -> ForkedBranch:
    """Fork a branch of this process in which `context` and everything in `namespace` can be used and changed freely.

    Call it on the main thread, after `preflight.check_fork`, whose answer is `reason`. The branch must be closed. It
    contains accidents, not malice: code in it has the user's own rights over files and network.

    Raises:
        ForkUnavailable: the system refuses a new process.

    """
    snapshot = Snapshot(namespace)
    control, runner_end = socket.socketpair()
    reports, nanny_end = socket.socketpair()
    stdout, stdout_end = os.pipe()
    stderr, stderr_end = os.pipe()
    kernel = os.getpid()
    try:
        nanny = _fork()
    except OSError as error:
        for fd in (stdout, stderr):
            os.close(fd)
        control.close()
        reports.close()
        raise ForkUnavailable(f"The system refused a new process: {error.strerror}.", "free some memory") from error
    else:
        if nanny == 0:
            _be_the_branch(kernel, runner_end, nanny_end, (stdout_end, stderr_end), namespace, context)
    finally:
        runner_end.close()
        nanny_end.close()
        os.close(stdout_end)
        os.close(stderr_end)
    return ForkedBranch(Wiring(nanny, control, reports, stdout, stderr), snapshot, reason)


def _fork() -> int:
    pause_openmp()
    gc.freeze()  # so that a collection in the branch does not copy every page of the user's data
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the branch is made for having lost the threads
            return os.fork()
    finally:
        gc.unfreeze()


def _be_the_branch(
    kernel: int,
    runner_end: socket.socket,
    nanny_end: socket.socket,
    pipes: tuple[int, int],
    namespace: dict[str, Any],
    context: Any,
) -> NoReturn:
    """Be the nanny, and fork the runner. Neither returns into the kernel's code above: both leave by `os._exit`."""
    try:
        become_nanny(kernel)
        scrub_descriptors({runner_end.fileno(), nanny_end.fileno(), *pipes})
        if os.fork() == 0:
            nanny_end.close()
            Runner(runner_end, pipes, namespace, context).serve()
        else:
            runner_end.close()
            for fd in pipes:
                os.close(fd)
            watch(kernel, nanny_end)
        os._exit(0)
    except BaseException:  # noqa: BLE001 (nothing may escape into the copy of the kernel that this process is)
        os.write(pipes[1], traceback.format_exc().encode("utf-8", "replace")[-4000:])
    finally:
        os._exit(1)
