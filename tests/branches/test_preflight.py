"""Which kind of branch is chosen, and what is said about it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlm_kernel.branches import preflight
from rlm_kernel.branches.linux import name_process
from rlm_kernel.branches.meminfo import available, limited_groups
from rlm_kernel.branches.preflight import Choice, check
from rlm_kernel.branches.threads import user_threads
from rlm_kernel.errors import BranchError, ForkUnavailable
from support.kernels import start_kernel


@contextmanager
def thread_running(prepare: Callable[[], object] = lambda: None, **how: Any) -> Iterator[threading.Thread]:
    ready, done = threading.Event(), threading.Event()

    def work() -> None:
        prepare()
        ready.set()
        done.wait()

    thread = threading.Thread(target=work, **how)
    thread.start()
    ready.wait()
    try:
        yield thread
    finally:
        done.set()
        thread.join()


def test_a_quiet_process_is_forked() -> None:
    assert check("auto") == Choice("fork", "nothing stands in its way")
    assert check("fork") == Choice("fork", "as asked")
    assert check("spawn") == Choice("spawn", "as asked")


def test_a_thread_of_the_users_is_a_risk_that_only_the_user_takes() -> None:
    with thread_running(name="poller"), thread_running():
        chosen = check("auto")
        assert chosen.kind == "spawn"
        assert chosen.reason == f"the thread poller of {__name__} and 1 more would be lost in a fork"
        forced = check("fork")
        assert forced.kind == "fork"
        assert forced.reason == f"as asked, although {chosen.reason}"
    assert check("auto").kind == "fork"


def test_a_timer_and_a_thread_class_belong_to_whoever_wrote_them() -> None:
    class Poller(threading.Thread):
        pass

    timer = threading.Timer(600, print, ["never"])
    timer.start()
    try:
        assert "of builtins would be lost" in check("auto").reason
    finally:
        timer.cancel()
        timer.join()
    Poller.__module__ = "ipykernel.something"
    done = threading.Event()
    own = Poller(target=done.wait)
    own.start()
    assert check("auto").kind == "fork"
    Poller.__module__ = "ipykernels"
    assert check("auto").kind == "spawn"
    done.set()
    own.join()


def test_an_idle_worker_of_a_pool_is_no_loss_and_a_busy_one_is() -> None:
    started, done = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        done.wait()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(len, "").result()
        while user_threads():  # its result is there a moment before it is idle again
            pass
        assert check("auto").kind == "fork"
        pool.submit(work)
        started.wait()
        assert check("auto").kind == "spawn"
        done.set()


@pytest.mark.parametrize(("thread", "owner"), [("polars-3", "polars has"), ("cuda-EvtHandlr", "CUDA is")])
def test_what_would_hang_or_fail_rules_a_fork_out(thread: str, owner: str) -> None:
    with thread_running(lambda: name_process(thread)):
        assert check("auto").kind == "spawn"
        assert check("auto").reason.startswith(owner)
        with pytest.raises(ForkUnavailable, match=owner) as refused:
            check("fork")
        assert refused.value.hint == "use branch=spawn"
        assert check("spawn").kind == "spawn"


def test_a_runtime_of_a_library_is_a_risk() -> None:
    with thread_running(lambda: name_process("tokio-rt-worker")):
        assert check("auto") == Choice("spawn", "tokio has started its threads, which a fork would lose")
        assert check("fork").reason.startswith("as asked, although tokio has")


def test_torch_says_itself_whether_it_uses_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.cuda", SimpleNamespace(is_initialized=lambda: False))
    assert check("auto").kind == "fork"
    monkeypatch.setitem(sys.modules, "torch.cuda", SimpleNamespace(is_initialized=lambda: True))
    assert check("auto").reason == "CUDA is in use, which a fork could not go on using"


def test_another_thread_gets_a_spawned_branch() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(check, "auto").result() == Choice("spawn", "it is not the main thread that asks")
        assert pool.submit(check, "spawn").result().kind == "spawn"
        with pytest.raises(ForkUnavailable, match="not the main thread"):
            pool.submit(check, "fork").result()


@pytest.mark.parametrize("wanted", ["auto", "fork", "spawn"])
def test_nothing_is_opened_without_memory_or_without_linux(wanted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(preflight, "available", lambda: 100 * 2**20)
        with pytest.raises(BranchError, match="Only 100 MB of memory are left, and a branch needs 256 MB"):
            check(wanted)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        with pytest.raises(BranchError, match="this is darwin") as refused:
            check(wanted)
    assert "branch=kernel:python3" in refused.value.hint


@pytest.mark.parametrize(
    ("membership", "folder", "limit", "usage", "key"),
    [
        ("0::/user/box", "user/box", "memory.max", "memory.current", "inactive_file"),
        ("0::/user/box/inner", "user/box", "memory.max", "memory.current", "inactive_file"),
        ("0::/outside/view", "", "memory.max", "memory.current", "inactive_file"),
        (
            "4:cpu:/x\n5:hugetlb,memory:/box\n0::/",
            "memory/box",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    ],
    ids=["v2", "v2 around", "v2 in a container", "v1"],
)
def test_a_control_group_may_have_less_than_the_machine(
    membership: str, folder: str, limit: str, usage: str, key: str, tmp_path: Path
) -> None:
    group = tmp_path / folder
    group.mkdir(parents=True, exist_ok=True)
    (group / limit).write_text("1000\n")
    (group / usage).write_text("900\n")
    (group / "memory.stat").write_text(f"anon 5\n{key} 300\nfile 1\n")
    assert [found.headroom() for found in limited_groups(membership, tmp_path)] == [400]
    for unlimited in ("max\n", f"{2**63 - 4096}\n"):
        (group / limit).write_text(unlimited)
        assert list(limited_groups(membership, tmp_path)) == []


def test_available_memory_is_never_more_than_the_machine_has() -> None:
    assert 0 < available() <= int(Path("/proc/meminfo").read_text().split()[1]) * 1024


@pytest.mark.kernel
def test_the_threads_of_a_notebook_kernel_are_no_obstacle() -> None:
    with start_kernel("rlm") as kernel:
        kernel.execute(
            "import asyncio, threading\n"
            "from concurrent.futures import ProcessPoolExecutor\n"
            "from rlm_kernel.branches.preflight import check\n"
            "pool = ProcessPoolExecutor(1); pool.submit(len, 'a').result()\n"
            "await asyncio.to_thread(len, 'a')"
        )
        assert kernel.value("len(threading.enumerate()) > 5")
        assert kernel.value("(check('auto').kind, check('auto').reason)") == ("fork", "nothing stands in its way")
        kernel.execute("done = threading.Event(); threading.Thread(target=done.wait, name='mine').start()")
        assert kernel.value("check('auto').reason") == "the thread mine of threading would be lost in a fork"
        kernel.execute("done.set(); pool.shutdown()")
