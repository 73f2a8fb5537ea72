"""Long sessions: after hundreds of cells and runs everything is where it was."""

from __future__ import annotations

import asyncio
import os

import numpy as np
import psutil
import pytest

from rlm_kernel.branches.process import ProcessBranch
from support.branches import KINDS, branch_of, no_calls, nothing_escapes, open_of
from support.kernels import Kernel, start_kernel
from support.leftovers import footprint, nothing_left
from support.openai_server import ScriptedModel
from support.protocol_steps import runner_of

pytestmark = pytest.mark.slow

WARM_UP = 50
CELLS = 500
RUNS = 200

CELL_BYTES = 5_000
"""A cell costs the runner its text and its compiled code, which tracebacks need: 1.8 kB each of these was measured.
A leak of anything bigger, say of an output or a thread, is above this."""

RUN_BYTES = 100_000
"""A run stays in `rlm_kernel.runs` with its texts: some 30 kB measured. A branch that is not given back, or a response
that is not closed, is more than this."""


def resident(pid: int) -> int:
    """Return the bytes of memory that the process holds, shared ones included."""
    return int(psutil.Process(pid).memory_info().rss)


def descriptors(pid: int) -> int:
    """Return how many descriptors the process has open."""
    return psutil.Process(pid).num_fds()


async def cells(branch: ProcessBranch, numbers: range) -> None:
    """Run cells that compute and print; one in ten fails, one in a hundred never ends."""
    for n in numbers:
        code, outcome, limit = f"x{n % 7} = table + {n}\nprint({n}); x{n % 7}.sum()", "ok", 20.0
        if n % 100 == 99:
            code, outcome, limit = "while True: pass", "timeout", 0.2
        elif n % 10 == 9:
            code, outcome = "1 / 0", "error"
        result = await branch.run(code, timeout=limit, serve=no_calls)
        assert result.outcome == outcome, result.error


@pytest.mark.parametrize("kind", KINDS)
def test_five_hundred_cells_in_one_branch(kind: str) -> None:
    async def story() -> None:
        async with branch_of(kind, {"table": np.zeros(1000)}) as branch:
            await cells(branch, range(WARM_UP))
            held, size, fds = footprint(os.getpid()), resident(runner_of()), descriptors(runner_of())
            await cells(branch, range(WARM_UP, CELLS))
            assert resident(runner_of()) - size < (CELLS - WARM_UP) * CELL_BYTES
            assert descriptors(runner_of()) == fds
            assert not (footprint(os.getpid()).threads - held.threads)
            assert not (footprint(os.getpid()).descriptors - held.descriptors)
            assert len(footprint(os.getpid()).processes) <= len(held.processes) + 1  # a checkpoint on its way out

    with nothing_escapes():
        asyncio.run(story())


@pytest.mark.parametrize("kind", KINDS)
def test_four_branches_of_fifty_cells(kind: str) -> None:
    async def one(branch: ProcessBranch) -> None:
        await branch.start()
        await cells(branch, range(50))

    async def story(branches: list[ProcessBranch]) -> None:
        await asyncio.gather(*map(one, branches))

    with nothing_escapes():
        branches = [open_of(kind, {"table": np.zeros(1000)}) for _ in range(4)]
        try:
            asyncio.run(story(branches))
        finally:
            for branch in branches:
                branch.close()


def solve_often(kernel: Kernel, server: ScriptedModel, times: int) -> None:
    code = (
        "from rlm_kernel.solver import solve\n"
        f"for _ in range({times}):\n"
        f"    run = solve('How many?', context=table, model='scripted', base_url={server.base_url!r})\n"
        "    assert run.answer == 1000, run\n"
        "import rlm_kernel; rlm_kernel.clean()"  # checkpoints of the latest runs stay parked by design
    )
    done = kernel.execute(code, timeout=100)
    assert done.error is None, done.error


@pytest.mark.kernel
def test_two_hundred_runs_in_one_kernel() -> None:
    with ScriptedModel(["```repl\nfound = len(context)\nFINAL(found)\n```"]) as server, start_kernel() as kernel:
        assert kernel.execute("import numpy as np; table = np.zeros(1000)").error is None
        solve_often(kernel, server, WARM_UP)
        size = resident(kernel.pid)
        with nothing_left(kernel.pid):
            solve_often(kernel, server, RUNS - WARM_UP)
        assert resident(kernel.pid) - size < (RUNS - WARM_UP) * RUN_BYTES
