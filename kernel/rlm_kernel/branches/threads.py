"""The threads of this process that a fork would lose, and whose absence someone would notice.

Only the forking thread exists in the child. What Jupyter, debuggers and this project run in threads is replaced there,
and a pool's idle worker is no loss; but a thread of the user's own, or one inside a compiled library, may hold a lock
at that moment or be waited for later.
"""

from __future__ import annotations

import functools
import sys
import threading

from .linux import thread_names

__all__ = ["native_owner", "user_threads"]

_HARMLESS = (
    "IPython",
    "_pydev_bundle",
    "_pydevd_bundle",
    "debugpy",
    "concurrent.futures.process",
    "ipykernel",
    "ipyparallel",
    "joblib",
    "jupyter_client",
    "logging",
    "loky",
    "multiprocessing",
    "pydevd",
    "rlm_kernel",
    "rlm_magics",
    "rlm_widgets",
    "tornado",
    "tqdm",
    "traitlets",
    "zmq",
)
"""Packages and modules whose threads nothing in a branch waits for."""

_WORKERS = {"concurrent.futures.thread": "_worker", "multiprocessing.dummy": "worker"}
"""Modules whose threads are workers of a pool, and the function in which an idle one waits."""

_NATIVE = {"polars-": "polars", "cuda": "CUDA", "tokio-": "tokio", "tf_": "XLA"}
"""How library threads are called by the operating system (the beginning of the name), and whose they are."""


def user_threads() -> list[str]:
    """Return, in words, the living Python threads that a fork would lose and that somebody may miss."""
    others = (t for t in threading.enumerate() if t not in (threading.main_thread(), threading.current_thread()))
    return [f"{thread.name} of {_owner(thread) or 'unknown origin'}" for thread in others if _is_missed(thread)]


def native_owner(*wanted: str) -> str:
    """Return the first of the libraries `wanted` that has threads of its own in this process, or an empty text.

    Known are `polars`, `CUDA`, `tokio` (the runtime inside many libraries written in Rust) and `XLA` (TensorFlow, JAX).
    """
    names = thread_names()
    found = {owner for start, owner in _NATIVE.items() if any(name.startswith(start) for name in names)}
    return next((owner for owner in wanted if owner in found), "")


def _is_missed(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:  # it has just ended, or is a library's and was in Python only for a moment
        return False
    owner = _owner(thread)
    if owner in _WORKERS:
        return frame.f_code.co_name != _WORKERS[owner]
    return not any(f"{owner}.".startswith(f"{harmless}.") for harmless in _HARMLESS)


def _owner(thread: threading.Thread) -> str:
    """Return the module of the thread's class, or, for a plain `Thread`, of what it runs."""
    if type(thread).__module__ != "threading":
        return type(thread).__module__
    job = getattr(thread, "_target", None) or getattr(thread, "function", None)  # the latter is a Timer's
    while isinstance(job, functools.partial):
        job = job.func
    return getattr(job, "__module__", None) or ""
