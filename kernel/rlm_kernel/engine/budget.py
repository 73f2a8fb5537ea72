"""What a run may still spend, counted over everything in it: root, children, leaves and candidates.

A call is let in by what was spent *and* what the calls in flight are expected to take, so calls that run side by side
overrun a limit by one call at most. What a call will take is a guess (its prompt, and the mean of the replies so far);
what it took is what the server counted. Used on the one event loop of the solver, so no locks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ..errors import LimitReached
from ..trajectory.records import Usage

if TYPE_CHECKING:
    from ..settings import Settings

__all__ = ["Budget", "Limit"]

_FIRST_REPLY = 500
"""Tokens that a reply is expected to have as long as there was none."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that is reached: the setting, its value, what was used (`None` if unknown), and a sentence about it."""

    name: str
    limit: float
    used: float | None
    sentence: str


class Budget:
    """The spending of one run; its time runs from here.

    Attributes:
        usage: all model calls so far, as the server counted them.
        subcalls: sub-calls made so far.

    Args:
        settings: the limits.
        clock: monotonic time, in seconds.

    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.usage = Usage()
        self.subcalls = 0
        self._settings = settings
        self._clock = clock
        self._started = clock()
        self._in_flight = 0
        self._reserved = 0
        self._released = asyncio.Event()
        self._told: WeakSet[Any] = WeakSet()

    # ----- spending ------------------------------------------------------------------------------------------

    def charge(self, usage: Usage) -> None:
        """Count a model call that was made."""
        self.usage += usage

    @asynccontextmanager
    async def call(self, tokens: int) -> AsyncIterator[None]:
        """Hold room for a call whose prompt has about `tokens` tokens; `charge` it inside.

        It waits while the calls in flight may use up what is left. While a limit on money is set and no price is known
        yet, calls go one by one.

        Raises:
            LimitReached: time, tokens or money are used up.

        """
        expected = tokens + self._usual_reply()
        while not self._admits(expected):
            await self._released.wait()
        self._in_flight += 1
        self._reserved += expected
        try:
            yield
        finally:
            self._in_flight -= 1
            self._reserved -= expected
            self._released.set()
            self._released = asyncio.Event()

    def grant(self, *, spare: int = 0) -> bool:
        """Count one more sub-call if `max_subcalls` allows it and `spare` more; false if it must not be made."""
        if self.subcalls + spare >= self._settings.max_subcalls:
            return False
        self.subcalls += 1
        return True

    # ----- what is left --------------------------------------------------------------------------------------

    def seconds_left(self) -> float | None:
        """Return how long the run may still take, in seconds, at least 0; `None` for any time."""
        limit = self._settings.max_time
        return None if limit is None else max(0.0, limit - self._seconds())

    def spent(self) -> Limit | None:
        """Return the limit on time, tokens or money that is reached, if one is.

        A limit on money cannot be kept without prices: the first call whose server tells none reaches it.
        """
        for name, _, limit, used in self._meters():
            if used is None:
                return Limit(name, limit, None, f"{name}={limit:g} USD cannot be kept: the server tells no price")
            if used >= limit:
                return Limit(name, limit, used, f"{name}={_number(limit)} is used up ({_number(used)})")
        return None

    def soft(self, asker: object) -> str | None:
        """Return `time`, `tokens` or `money` if most of it (`soft_limit`) is used, once for each that asks."""
        share = self._settings.soft_limit
        if not share or asker in self._told:
            return None
        for _, what, limit, used in self._meters():
            if used is not None and used >= share * limit:
                self._told.add(asker)
                return what
        return None

    def remaining(self, iterations_left: int | None = None) -> dict[str, Any]:
        """Return what is left of all that is limited, and what was used: calls, tokens, USD, seconds. JSON types."""
        settings, usage = self._settings, self.usage
        tokens = usage.prompt_tokens + usage.completion_tokens
        left: dict[str, Any] = {"subcalls": max(0, settings.max_subcalls - self.subcalls)}
        if iterations_left is not None:
            left["iterations"] = iterations_left
        if settings.max_tokens is not None:
            left["tokens"] = max(0, settings.max_tokens - tokens)
        if settings.max_budget is not None:
            left["usd"] = None if usage.calls and usage.cost is None else settings.max_budget - (usage.cost or 0.0)
        if (seconds := self.seconds_left()) is not None:
            left["seconds"] = round(seconds, 1)
        used = {"calls": usage.calls, "subcalls": self.subcalls, "tokens": tokens, "usd": usage.cost}
        return {**left, "used": {**used, "seconds": round(self._seconds(), 1)}}

    # ----- sums ----------------------------------------------------------------------------------------------

    def _meters(self) -> Iterator[tuple[str, str, float, float | None]]:
        """Yield (setting, what, limit, used or `None` if unknown) of each limit that is set."""
        settings, usage = self._settings, self.usage
        if settings.max_time is not None:
            yield "max_time", "time", settings.max_time, self._seconds()
        if settings.max_tokens is not None:
            yield "max_tokens", "tokens", settings.max_tokens, usage.prompt_tokens + usage.completion_tokens
        if settings.max_budget is not None:
            yield "max_budget", "money", settings.max_budget, usage.cost if usage.calls else 0.0

    def _admits(self, tokens: int) -> bool:
        """Tell whether a call may start now; a call alone may, however little is left."""
        if (limit := self.spent()) is not None:
            raise LimitReached(limit.sentence)
        if not self._in_flight:
            return True
        usage = self.usage
        expected = {
            "max_time": 0.0,
            "max_tokens": float(self._reserved + tokens),
            "max_budget": (usage.cost or 0.0) / usage.calls * (self._in_flight + 1) if usage.calls else float("inf"),
        }
        return all((used or 0.0) + expected[name] <= limit for name, _, limit, used in self._meters())

    def _usual_reply(self) -> int:
        return self.usage.completion_tokens // self.usage.calls if self.usage.calls else _FIRST_REPLY

    def _seconds(self) -> float:
        return self._clock() - self._started


def _number(amount: float) -> str:
    return f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.4g}"
