"""What a fork inherits neither hangs nor misleads."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import resource_tracker
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from IPython.core import async_helpers

from rlm_kernel.branches.inherited import defuse, limit_threads, reseed
from support.branches import branch_of, no_calls
from support.fork_jobs import in_fork

pytestmark = pytest.mark.usefixtures("nothing_left_behind")


@pytest.fixture
def fresh() -> Iterator[Any]:
    """Yield a way to start processes for pools; its helper process is ended afterwards."""
    yield multiprocessing.get_context("spawn")
    gc.collect()  # what still is registered with the helper
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]  # there is no public way


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_an_inherited_executor_refuses_at_once_and_a_new_one_works(kind: Any, fresh: Any) -> None:
    def in_branch() -> list[Any]:
        defuse(threads=None, seed=None)
        refused = []
        for use in (lambda: pool.submit(len, "ab"), lambda: list(pool.map(len, ["ab"]))):
            try:
                use()
            except RuntimeError as error:
                refused.append(str(error))
        pool.shutdown()  # must not wait either
        with suppress(RuntimeError):
            pool.submit(len, "ab")
            refused.append("used after shutdown")
        with ThreadPoolExecutor(1) as new:
            return [*refused, new.submit(len, "ab").result(), list(new.map(len, ["a", "abc"]))]

    with kind(1, mp_context=fresh) if kind is ProcessPoolExecutor else kind(1) as pool:
        assert pool.submit(len, "ab").result() == 2
        first, second, *rest = in_fork(in_branch)
        assert first == second
        assert "belongs to the process that this one was forked from" in first
        assert "make a new one" in first
        assert rest == [2, [1, 3]]
        assert pool.submit(len, "abc").result() == 3


def test_an_executor_that_was_never_used_works_in_the_fork() -> None:
    def in_branch() -> int:
        defuse(threads=None, seed=None)
        return pool.submit(len, "ab").result()

    with ThreadPoolExecutor(1) as pool:
        assert in_fork(in_branch) == 2


def test_a_multiprocessing_pool_refuses_too(fresh: Any) -> None:
    def in_branch() -> str:
        defuse(threads=None, seed=None)
        with pytest.raises(RuntimeError, match="this Pool belongs to the process") as refused:
            pool.map(len, ["a"])
        return str(refused.value)

    pool = fresh.Pool(1)
    try:
        assert pool.map(len, ["ab"]) == [2]
        assert "make a new one" in in_fork(in_branch)
        assert pool.map(len, ["ab"]) == [2]
    finally:
        pool.close()
        pool.join()


def test_a_pool_made_in_the_branch_refuses_in_a_fork_of_the_branch() -> None:
    def in_branch() -> Any:
        defuse(threads=None, seed=None)
        pool = ThreadPoolExecutor(1)
        pool.submit(len, "").result()

        def in_checkpoint() -> str:
            with pytest.raises(RuntimeError, match="make a new one"):
                pool.submit(len, "")
            return "refused"

        return [in_fork(in_checkpoint), pool.submit(len, "a").result()]

    assert in_fork(in_branch) == ["refused", 1]


def test_the_pools_that_libraries_share_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    loky = SimpleNamespace(_executor="the parent's")
    loop = asyncio.new_event_loop()
    monkeypatch.setitem(sys.modules, "joblib.externals.loky.reusable_executor", loky)
    monkeypatch.setattr(async_helpers, "_asyncio_event_loop", loop)

    def in_branch() -> list[Any]:
        defuse(threads=None, seed=None)
        first = [loky._executor, loop.run_until_complete(asyncio.to_thread(len, "ab"))]
        loky._executor = "the branch's"
        return [*first, *in_fork(lambda: [loky._executor, loop.run_until_complete(asyncio.to_thread(len, "abc"))])]

    try:
        assert loop.run_until_complete(asyncio.to_thread(len, "a")) == 1
        assert in_fork(in_branch) == [None, 2, None, 3]
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_each_branch_has_random_numbers_of_its_own() -> None:
    mine = np.random.default_rng(7)

    def draw() -> list[float]:
        return [random.random(), float(np.random.rand())]

    def in_branch(seed: int | None) -> Callable[[], list[float]]:
        def work() -> list[float]:
            defuse(threads=None, seed=seed)
            return [*draw(), float(mine.random())]

        return work

    one, again, other = (in_fork(in_branch(seed)) for seed in (1, 1, 2))
    assert one == again
    assert one[:2] != other[:2]
    free, freer = (in_fork(in_branch(None)) for _ in range(2))
    assert not set(free[:2]) & set(freer[:2])
    assert one[2] == other[2] == free[2], "a generator that the user seeded stays as it is"


def test_torch_is_seeded_where_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    monkeypatch.setitem(sys.modules, "torch.random", SimpleNamespace(manual_seed=seeds.append))
    state = random.getstate()
    reseed(2**40 + 5)
    assert seeds == [5]
    random.setstate(state)


def test_libraries_loaded_now_and_later_are_told_how_many_threads_to_use() -> None:
    def in_branch() -> Any:
        counts: dict[str, int] = {}
        for module, setter in (("torch", "set_num_threads"), ("pyarrow", "set_cpu_count")):
            fake = SimpleNamespace(**{setter: lambda count, module=module: counts.update({module: count})})
            sys.modules[module] = fake  # type: ignore[assignment]  # stands in for a library that is not installed
        sys.modules["threadpoolctl"] = SimpleNamespace(  # type: ignore[assignment]  # likewise
            threadpool_limits=lambda count: counts.update(threadpoolctl=count)
        )
        limit_threads(3)
        return [counts, os.environ["OMP_NUM_THREADS"], os.environ["POLARS_MAX_THREADS"]]

    assert in_fork(in_branch) == [{"torch": 3, "pyarrow": 3, "threadpoolctl": 3}, "3", "3"]


def test_thread_counts_stay_as_they_are_unless_asked() -> None:
    def in_branch() -> bool:
        before = dict(os.environ)
        defuse(threads=None, seed=1)
        return dict(os.environ) == before

    assert in_fork(in_branch)


def test_in_a_branch_and_after_a_roll_back_old_pools_refuse_and_new_ones_work() -> None:
    async def use(mine: ThreadPoolExecutor) -> None:
        async with branch_of("fork", {"mine": mine}) as branch:
            refused = await branch.run("mine.submit(len, 'a')", timeout=20, serve=no_calls)
            assert refused.error is not None
            assert "make a new one" in refused.error["message"]
            used = "await asyncio.to_thread(len, 'ab'), pool.submit(len, 'abc').result()"
            made = "import asyncio\nfrom concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\n"
            first = await branch.run(made + used, timeout=20, serve=no_calls)
            second = await branch.run(used, timeout=20, serve=no_calls)
            assert first.value_text == second.value_text == "(2, 3)"
            assert (await branch.run("while True: pass", timeout=0.2, serve=no_calls)).outcome == "timeout"
            stale = await branch.run("pool.submit(len, 'a')", timeout=20, serve=no_calls)
            assert stale.error is not None
            assert "make a new one" in stale.error["message"]
            assert (await branch.run(made + used, timeout=20, serve=no_calls)).value_text == "(2, 3)"

    with ThreadPoolExecutor(1) as mine:
        mine.submit(len, "").result()
        asyncio.run(use(mine))
