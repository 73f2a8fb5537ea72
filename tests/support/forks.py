"""A frozen copy of this process, such as a checkpoint is: afterwards the kernel tells which pages were written."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["frozen_copy"]


@contextmanager
def frozen_copy() -> Iterator[None]:
    """Fork this process; the copy does nothing, and is gone after the block."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the copy runs no Python that could miss a thread
        pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    try:
        yield
    finally:
        os.close(writing)
        os.waitpid(pid, 0)
