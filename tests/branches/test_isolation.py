"""Branches side by side: each has everything, and none sees what another does to it."""

from __future__ import annotations

import asyncio
import os
import string
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rlm_kernel.branches.process import ProcessBranch
from support.branches import KINDS, no_calls, nothing_escapes, open_of

CANDIDATES = 4
CHANGE = """
import os, string
df.iloc[:, 0] = {me}
df['mine'] = {me}
box['list'].append({me})
box['me'] = {me}
string.digits = '{me}'
os.environ['RLM_TEST_ME'] = '{me}'
del spare
"""
LOOK = """
(df.iloc[:, 0].unique().tolist(), df.iloc[:, 1].unique().tolist(), list(df.columns), box, string.digits,
 os.environ['RLM_TEST_ME'], 'spare' in globals(), context is df, context.iloc[0, 0].item())
"""


async def candidate(branch: ProcessBranch, me: int, everyone: asyncio.Barrier) -> str:
    await branch.start()
    changed = await branch.run(CHANGE.format(me=me), timeout=20, serve=no_calls)
    assert changed.outcome == "ok", changed.error
    await everyone.wait()
    return (await branch.run(LOOK, timeout=20, serve=no_calls)).value_text


async def all_at_once(branches: list[ProcessBranch]) -> list[str]:
    everyone = asyncio.Barrier(len(branches))
    return await asyncio.gather(*(candidate(b, me, everyone) for me, b in enumerate(branches, 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_none_sees_what_another_does(kind: str) -> None:
    frame = pd.DataFrame(np.zeros((1000, 2)))
    namespace: dict[str, Any] = {"df": frame, "box": {"list": [0]}, "spare": "part"}
    with nothing_escapes():
        branches = [open_of(kind, namespace, context=frame) for _ in range(CANDIDATES)]
        try:
            seen = asyncio.run(all_at_once(branches))
        finally:
            for branch in branches:
                branch.close()
    for me, text in enumerate(seen, 1):
        columns = [0, 1, "mine"]
        mine = ([me], [0.0], columns, {"list": [0, me], "me": me}, str(me), str(me), False, True, me)
        assert eval(text) == mine
    assert namespace == {"df": frame, "box": {"list": [0]}, "spare": "part"}
    assert frame.shape == (1000, 2)
    assert (frame == 0).all(axis=None)
    assert string.digits == "0123456789"
    assert "RLM_TEST_ME" not in os.environ
