"""A branch forked from this process: the one place where the notebook's process forks."""

from __future__ import annotations

import gc
import os
import warnings
from functools import partial

from ..errors import ForkUnavailable
from .household import Wish
from .hygiene import scrub_descriptors
from .nanny import live_as_nanny
from .openmp import pause_openmp
from .process import ProcessBranch
from .runner import live_as_runner
from .session import Seed
from .wiring import lay_wires

__all__ = ["open_forked"]


def open_forked(seed: Seed, reason: str, wish: Wish) -> ProcessBranch:
    """Fork a branch of this process in which everything of `seed` can be used and changed freely; main thread only.

    Raises:
        ForkUnavailable: the system refuses a new process.

    """
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
            live_as_nanny(kernel, far, partial(live_as_runner, seed=lambda: seed))
    finally:
        far.close()
    return ProcessBranch("fork", near, snapshot, reason, wish)


def _fork() -> int:
    pause_openmp()
    gc.freeze()  # so that a collection in the branch does not copy every page of the user's data
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the branch is made for having lost the threads
            return os.fork()
    finally:
        gc.unfreeze()
