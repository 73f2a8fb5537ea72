"""When a call is made again, after which pause, alone or not; and what a server that is down costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any, TypeVar

import pytest

from rlm_kernel.errors import LimitReached, ModelAuthError, ModelBusy, ModelError, ModelRejected, ModelUnreachable
from rlm_kernel.models.failures import pause_asked
from rlm_kernel.models.retries import persist
from rlm_kernel.models.scheduler import Scheduler, scheduler_for
from support.clocks import run_at_once

E = TypeVar("E", bound=ModelError)

DOWN = "No server answers at http://down/v1."


def busy(**more: Any) -> ModelBusy:
    return told(ModelBusy("busy"), **{"transient": True, **more})


def down() -> ModelUnreachable:
    return told(ModelUnreachable(DOWN, "is it running?"), transient=True, answered=False)


def told(error: E, **more: Any) -> E:
    for name, value in more.items():
        setattr(error, name, value)
    return error


class Server:
    """Fails as scripted, then replies; notes when it was asked."""

    def __init__(self, *failures: ModelError, seconds: float = 1.0) -> None:
        self._failures = list(failures)
        self._seconds = seconds
        self.asked: list[float] = []

    async def __call__(self) -> str:
        self.asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._seconds)
        if self._failures:
            raise self._failures.pop(0)
        return "fine"


def play(server: Callable[[], Any], key: str, **how: Any) -> Any:
    """Make one call to an endpoint that no other test uses: what is known of it outlives a run."""

    async def main() -> Any:
        scheduler = scheduler_for(key, 4)
        try:
            return await persist(server, scheduler=scheduler, **{"retries": 4, **how})
        finally:
            assert scheduler.line.empty

    return run_at_once(main())


def test_peers_42_a_busy_server_is_asked_again_after_growing_pauses() -> None:
    server = Server(*(busy() for _ in range(4)))
    pauses: list[float] = []
    assert play(server, "busy", on_wait=lambda seconds, error: pauses.append(seconds)) == "fine"
    assert [b - a - 1 for a, b in zip(server.asked, server.asked[1:], strict=False)] == pytest.approx(pauses)
    for n, pause in enumerate(pauses):
        assert 0.75 * 0.5 * 2**n <= pause <= 0.5 * 2**n


def test_the_last_error_is_raised_when_the_retries_are_used_up() -> None:
    server = Server(*(told(ModelBusy(f"busy {n}"), transient=True) for n in range(9)))
    with pytest.raises(ModelBusy, match="busy 2"):
        play(server, "busier", retries=2)
    assert len(server.asked) == 3


def test_peers_42_a_server_is_left_alone_for_as_long_as_it_asks() -> None:
    server = Server(busy(retry_after=20.0), busy(retry_after=30.0))
    assert play(server, "polite") == "fine"
    assert 21 <= server.asked[1] <= 23.1
    assert 31 <= server.asked[2] - server.asked[1] <= 34.1


def test_there_is_no_pause_beyond_the_deadline() -> None:
    server = Server(busy(retry_after=20.0))
    with pytest.raises(ModelBusy):
        play(server, "hurry", deadline=15.0)
    assert server.asked == [0.0]
    server = Server(busy(retry_after=20.0))
    with pytest.raises(ModelBusy):
        play(server, "impatient", timeout=20.5)
    server = Server(busy(retry_after=3600.0))
    with pytest.raises(ModelBusy):
        play(server, "an hour")


@pytest.mark.parametrize("refusal", [ModelRejected("no"), ModelAuthError("no"), ModelError("no")])
def test_peers_42_a_refusal_is_not_repeated(refusal: ModelError) -> None:
    server = Server(refusal)
    with pytest.raises(ModelError, match="no"):
        play(server, f"refuses with {type(refusal).__name__}")
    assert len(server.asked) == 1


def test_who_is_told_of_a_pause_may_give_up() -> None:
    def no_money(seconds: float, error: ModelError) -> None:
        raise LimitReached("the money is spent")

    server = Server(busy())
    with pytest.raises(LimitReached):
        play(server, "no money", on_wait=no_money)
    assert len(server.asked) == 1


def test_engines_63_a_call_that_found_no_room_beside_others_is_made_once_more_alone() -> None:
    there = 0

    async def memory_for_one(name: str) -> str:
        nonlocal there
        there += 1
        try:
            await asyncio.sleep(1)
            if there > 1 and name == "big":
                raise told(busy(), transient=False, crowded=True)
            await asyncio.sleep(5)
            return name
        finally:
            there -= 1

    async def main() -> list[str]:
        scheduler = scheduler_for("memory for one", 4)
        calls = [persist(partial(memory_for_one, n), scheduler=scheduler, retries=0) for n in ("a", "big", "b")]
        await persist(lambda: memory_for_one("first"), scheduler=scheduler, retries=0)
        return await asyncio.gather(*calls)

    assert run_at_once(main()) == ["a", "big", "b"]


def test_a_call_that_finds_no_room_even_alone_fails() -> None:
    server = Server(*(told(busy(), transient=False, crowded=True) for _ in range(9)))
    with pytest.raises(ModelBusy):
        play(server, "too small")
    assert len(server.asked) == 2


async def many(scheduler: Scheduler, server: Server, count: int = 256) -> list[Any]:
    calls = [persist(server, scheduler=scheduler, retries=4) for _ in range(count)]
    return await asyncio.gather(*calls, return_exceptions=True)


def test_a_server_that_is_down_costs_three_connections_and_one_message() -> None:
    async def main() -> None:
        server = Server(*(down() for _ in range(9)), seconds=0)
        scheduler = scheduler_for("down", 64)
        errors = await many(scheduler, server)
        assert {str(error) for error in errors} == {str(down())}
        assert len(server.asked) == 3
        assert asyncio.get_running_loop().time() < 2
        assert await many(scheduler, server) != []
        assert len(server.asked) == 3
        await asyncio.sleep(2)
        await many(scheduler, server)
        assert len(server.asked) == 4

    run_at_once(main())


def test_a_server_that_comes_back_is_asked_by_all_again() -> None:
    async def main() -> None:
        server = Server(down(), down(), seconds=0)
        assert await many(scheduler_for("starting", 64), server) == ["fine"] * 256
        assert len(server.asked) == 258

    run_at_once(main())


def test_calls_that_fail_together_do_not_take_a_server_down() -> None:
    async def main() -> None:
        server = Server()
        scheduler = scheduler_for("hiccup", 64)
        assert await many(scheduler, server, 1) == ["fine"]
        hiccup = Server(*(down() for _ in range(64)))
        assert await many(scheduler, hiccup) == ["fine"] * 256
        assert len(hiccup.asked) == 256 + 64

    run_at_once(main())


def test_a_slow_first_call_does_not_hold_up_the_others_for_long() -> None:
    async def main() -> None:
        server = Server(seconds=60)
        await many(scheduler_for("slow", 8), server, 8)
        assert server.asked == [0.0] + [1.0] * 7

    run_at_once(main())


def test_a_call_that_goes_ahead_and_is_cancelled_makes_way() -> None:
    async def main() -> None:
        server = Server(down(), seconds=0)
        scheduler = scheduler_for("cancelled", 8)
        first = asyncio.create_task(persist(Server(seconds=9), scheduler=scheduler, retries=0))
        second = asyncio.create_task(persist(server, scheduler=scheduler, retries=4))
        await asyncio.sleep(0.5)
        first.cancel()
        assert await second == "fine"

    run_at_once(main())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
    ],
)
def test_the_pause_that_is_asked_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert pause_asked(headers) == seconds


def test_the_pause_that_is_asked_for_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 55 < (pause_asked({"retry-after": date}) or 0) <= 60
