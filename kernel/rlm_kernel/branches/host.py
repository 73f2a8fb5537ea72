"""Opening a branch by fork: the one place where the notebook's process forks."""

from __future__ import annotations

import gc
import os
import warnings
from typing import Any

from ..errors import ForkUnavailable
from .hygiene import scrub_descriptors
from .nanny import live_as_nanny
from .openmp import pause_openmp
from .process import ProcessBranch
from .runner import live_as_runner
from .session import Seed
from .wiring import lay_wires

__all__ = ["open_branch"]


def open_branch(namespace: dict[str, Any], context: Any, reason: str) -> ProcessBranch:
    """Fork a branch of this process in which `context` and everything in `namespace` can be used and changed freely.

    Call it on the main thread, after the preflight, whose answer is `reason`. The branch must be closed. It contains
    accidents, not malice: code in it has the user's own rights over files and network.

    Raises:
        ForkUnavailable: the system refuses a new process.

    """
    seed = Seed(namespace, (context,))
    snapshot = seed.snapshot()
    near, far = lay_wires()
    kernel = os.getpid()
    try:
        near.pid = _fork()
    except OSError as error:
        near.close()
        raise ForkUnavailable(f"The system refused a new process: {error.strerror}.", "free some memory") from error
    else:
        if near.pid == 0:
            scrub_descriptors(far.descriptors)
            live_as_nanny(kernel, far, lambda sock, ends: live_as_runner(sock, ends, lambda: seed))
    finally:
        far.close()
    return ProcessBranch("fork", near, snapshot, reason)


def _fork() -> int:
    pause_openmp()
    gc.freeze()  # so that a collection in the branch does not copy every page of the user's data
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the branch is made for having lost the threads
            return os.fork()
    finally:
        gc.unfreeze()
