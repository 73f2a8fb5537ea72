"""Calls are counted over processes: the cap holds, nobody is shut out, who dies gives its places back."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from jupyter_core.paths import jupyter_runtime_dir

from rlm_kernel.errors import ModelBusy, OptionError
from rlm_kernel.models.gate import Gate
from rlm_kernel.models.scheduler import scheduler_for
from support.fork_jobs import in_fork
from support.gate_process import caller
from support.openai_server import ScriptedModel

LATENCY = 0.02


class Busy:
    """A server's script that takes its time, and sees how many requests, and whose, are there together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._there: list[str] = []
        self.seen: list[list[str]] = []

    def __call__(self, body: dict[str, Any]) -> str:
        prompt: str = body["messages"][0]["content"]
        with self._lock:
            self._there.append(prompt)
            self.seen.append(list(self._there))
        time.sleep(LATENCY)
        with self._lock:
            self._there.remove(prompt)
        return prompt

    @property
    def most(self) -> int:
        return max(map(len, self.seen))


def arrive(server: ScriptedModel, count: int) -> None:
    for _ in range(count):
        assert server.arrived.acquire(timeout=60)


def names(server: ScriptedModel, since: int = 0) -> list[str]:
    return [prompt.partition(" ")[0] for prompt in server.sub_prompts[since:]]


def test_two_processes_share_a_cap_and_take_turns() -> None:
    busy = Busy()
    with ScriptedModel(respond=busy) as server:
        server.hold()
        with caller(server.base_url, 4, "one", 30) as one:
            arrive(server, 4)
            with caller(server.base_url, 4, "two", 30) as two:
                server.held.set()
                assert two.communicate()[0] == one.communicate()[0] == "done\n"
        assert len(server.requests) == 60
        assert busy.most == 4
        last_of_one = max(n for n, name in enumerate(names(server)) if name == "one")
        assert names(server)[:last_of_one].count("two") >= 3


def test_a_process_that_is_killed_gives_its_places_back() -> None:
    with ScriptedModel() as server:
        server.hold()
        with caller(server.base_url, 4, "one", 8) as one:
            arrive(server, 4)
            with caller(server.base_url, 4, "two", 4) as two:
                assert not server.arrived.acquire(timeout=0.5)
                one.kill()
                arrive(server, 4)
                assert names(server) == ["one"] * 4 + ["two"] * 4
                server.held.set()
                assert two.communicate()[0] == "done\n"


def test_engines_65_a_call_that_has_to_be_alone_is_alone_on_the_machine() -> None:
    busy = Busy()
    with ScriptedModel(respond=busy) as server:
        with (
            caller(server.base_url, 4, "one", 40) as one,
            caller(server.base_url, 4, "two", 3, alone=True) as two,
        ):
            assert two.communicate()[0] == one.communicate()[0] == "done\n"
        assert [there for there in busy.seen if any(p.startswith("two") for p in there) and len(there) > 1] == []
        assert busy.most <= 4
        assert names(server).count("two") == 3


def test_engines_64_waiting_at_the_gate_ends_at_the_deadline_and_leaves_no_lock() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        mine, other = (scheduler_for("http://gate/v1", 9, 2) for _ in range(2))
        async with mine.slot(), mine.slot():
            with pytest.raises(ModelBusy):
                async with other.slot(deadline=loop.time() + 0.05):
                    raise AssertionError("three places of two")
            waiting = asyncio.create_task(_passage(other))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        async with other.slot(), other.slot():
            pass
        async with other.slot(exclusive=True):
            pass
        assert mine.line.empty

    async def _passage(scheduler: Any) -> None:
        async with scheduler.slot():
            raise AssertionError("three places of two")

    asyncio.run(main())


def test_a_fork_does_not_hold_the_places_of_its_parent() -> None:
    async def main() -> None:
        gate, other = Gate("http://fork/v1", 1), Gate("http://fork/v1", 1)
        with ExitStack() as held:
            await gate.enter(held, exclusive=False)
            assert in_fork(lambda: [link for link in _open_files() if ".0" in link]) == []
        with ExitStack() as held:
            await other.enter(held, exclusive=True)

    asyncio.run(main())


def _open_files() -> list[str]:
    links = []
    for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208  # the folder itself is one of the descriptors
        if Path(f"/proc/self/fd/{descriptor}").exists():
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115
    return [link for link in links if "rlm-gates" in link]


def test_the_folder_of_the_locks_is_the_users_own(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(workdir / "runtime"))
    Gate("http://folder/v1", 1)
    [folder] = Path(jupyter_runtime_dir(), "rlm-gates").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_without_a_folder_there_is_no_gate(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workdir / "runtime").write_text("not a folder")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(workdir / "runtime"))
    with pytest.raises(OptionError, match="machine_concurrency needs a folder"):
        scheduler_for("http://nowhere/v1", 4, 4)
