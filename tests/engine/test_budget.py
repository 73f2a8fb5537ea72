"""The budget: what is counted, what is let in, what is left, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rlm_kernel.engine.budget import Budget
from rlm_kernel.errors import LimitReached
from rlm_kernel.settings import resolve
from rlm_kernel.trajectory.records import Usage


class Clock:
    """Time that passes when the test says so, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def budget(clock: Clock | None = None, **options: object) -> Budget:
    return Budget(resolve(options, {}), clock=clock or Clock())


def spend(tokens: int, cost: float | None = None) -> Usage:
    return Usage(calls=1, prompt_tokens=tokens, cost=cost)


def test_nothing_is_limited_by_default_but_the_sub_calls() -> None:
    one = budget()
    one.charge(spend(10**9, 10.0**6))
    assert one.spent() is None
    assert one.seconds_left() is None
    assert one.soft(one) is None
    assert one.remaining()["subcalls"] == 1000
    assert set(one.remaining()) == {"subcalls", "used"}


@pytest.mark.parametrize(
    ("options", "usage", "seconds", "name"),
    [
        ({"max_tokens": 1000}, spend(1000), 0, "max_tokens"),
        ({"max_budget": 0.5}, spend(1, 0.5), 0, "max_budget"),
        ({"max_time": 5}, Usage(), 5, "max_time"),
    ],
)
def test_peers_34_each_limit_alone_is_reached_and_named(
    options: dict[str, object], usage: Usage, seconds: float, name: str
) -> None:
    """Also engines 10, 11, 12."""
    clock = Clock()
    one = budget(clock, **options)
    assert one.spent() is None
    one.charge(usage)
    clock.now += seconds
    limit = one.spent()
    assert limit is not None
    assert limit.name == name
    assert name in limit.sentence
    assert limit.used is not None
    assert limit.used >= limit.limit


def test_engines_12_a_server_without_prices_reaches_the_limit_on_money() -> None:
    one = budget(max_budget=1)
    assert one.spent() is None
    one.charge(spend(10))
    limit = one.spent()
    assert limit is not None
    assert limit.used is None
    assert "no price" in limit.sentence


def test_engines_13_most_of_a_limit_is_told_once_to_each_who_asks() -> None:
    one = budget(max_tokens=1000, soft_limit=0.8)
    first, second = Clock(), Clock()
    one.charge(spend(799))
    assert one.soft(first) is None
    one.charge(spend(1))
    assert [one.soft(first), one.soft(first), one.soft(second)] == ["tokens", None, "tokens"]
    assert budget(soft_limit=0, max_tokens=1).soft(first) is None


@pytest.mark.parametrize(("options", "what"), [({"max_budget": 1}, "money"), ({"max_time": 10}, "time")])
def test_engines_13_money_and_time_have_a_soft_limit_too(options: dict[str, object], what: str) -> None:
    clock = Clock()
    one = budget(clock, **options)
    one.charge(spend(1, 0.9))
    clock.now += 9
    assert one.soft(clock) == what


def test_peers_36_what_is_left() -> None:
    clock = Clock()
    one = budget(clock, max_tokens=1000, max_budget=2, max_time=60, max_subcalls=5)
    one.charge(spend(400, 0.5))
    assert one.grant()
    clock.now += 15
    left = one.remaining(7)
    used = left.pop("used")
    assert left == {"subcalls": 4, "iterations": 7, "tokens": 600, "usd": 1.5, "seconds": 45.0}
    assert used == {"calls": 1, "subcalls": 1, "tokens": 400, "usd": 0.5, "seconds": 15.0}


def test_sub_calls_are_granted_until_there_are_none_and_some_can_be_spared() -> None:
    one = budget(max_subcalls=3)
    assert [one.grant(spare=1), one.grant(spare=1), one.grant(spare=1), one.grant(), one.grant()] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert one.subcalls == 3
    assert not budget(max_subcalls=0).grant()


class Calls:
    """Calls side by side that end when the test says so."""

    def __init__(self, one: Budget) -> None:
        self._budget = one
        self.started: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    async def call(self, name: str, tokens: int, usage: Usage) -> None:
        self._ends[name] = asyncio.Event()
        async with self._budget.call(tokens):
            self.started.append(name)
            await self._ends[name].wait()
            self._budget.charge(usage)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settle()


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def side_by_side(one: Budget, steps: Callable[[Calls, asyncio.TaskGroup], Awaitable[Any]]) -> None:
    async def run() -> None:
        calls = Calls(one)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            await steps(calls, group)

    asyncio.run(run())


def test_peers_34_tokens_are_reserved_before_parallel_calls() -> None:
    """Also engines 12: together the calls overrun the limit by one call at most."""
    one = budget(max_tokens=1000)
    one.charge(Usage(calls=1, prompt_tokens=1, completion_tokens=100))

    async def steps(calls: Calls, group: asyncio.TaskGroup) -> None:
        for name in "abc":
            group.create_task(calls.call(name, 300, spend(350)))
        await settle()
        assert calls.started == ["a", "b"]
        await calls.end("a")
        assert calls.started == ["a", "b"]  # 451 used and 400 held leave no room for 400 more
        await calls.end("b")
        assert calls.started == ["a", "b", "c"]
        await calls.end("c")

    side_by_side(one, steps)
    assert one.usage.prompt_tokens == 1 + 3 * 350


def test_engines_12_calls_go_one_by_one_until_a_price_is_known() -> None:
    one = budget(max_budget=1.0)

    async def steps(calls: Calls, group: asyncio.TaskGroup) -> None:
        for name in "abcd":
            group.create_task(calls.call(name, 10, spend(10, 0.3)))
        await settle()
        assert calls.started == ["a"]
        await calls.end("a")
        assert calls.started == ["a", "b", "c"]  # 0.3 spent, two more at 0.3 each fit, three do not
        await calls.end("b")
        await calls.end("c")
        assert calls.started == ["a", "b", "c", "d"]
        await calls.end("d")

    side_by_side(one, steps)


def test_who_waits_for_room_that_never_comes_is_told_so() -> None:
    one = budget(max_tokens=500)

    async def steps(calls: Calls, group: asyncio.TaskGroup) -> None:
        group.create_task(calls.call("a", 400, spend(600)))
        await settle()

        async def refused() -> None:
            with pytest.raises(LimitReached, match="max_tokens=500"):
                await calls.call("b", 400, spend(1))

        group.create_task(refused())
        await settle()
        await calls.end("a")

    side_by_side(one, steps)


def test_a_cancelled_call_gives_its_room_back() -> None:
    one = budget(max_tokens=1000)

    async def steps(calls: Calls, group: asyncio.TaskGroup) -> None:
        first = group.create_task(calls.call("a", 800, spend(1)))
        await settle()
        group.create_task(calls.call("b", 800, spend(1)))
        await settle()
        assert calls.started == ["a"]
        first.cancel()
        await settle()
        assert calls.started == ["a", "b"]
        await calls.end("b")

    side_by_side(one, steps)
