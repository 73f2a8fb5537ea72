"""What a fork inherits that would hang or mislead: pools without their threads, random streams, thread counts.

A pool of the notebook's is here as an object only; its threads and processes stayed behind, and whoever gave it work
would wait forever. It refuses at once instead, and says so; a new pool works. The check is made at each use and goes
by the threads themselves, so that it also holds in a checkpoint that takes over, for the pools of earlier cells, and
nothing has to be searched for: a walk over all objects would touch, and so copy, every page of the notebook's memory.

Generators that the user made and seeded (`numpy.random.default_rng(1)`) are values like any other and stay as they
are. A sqlite connection must not cross a fork either; its file can only be read here, so it can do no harm.
"""

from __future__ import annotations

import functools
import importlib
import os
import random
import secrets
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

__all__ = ["defuse", "limit_threads", "reseed"]

_THREAD_COUNTS = (
    "BLIS_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
"""Variables that libraries read when they are loaded, here or in a process that a cell starts."""

_LOKY = ("joblib.externals.loky.reusable_executor", "loky.reusable_executor")


def defuse(*, threads: int | None, seed: int | None) -> None:
    """Make what this process inherited safe to use; once, after the fork, on the main thread.

    Args:
        threads: how many threads numeric libraries may use, `None` for as many as they like.
        seed: of this branch's random numbers, another one for each branch; `None` for unpredictable ones.

    """
    _disown_pools()
    os.register_at_fork(after_in_child=_disown_pools)
    reseed(seed)
    if threads is not None:
        limit_threads(threads)


def reseed(seed: int | None) -> None:
    """Start the global random streams of the standard library, numpy and torch anew, as far as they are loaded."""
    number = secrets.randbits(32) if seed is None else seed % 2**32
    random.seed(number)
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed(number)
    if torch_random := sys.modules.get("torch.random"):
        torch_random.manual_seed(number)


def limit_threads(count: int) -> None:
    """Let numeric libraries use at most `count` threads each: those that are loaded, and those that will be."""
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, str(count)))
    with suppress(ImportError):
        importlib.import_module("threadpoolctl").threadpool_limits(count)  # BLAS and OpenMP, until something resets it
    for module, setter in (("numexpr", "set_num_threads"), ("pyarrow", "set_cpu_count"), ("torch", "set_num_threads")):
        if loaded := sys.modules.get(module):
            getattr(loaded, setter)(count)


def _disown_pools() -> None:
    """Have the pools of the parent process refuse work, and those that libraries share be made anew on next use."""
    for module, pool_class, method, is_orphan in _POOLS:
        if loaded := sys.modules.get(module):  # a module that comes later can have no pool from before
            _guard(getattr(loaded, pool_class), method, is_orphan)
    for module in _LOKY:
        if loaded := sys.modules.get(module):
            vars(loaded)["_executor"] = None
    helpers = sys.modules.get("IPython.core.async_helpers")
    if loop := getattr(helpers, "_asyncio_event_loop", None):
        loop._default_executor = None  # what `asyncio.to_thread` uses


def _guard(pool_class: Any, method: str, is_orphan: Callable[[Any], bool]) -> None:
    original = getattr(pool_class, method)
    if hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def guarded(pool: Any, *args: Any, **kwargs: Any) -> Any:
        if is_orphan(pool):
            raise RuntimeError(
                f"this {type(pool).__name__} belongs to the process that this one was forked from, and its threads "
                "are not here: make a new one"
            )
        return original(pool, *args, **kwargs)

    setattr(pool_class, method, guarded)


def _lost_threads(pool: Any) -> bool:
    return not (pool._shutdown or pool._broken) and _any_gone(list(pool._threads))


def _lost_manager(pool: Any) -> bool:
    return not (pool._shutdown_thread or pool._broken) and _any_gone([pool._executor_manager_thread])


def _lost_handler(pool: Any) -> bool:
    return pool._state == "RUN" and _any_gone([pool._worker_handler])


def _any_gone(threads: list[threading.Thread | None]) -> bool:
    return any(thread is not None and not thread.is_alive() for thread in threads)


_POOLS = (
    ("concurrent.futures.thread", "ThreadPoolExecutor", "submit", _lost_threads),
    ("concurrent.futures.process", "ProcessPoolExecutor", "submit", _lost_manager),
    ("multiprocessing.pool", "Pool", "_check_running", _lost_handler),
)
