"""Can this process be forked now? Answered before every run, with the reason in words."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

from ..errors import ForkUnavailable

__all__ = ["check_fork"]


def check_fork() -> str:
    """Return why a fork is fine here.

    Raises:
        ForkUnavailable: it is not; the message says why. Each case was seen to hang, or is documented to fail.

    """
    if not sys.platform.startswith("linux"):
        raise ForkUnavailable(f"Branches need Linux, and this is {sys.platform}.", "run the notebook's kernel on Linux")
    if threading.current_thread() is not threading.main_thread():
        raise ForkUnavailable(
            "A branch can only be opened from the main thread.",
            "run this in an ordinary cell, not in a thread or a subshell console",
        )
    if any(name.startswith("polars-") for name in _thread_names()):
        raise ForkUnavailable(
            "polars has started its threads in this kernel, and they would hang in a branch.",
            "restart the kernel and run this before polars computes anything",
        )
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        raise ForkUnavailable(
            "CUDA is in use in this kernel, and cannot be used again after a fork.",
            "restart the kernel and run this before anything moves to the GPU",
        )
    return "nothing stands in its way"


def _thread_names() -> list[str]:
    """Return the operating system's names of this process's threads, Python's and others'."""
    names = []
    for task in os.scandir("/proc/self/task"):
        with suppress(OSError):
            names.append(Path(task.path, "comm").read_text().strip())
    return names
