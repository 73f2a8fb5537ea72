"""Whatever a cell does: control returns, its outcome has the right name, and nothing earlier is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rlm_kernel.branches.process import ProcessBranch
from rlm_kernel.branches.result import CellResult
from support.branches import KINDS, branch_of, no_calls, nothing_escapes, printed
from support.evil_cells import EVIL, Evil

BEFORE = "import os, signal, sys, threading, time\nmarker = 'before'; box['n'] = 1; df.iloc[0, 0] = 41.0"
CHANGE = "marker = 'evil'; box['n'] = 2; df.iloc[0, 0] = 42.0"
STATE = "(marker, box['n'], df.iloc[0, 0].item(), df.sum().sum().item(), df.shape)"

PATIENCE = 20.0
IMPATIENCE = 0.3
"""Seconds for cells that end by themselves, and for those that do not."""

MEMORY = 2**30
"""Bytes that a cell may use beyond what the session has."""

PATIENT_USER = 2
"""How often an innocent cell may fail because of what an evil one left behind in the session."""

ROWS, COLUMNS = 1_000_000, 10


@pytest.fixture(scope="module")
def namespace() -> dict[str, Any]:
    """The user's variables, among them a frame of 80 MB."""
    return {"box": {"n": 0}, "df": pd.DataFrame(np.ones((ROWS, COLUMNS)))}


def state(marker: str) -> str:
    n, corner = {"before": (1, 41.0), "evil": (2, 42.0)}[marker]
    return repr((marker, n, corner, ROWS * COLUMNS - 1 + corner, (ROWS, COLUMNS)))


async def run(branch: ProcessBranch, code: str, timeout: float = PATIENCE) -> CellResult:
    return await branch.run(code, timeout=timeout, serve=no_calls)


async def patiently(branch: ProcessBranch, code: str) -> list[CellResult]:
    """Run an innocent cell, anew as long as it suffers from what an evil one left behind; return all the results."""
    results = [await run(branch, code)]
    while results[-1].outcome != "ok" and len(results) <= PATIENT_USER:
        results.append(await run(branch, code))
    return results


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("evil", EVIL, ids=lambda evil: evil.name)
def test_a_cell_can_hurt_nobody_but_itself(
    kind: str, evil: Evil, namespace: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with branch_of(kind, namespace, context="the context") as branch:
            branch.memory_limit = MEMORY
            assert (await run(branch, BEFORE)).outcome == "ok"
            limit = IMPATIENCE if "timeout" in evil.outcomes else PATIENCE
            ended = await run(branch, f"{CHANGE}\n{evil.code}", limit)
            assert ended.outcome in evil.outcomes.split(), ended.error
            assert evil.told in (ended.error or {"message": ""})["message"]
            if evil.until:
                await printed(branch, evil.until, ended.stdout)
            innocent = [ended, *await patiently(branch, "print('hello'); 1 + 1")]
            assert innocent[1].outcome in evil.later.split(), innocent[1].error
            assert innocent[-1].value_text == "2"
            assert "hello" in innocent[-1].stdout or "bytes cut" in innocent[-1].stdout
            looks = await patiently(branch, STATE)
            lost = any("marker" in result.rolled_back for result in innocent + looks)
            assert looks[-1].value_text == state("before" if lost else "evil")

    with nothing_escapes():
        asyncio.run(story())
    assert not Path("escaped").exists()
    assert namespace["box"] == {"n": 0}
    assert (namespace["df"].to_numpy() == 1).all()
    assert set(namespace) == {"box", "df"}
    assert not caplog.records
