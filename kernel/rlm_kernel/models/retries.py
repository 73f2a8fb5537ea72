"""A model call that is made again while that may help and there is time.

Again: after 408, 409, 429 and 5xx, connections that fail, and replies that break off before their first word. After a
growing pause with some chance in it, or the one that the server asks for. Never: after refusals of the request itself,
which would be repeated, or when the pause would end after the deadline. A call that only found the server's memory
taken by other calls is made once more, alone.

A call keeps its slot while it pauses: an overloaded server gets fewer calls, not the next ones in line.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..errors import ModelError, ModelUnreachable
from .breaker import breaker_for
from .scheduler import Scheduler

__all__ = ["persist"]

T = TypeVar("T")

OnWait = Callable[[float, ModelError], object]

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
_LONGEST_REQUEST = 300.0
"""Seconds; the last is for how long a server may ask to be left alone where there is no deadline."""


async def persist(
    attempt: Callable[[], Awaitable[T]],
    *,
    scheduler: Scheduler,
    retries: int,
    priority: int = 3,
    deadline: float | None = None,
    timeout: float | None = None,
    on_wait: OnWait | None = None,
) -> T:
    """Make a call when it is its turn, again if need be, and return its outcome.

    Args:
        attempt: makes the call once.
        scheduler: of the call's endpoint and run.
        retries: how often the call is made again.
        priority: 1 (first) to 5 (last).
        deadline: on the event loop's clock, in seconds; neither waiting nor pauses go beyond it.
        timeout: seconds from the call's turn on, beyond which pauses do not go either; `attempt` keeps them itself.
        on_wait: told of each pause, in seconds, and why; it may raise to give up.

    Raises:
        ModelError: the last one.

    """
    try:
        async with scheduler.slot(priority=priority, deadline=deadline):
            until = _earliest(deadline, timeout)
            return await _again_and_again(attempt, scheduler.key, retries, until, on_wait)
    except ModelError as error:
        if not error.crowded:
            raise
    async with scheduler.slot(priority=priority, deadline=deadline, exclusive=True):
        return await _again_and_again(attempt, scheduler.key, retries, _earliest(deadline, timeout), on_wait)


async def _again_and_again(
    attempt: Callable[[], Awaitable[T]],
    endpoint_key: str,
    retries: int,
    deadline: float | None,
    on_wait: OnWait | None,
) -> T:
    breaker = breaker_for(endpoint_key)
    tried = 0
    while True:
        try:
            async with breaker.watching(deadline):
                return await attempt()
        except ModelError as error:
            pause = _pause_after(error, tried)
            left = _LONGEST_REQUEST if deadline is None else deadline - asyncio.get_running_loop().time()
            if not error.transient or tried == retries or pause >= left:
                raise
            if on_wait is not None:
                on_wait(pause, error)
        await asyncio.sleep(pause)
        tried += 1


def _earliest(deadline: float | None, timeout: float | None) -> float | None:
    ends = [deadline, None if timeout is None else asyncio.get_running_loop().time() + timeout]
    return min((end for end in ends if end is not None), default=None)


def _pause_after(error: ModelError, tried: int) -> float:
    """Return the seconds to wait; the breaker keeps those between connections."""
    if isinstance(error, ModelUnreachable) and not error.answered:
        return 0.0
    if error.retry_after is not None:
        return error.retry_after * random.uniform(1.0, 1.1)
    return float(min(_FIRST_PAUSE * 2**tried, _LONGEST_PAUSE) * random.uniform(0.75, 1.0))
