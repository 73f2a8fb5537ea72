"""What a branch costs: forked and spawned, beside `exec` in the same process and beside a separate ipykernel.

`python benchmarks/branches.py` measures everything in one run and prints medians and ratios as a table. The separate
kernel does what one would do without branches: a cell is a message, a deadline is a restart, a value travels as a
pickle (protocol 5) in shared memory, a call from a cell is an input request.
"""

from __future__ import annotations

import asyncio
import pickle
import queue
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from rlm_kernel.branches.host import open_branch
from rlm_kernel.branches.keep import unpack
from rlm_kernel.branches.process import ProcessBranch
from rlm_kernel.vocabulary.kit import Kit

OFTEN, RARELY = 30, 3
DEADLINE = 0.2
GIGABYTE = 2**30
CALLS = 200

WORK = {
    "open": "open, until the first cell can run",
    "cell": "`x = 1`; in a branch with its checkpoint",
    "deadline": "from a runaway cell's deadline until the next cell has run",
    "open_big": "open with a 1 GB frame in it",
    "keep_big": "bring a new 1 GB frame back",
    "call": "a call from a cell and its reply",
}

Measured = dict[str, float]
"""Seconds by kind of work."""


def frame() -> pd.DataFrame:
    """Return a frame of a gigabyte."""
    return pd.DataFrame(np.ones((GIGABYTE // 80, 10)))


def median(work: Callable[[], float], times: int) -> float:
    return statistics.median(work() for _ in range(times))


async def amedian(work: Callable[[], Awaitable[float]], times: int) -> float:
    return statistics.median([await work() for _ in range(times)])


# ----- exec in this process ----------------------------------------------------------------------------------


def in_process() -> Measured:
    """Measure `exec`; it has no deadline, and nothing has to be opened or brought back."""

    def cell() -> float:
        started = time.perf_counter()
        exec(compile("x = 1", "<cell>", "exec"), {})
        return time.perf_counter() - started

    return {"cell": median(cell, OFTEN)}


# ----- branches ----------------------------------------------------------------------------------------------


class Branches:
    """Measures branches of one kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    async def measure(self) -> Measured:
        """Measure everything."""
        big = {"df": frame()}
        branch = await self._open({})
        try:
            small = {
                "cell": await amedian(lambda: self._run(branch, "x = 1"), OFTEN),
                "deadline": await amedian(lambda: self._deadline(branch), OFTEN // 3),
                "call": await self._run(branch, f"for _ in range({CALLS}): llm_query('?')") / CALLS,
            }
        finally:
            branch.close()
        return {
            **small,
            "open": await amedian(lambda: self._opening({}), OFTEN // 3),
            "open_big": await amedian(lambda: self._opening(big), RARELY),
            "keep_big": await amedian(self._keep, RARELY),
        }

    async def _open(self, namespace: dict[str, Any]) -> ProcessBranch:
        branch = open_branch(namespace, Kit((None,)), kind=self.kind, ship=namespace)
        await branch.start()
        return branch

    async def _opening(self, namespace: dict[str, Any]) -> float:
        started = time.perf_counter()
        branch = await self._open(namespace)
        seconds = time.perf_counter() - started
        branch.close()
        return seconds

    async def _run(self, branch: ProcessBranch, code: str) -> float:
        started = time.perf_counter()
        result = await branch.run(code, timeout=60, serve=_echo)
        assert result.outcome == "ok", result.error
        return time.perf_counter() - started

    async def _deadline(self, branch: ProcessBranch) -> float:
        started = time.perf_counter()
        await branch.run("while True: pass", timeout=DEADLINE, serve=_echo)
        await self._run(branch, "x = 1")
        return time.perf_counter() - started - DEADLINE

    async def _keep(self) -> float:
        branch = await self._open({})
        try:
            await self._run(
                branch, f"import numpy as np, pandas as pd; df = pd.DataFrame(np.ones(({GIGABYTE // 80}, 10)))"
            )
            started = time.perf_counter()
            df = unpack(await branch.keep("df"), branch.snapshot)["df"]
            assert df.shape == (GIGABYTE // 80, 10)
            return time.perf_counter() - started
        finally:
            branch.close()


async def _echo(_: str, arguments: dict[str, Any]) -> Any:
    return [{"text": prompt} for prompt in arguments["prompts"]]


# ----- a separate kernel -------------------------------------------------------------------------------------


class SeparateKernel:
    """Measures ipykernel in a process of its own, over jupyter_client."""

    def measure(self) -> Measured:
        """Measure everything."""
        opened = time.perf_counter()
        self.manager = KernelManager(kernel_name="python3", transport_encryption="auto")
        self.manager.start_kernel()
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        try:
            measured = {"open": time.perf_counter() - opened, "cell": median(lambda: self._run("x = 1"), OFTEN)}
            measured["call"] = self._run(f"for _ in range({CALLS}): input('?')", allow_stdin=True) / CALLS
            self._run("import numpy as np, pandas as pd, pickle")
            with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
                file = Path(folder, "df")
                measured["open_big"] = measured["open"] + median(lambda: self._ship(file), RARELY)
                measured["keep_big"] = median(lambda: self._fetch(file), RARELY)
            measured["deadline"] = median(self._deadline, RARELY)
            return measured
        finally:
            self.client.stop_channels()
            self.manager.shutdown_kernel(now=True)

    def _run(self, code: str, *, allow_stdin: bool = False) -> float:
        started = time.perf_counter()
        reply = self.client.execute_interactive(
            code,
            allow_stdin=allow_stdin,
            output_hook=lambda _: None,
            stdin_hook=lambda _: self.client.input("!"),
            timeout=60,
        )
        assert reply["content"]["status"] == "ok", reply["content"]
        return time.perf_counter() - started

    def _ship(self, file: Path) -> float:
        df = frame()
        started = time.perf_counter()
        with file.open("wb") as target:
            pickle.dump(df, target, 5)
        self._run(f"df = pickle.load(open({str(file)!r}, 'rb'))")
        return time.perf_counter() - started

    def _fetch(self, file: Path) -> float:
        started = time.perf_counter()
        self._run(f"with open({str(file)!r}, 'wb') as file: pickle.dump(df, file, 5)")
        with file.open("rb") as source:
            assert pickle.load(source).shape == (GIGABYTE // 80, 10)
        return time.perf_counter() - started

    def _deadline(self) -> float:
        self.client.execute("while True: pass")
        with suppress(queue.Empty):
            self.client.get_shell_msg(timeout=DEADLINE)
        started = time.perf_counter()
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=60)
        self._run("x = 1")
        return time.perf_counter() - started


# ----- the table ---------------------------------------------------------------------------------------------


def main() -> None:
    """Measure and print."""
    columns = {
        "exec": in_process(),
        "forked branch": asyncio.run(Branches("fork").measure()),
        "spawned branch": asyncio.run(Branches("spawn").measure()),
        "separate kernel": SeparateKernel().measure(),
    }
    print(f"| median, ms | {' | '.join(columns)} | kernel / fork |\n|---|{'---:|' * (len(columns) + 1)}")
    for work, words in WORK.items():
        cells = [f"{1000 * m[work]:.3g}" if work in m else "" for m in columns.values()]
        ratio = columns["separate kernel"][work] / columns["forked branch"][work]
        print(f"| {words} | {' | '.join(cells)} | {ratio:.3g} |")


if __name__ == "__main__":
    main()
