"""Every step of the protocol between a kernel and a branch, and how to stand still at one of them.

Run as a program (`python -m support.protocol_steps KIND STEP`) this is a kernel that gets as far as a step, says so,
and stays there until it is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable
from typing import Any

import psutil

from rlm_kernel.branches.process import ProcessBranch
from support.branches import no_calls, open_of, printed, processes_below

__all__ = ["PATIENCE", "STEPS", "Stand", "runner_of"]

STEPS = ["opened", "ready", "sent", "running", "asking", "packing"]
"""Before the session starts · between two cells · a cell sent and not yet read · it runs · it waits for a reply to a
call · variables are being packed for keep."""

PATIENCE = 1.0
"""Seconds a cell may take at a step."""

PREPARE = """
import os, signal, stat, time
def babble(*_):
    for fd in map(int, os.listdir('/proc/self/fd')):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode): os.write(fd, b'?' * 100)
        except OSError: pass
signal.signal(signal.SIGUSR1, babble)
class Slow:
    def __reduce__(self): print('packing', flush=True); time.sleep(600)
latest = 8
"""


def runner_of() -> int:
    """Return the pid of the process that runs the cells of the only branch."""
    named = processes_below(os.getpid(), "rlm-runner")
    # A checkpoint that was forked just now still bears its parent's name.
    return next(pid for pid in named if psutil.Process(pid).ppid() not in named)


class Stand:
    """A branch standing at a step.

    Attributes:
        outcome: what the branch's user is waiting for there.
        answering: set it to let a call from the cell be answered.

    """

    def __init__(self) -> None:
        self.outcome: Awaitable[Any]
        self.answering = asyncio.Event()
        self._asked = asyncio.Event()

    async def reach(self, step: str, branch: ProcessBranch) -> None:
        """Bring a branch that was just opened to `step`."""
        if step == "opened":
            self.outcome = branch.start()
            return
        await branch.start()
        for code in ("kept = 7", PREPARE):
            prepared = await branch.run(code, timeout=20, serve=no_calls)
            assert prepared.outcome == "ok", prepared
        await getattr(self, f"_{step}")(branch)

    async def _ready(self, branch: ProcessBranch) -> None:
        self.outcome = branch.run("1", timeout=PATIENCE, serve=no_calls)

    async def _sent(self, branch: ProcessBranch) -> None:
        os.kill(runner_of(), signal.SIGSTOP)
        self.outcome = asyncio.create_task(branch.run("1", timeout=PATIENCE, serve=no_calls))
        await asyncio.sleep(0)

    async def _running(self, branch: ProcessBranch) -> None:
        code = "print('here', flush=True)\nwhile True: pass"
        self.outcome = asyncio.create_task(branch.run(code, timeout=PATIENCE, serve=no_calls))
        await printed(branch, "here")

    async def _asking(self, branch: ProcessBranch) -> None:
        self.outcome = asyncio.create_task(branch.run("llm_query('?')", timeout=PATIENCE, serve=self._serve))
        await self._asked.wait()

    async def _packing(self, branch: ProcessBranch) -> None:
        assert (await branch.run("slow = Slow()", timeout=20, serve=no_calls)).outcome == "ok"
        self.outcome = asyncio.create_task(branch.keep("new"))
        await printed(branch, "packing")

    async def _serve(self, name: str, arguments: dict[str, Any]) -> list[dict[str, str]]:
        self._asked.set()
        await self.answering.wait()
        return [{"text": "!"}]


async def _stand(kind: str, step: str) -> None:
    branch = open_of(kind, {}, context="")
    await Stand().reach(step, branch)
    print(step, flush=True)  # noqa: T201 (the test waits for it)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_stand(*sys.argv[1:]))
