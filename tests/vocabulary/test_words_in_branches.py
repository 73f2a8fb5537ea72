"""The words in whole runs: the same cell works in every kind of branch."""

from __future__ import annotations

import pytest

from support.openai_server import ScriptedModel
from support.solving import cell, solve_with

TOUR = """\
mine = 1
names = SHOW_VARS()
start = search("needle")[0]["start"]
first = ask_chunks_first("Which?", chunk(context, 5))
batch = llm_query_batch(ctx.chunk(9), "Q")
child = rlm_query("What is it?", "inner")
told = page(1)
left = budget()
tour = (names, start, first, batch, child, P == context, len(FILES), told == context, isinstance(history, list))
"""


@pytest.mark.parametrize("branch", ["fork", "spawn", pytest.param("kernel:python3", marks=pytest.mark.kernel)])
def test_the_same_words_work_in_every_branch(branch: str) -> None:
    replies = [cell(TOUR), cell("FINAL('a ' + context + ' child')"), cell("FINAL(tour)")]
    with ScriptedModel(replies, sub=lambda prompt: prompt.partition("\n")[0].upper()) as server:
        run = solve_with(server, "hay hay needle hay", branch=branch)
        assert run.status == "answered", server.root_requests[-1]["messages"][-1]["content"]
    names, *rest = run.answer
    assert names == {"mine": "int"}
    assert rest == [0, "HAY H", ["HAY HAY N", "EEDLE HAY"], "a inner child", True, 1, True, True]
