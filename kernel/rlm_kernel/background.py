"""The solver thread: one asyncio loop per process, on which every run of this kernel lives.

The main thread waits for its run in short steps, so that an interrupt is noticed at once; the loop itself is never
interrupted. The thread is started by the first run and ends with the process.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

__all__ = ["Job", "at_close", "close", "interrupts_held"]

T = TypeVar("T")

_STEP = 0.05
_CLOSE_LIMIT = 5.0

_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_at_close: list[Callable[[], object]] = []


class Job(Generic[T]):
    """A coroutine at work on the solver thread; it is over only when its last `finally` is.

    Attributes:
        outcome: its result or exception, once it is over.

    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.outcome: Future[T] = Future()
        self._loop = _running_loop()
        self._task: asyncio.Task[T] | None = None
        self._loop.call_soon_threadsafe(self._start, coroutine)

    def stop(self) -> None:
        """Cancel it; safe from any thread, harmless when it is over."""
        with suppress(RuntimeError):  # the loop is closed: nothing is left to cancel
            self._loop.call_soon_threadsafe(self._cancel)

    def wait(self, on_step: Callable[[], object]) -> T:
        """Wait in steps of 50 ms, calling `on_step` after each; return the result or raise the exception.

        The first KeyboardInterrupt stops the job and the waiting goes on; a second one is raised.

        Raises:
            concurrent.futures.CancelledError: it was stopped.

        """
        interrupted = False
        while True:
            try:
                if self._outcome_within(_STEP):
                    return self.outcome.result()
                on_step()
            except KeyboardInterrupt:
                self.stop()
                if interrupted:
                    raise
                interrupted = True

    def _outcome_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            self.outcome.exception(seconds)
        return self.outcome.done()

    def _start(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._task = self._loop.create_task(coroutine)
        self._task.add_done_callback(self._done)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _done(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.outcome.set_exception(CancelledError())
        elif (error := task.exception()) is not None:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(task.result())


@contextmanager
def interrupts_held() -> Iterator[list[int]]:
    """Note interrupts instead of raising them, for a few lines that must not be left half done.

    The value is the list of signals that came; after the block interrupts are raised again as before. Off the main
    thread there is nothing to do: no interrupt is raised there.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def close() -> None:
    """Cancel what still runs, stop the loop and join the thread. A later run starts them anew."""
    global _loop, _thread
    loop, thread = _loop, _thread
    _loop = _thread = None
    if loop is not None and thread is not None and thread.is_alive():
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_CLOSE_LIMIT)


def at_close(callback: Callable[[], object]) -> None:
    """Have `callback` called on the solver thread when it ends, after all jobs."""
    _at_close.append(callback)


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop, _thread
    if _loop is None:
        _loop = asyncio.new_event_loop()
        _thread = threading.Thread(target=_serve, args=[_loop], name="rlm-solver", daemon=True)
        _thread.start()
    return _loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        unfinished = asyncio.all_tasks(loop)
        for task in unfinished:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*unfinished, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        for callback in _at_close:
            callback()
    finally:
        loop.close()


def _forget() -> None:
    """Drop the parent's thread in a forked child: it does not exist there."""
    global _loop, _thread
    _loop = _thread = None


atexit.register(close)
os.register_at_fork(after_in_child=_forget)
