"""Whose turn it is: priorities, age, deadlines, runs, calls that have to be alone; and that nobody is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.errors import ModelBusy
from rlm_kernel.models.scheduler import Scheduler, scheduler_for
from support.clocks import run_at_once
from support.fork_jobs import in_fork

SERVER = "http://server/v1"


async def call(scheduler: Scheduler, log: list[str], name: str, seconds: float = 10.0, **how: Any) -> None:
    async with scheduler.slot(**how):
        log.append(name)
        await asyncio.sleep(seconds)


async def in_line(scheduler: Scheduler, calls: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return in which order calls are let in that come one after another while the only slot is taken."""
    log: list[str] = []
    async with asyncio.TaskGroup() as group, scheduler.slot():
        for name, how in calls:
            await asyncio.sleep(how.pop("after", 0))
            group.create_task(call(scheduler, log, name, **how))
        await asyncio.sleep(0)
    return log


def order(*calls: tuple[str, dict[str, Any]]) -> str:
    return "".join(run_at_once(in_line(scheduler_for(SERVER, 1), list(calls))))


def test_engines_63_priority_comes_first_and_aging_makes_up_for_it() -> None:
    """A step of priority is worth 30 s of waiting."""
    five, four, two = {"priority": 5}, {"priority": 4}, {"priority": 2}
    assert order(("a", five), ("b", {}), ("c", two), ("d", {"priority": 1})) == "dcba"
    assert order(("a", five), ("b", four | {"after": 29})) == "ba"
    assert order(("a", five), ("b", four | {"after": 31})) == "ab"
    assert order(("a", five), ("b", two | {"after": 61})) == "ba"
    assert order(("a", five), ("b", two | {"after": 91})) == "ab"


def test_engines_64_the_earlier_deadline_comes_first_among_equals() -> None:
    late, soon = {"deadline": 900.0}, {"deadline": 500.0}
    assert order(("a", {}), ("b", late), ("c", soon), ("d", {}), ("e", soon | {"priority": 4})) == "cbade"


def test_engines_63_a_call_that_has_to_be_alone_is_alone_and_comes_first() -> None:
    log: list[str] = []

    async def alone(scheduler: Scheduler, line: Any) -> None:
        async with scheduler.slot(priority=5, exclusive=True):
            log.append("alone")
            for _ in range(5):
                assert line.active == 1
                await asyncio.sleep(1)

    async def main() -> None:
        mine, other = scheduler_for(SERVER, 4), scheduler_for(SERVER, 4)
        async with asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(call(mine, log, f"before {n}", 10 + n))
            await asyncio.sleep(1)
            group.create_task(alone(mine, mine.line))
            await asyncio.sleep(1)
            group.create_task(call(other, log, "after", priority=1))
        assert mine.line.empty

    run_at_once(main())
    assert log == ["before 0", "before 1", "before 2", "before 3", "alone", "after"]


def test_a_call_that_wants_to_be_alone_and_gives_up_holds_nobody_up() -> None:
    async def main() -> None:
        scheduler = scheduler_for(SERVER, 4)
        log: list[str] = []
        async with scheduler.slot():
            alone = asyncio.create_task(call(scheduler, log, "alone", exclusive=True))
            await asyncio.sleep(1)
            other = asyncio.create_task(call(scheduler, log, "other"))
            await asyncio.sleep(1)
            assert log == []
            alone.cancel()
            await other
        assert log == ["other"]

    run_at_once(main())


def test_engines_64_a_waiting_call_leaves_at_its_deadline_or_when_cancelled() -> None:
    async def main() -> None:
        scheduler = scheduler_for(SERVER, 1)
        log: list[str] = []
        async with scheduler.slot():
            late = asyncio.create_task(call(scheduler, log, "late", deadline=2.0))
            cancelled = asyncio.create_task(call(scheduler, log, "cancelled"))
            patient = asyncio.create_task(call(scheduler, log, "patient"))
            await asyncio.sleep(1)
            cancelled.cancel()
            with pytest.raises(ModelBusy, match="before http://server/v1 had room"):
                await late
            assert asyncio.get_running_loop().time() == 2.0
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await patient
        assert log == ["patient"]
        assert scheduler.line.empty
        with pytest.raises(ModelBusy):
            await call(scheduler, log, "too late", deadline=1.0)

    run_at_once(main())


def test_runs_take_turns_and_each_keeps_its_limit() -> None:
    log: list[str] = []
    most = {"a": 0, "b": 0}
    active = {"a": 0, "b": 0}

    async def one(scheduler: Scheduler, name: str) -> None:
        async with scheduler.slot():
            log.append(name)
            active[name] += 1
            most[name] = max(most[name], active[name])
            await asyncio.sleep(1)
            active[name] -= 1

    async def main() -> None:
        a, b = scheduler_for(SERVER, 2, slots=3), scheduler_for(SERVER, 16)
        async with asyncio.TaskGroup() as group:
            for _ in range(30):
                group.create_task(one(a, "a"))
            await asyncio.sleep(0.5)
            for _ in range(6):
                group.create_task(one(b, "b"))
        assert a.line is b.line
        assert a.line.empty

    run_at_once(main())
    assert most["a"] == 2
    assert log[:13].count("b") == 6


def test_engines_63_what_the_server_works_on_at_once_holds_for_all_runs() -> None:
    async def main() -> int:
        most = 0
        schedulers = [scheduler_for(SERVER, 16, slots=4) for _ in range(4)]

        async def one(scheduler: Scheduler) -> None:
            nonlocal most
            async with scheduler.slot():
                most = max(most, scheduler.line.active)
                await asyncio.sleep(1)

        await asyncio.gather(*(one(s) for s in schedulers for _ in range(16)))
        return most

    assert run_at_once(main()) == 4


def test_another_endpoint_has_another_line() -> None:
    assert scheduler_for(SERVER, 1).line is not scheduler_for("http://other/v1", 1).line


@dataclass(frozen=True)
class Visit:
    """A call in the machine's time: when it comes, what it asks for, when it is given up."""

    arrives: int
    takes: int
    run: int
    priority: int
    within: int | None
    gives_up: int | None
    exclusive: bool


ticks = st.integers(0, 4)  # few, so that much happens at the same moment
visits = st.lists(
    st.builds(
        Visit,
        arrives=ticks,
        takes=ticks,
        run=st.integers(0, 2),
        priority=st.integers(1, 5),
        within=st.none() | ticks,
        gives_up=st.none() | ticks,
        exclusive=st.integers(0, 9).map(lambda n: n == 0),
    ),
    min_size=6,
    max_size=24,
)


@settings(max_examples=200, deadline=None)
@given(visits, st.none() | st.integers(1, 4))
def test_any_interleaving_of_calls_cancellations_and_deadlines_leaves_the_scheduler_empty(
    plan: list[Visit], slots: int | None
) -> None:
    limits = (1, 2, 5)
    active: list[Visit] = []

    def within_bounds() -> None:
        assert len(active) <= (slots or 99)
        assert all(sum(v.run == run and not v.exclusive for v in active) <= n for run, n in enumerate(limits))
        assert len(active) == 1 or not any(v.exclusive for v in active)

    async def stay(visit: Visit, schedulers: list[Scheduler]) -> None:
        await asyncio.sleep(visit.arrives)
        deadline = None if visit.within is None else visit.arrives + float(visit.within)
        with suppress(ModelBusy):
            async with schedulers[visit.run].slot(
                priority=visit.priority, deadline=deadline, exclusive=visit.exclusive
            ):
                active.append(visit)
                try:
                    within_bounds()
                    await asyncio.sleep(visit.takes)
                finally:
                    active.remove(visit)

    async def give_up(task: asyncio.Task[None], visit: Visit) -> None:
        if visit.gives_up is not None:
            await asyncio.sleep(visit.arrives + visit.gives_up)
            task.cancel()

    async def main() -> None:
        schedulers = [scheduler_for(SERVER, limit, slots=slots) for limit in limits]
        tasks = [asyncio.create_task(stay(visit, schedulers)) for visit in plan]
        watchers: list[Awaitable[object]] = [give_up(t, v) for t, v in zip(tasks, plan, strict=True)]
        done = await asyncio.gather(*tasks, *watchers, return_exceptions=True)
        assert {type(d) for d in done} <= {type(None), asyncio.CancelledError}
        assert schedulers[0].line.empty
        assert not active

    run_at_once(main())


def test_a_fork_knows_nothing_of_the_calls_of_its_parent() -> None:
    async def main() -> None:
        scheduler = scheduler_for(SERVER, 1)
        async with scheduler.slot():
            assert in_fork(lambda: scheduler_for(SERVER, 1).line is not scheduler.line)

    run_at_once(main())
