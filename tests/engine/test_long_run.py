"""A run of 200 turns: what is sent stays under the window and is only added to, and nothing piles up in the process."""

from __future__ import annotations

import gc
import json
import os
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from rlm_kernel import Run
from support.openai_server import Reply, ScriptedModel
from support.solving import cell, solve_with

TURNS = 200
OUTPUT = 500
WINDOW = 8_192
SHARE = 0.85
BYTES = 4_000_000
PER_TURN = 15_000
"""Bytes of the notebook's process that a turn may keep: its events, and the run that they make up."""
PASSING = 3
"""Processes or descriptors that may just be on their way out; one for each turn would be 90."""


class Counting:
    """A model that prints 500 characters a turn, and keeps watch over this process while it is asked.

    Attributes:
        sizes: bytes of the requests for turns.
        conversations: what those had as messages, one text for each.
        summaries: in which turn a summary was asked for.
        memory: bytes that Python had allocated here, from the turn in the middle on.
        open: file descriptors here, from the same turn on.
        processes: descendants of this process, from the same turn on.

    """

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.conversations: list[list[int]] = []
        self.summaries: list[int] = []
        self.memory: list[int] = []
        self.open: list[int] = []
        self.processes: list[int] = []
        self.server: ScriptedModel | None = None

    def reply(self, body: dict[str, Any]) -> Reply:
        """Answer one request."""
        assert self.server is not None
        self.server.requests.clear()  # else it is the server that piles up
        messages = body["messages"]
        tokens = sum(len(message["content"]) for message in messages) // 4
        usage = {"prompt_tokens": tokens, "completion_tokens": 20, "total_tokens": tokens + 20}
        if "is about to be shortened" in messages[-1]["content"]:
            self.summaries.append(len(self.sizes))
            return Reply("I am counting, and have not finished.", usage=usage)
        self.sizes.append(len(json.dumps(body)))
        self.conversations.append([hash(message["content"]) for message in messages])
        turn = len(self.sizes)
        if turn > TURNS // 2 and turn % 10 == 0:
            self._look()
        code = f'n = {turn}\nprint(f"{{n:0{OUTPUT}}}")' if turn < TURNS else "FINAL(n)"
        return Reply(cell(code), usage=usage)

    def _look(self) -> None:
        gc.collect()
        self.memory.append(tracemalloc.get_traced_memory()[0])
        self.open.append(len(list(Path("/proc/self/fd").iterdir())))
        self.processes.append(len(psutil.Process(os.getpid()).children(recursive=True)))


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Counting, Run]:
    """Return what a model saw of a run of 200 turns, and the run."""
    model = Counting()
    folder = tmp_path_factory.mktemp("long")
    tracemalloc.start()
    try:
        with ScriptedModel(respond=model.reply) as server:
            model.server = server
            run = solve_with(
                server,
                "some text " * 1_000,
                "How far do you get?",
                window=WINDOW,
                compaction=SHARE,
                max_iterations=TURNS,
                runs_dir=str(folder),
            )
    finally:
        tracemalloc.stop()
    assert (run.status, run.text) == ("answered", str(TURNS - 1))
    assert len(run.iterations) == TURNS
    return model, run


def test_engines_42_the_next_request_never_outgrows_the_window(long_run: tuple[Counting, Run]) -> None:
    model, run = long_run
    assert max(turn.usage.prompt_tokens for turn in run.iterations) <= WINDOW
    assert sum(model.sizes) <= BYTES
    assert len(model.summaries) >= 3


def test_between_summaries_messages_are_only_added(long_run: tuple[Counting, Run]) -> None:
    model, _ = long_run
    for turn, (before, after) in enumerate(zip(model.conversations, model.conversations[1:], strict=False), 1):
        if turn in model.summaries:
            assert after[:2] == before[:2], "the fixed prompt and the opening stay"
            assert len(after) < len(before)
        else:
            assert after[: len(before)] == before
            assert len(after) == len(before) + 2


def test_nothing_piles_up_in_the_notebooks_process(long_run: tuple[Counting, Run]) -> None:
    model, _ = long_run
    steps = sorted(after - before for before, after in pairwise(model.memory))
    assert sum(steps[:-1]) <= PER_TURN * (TURNS // 2), "but for one step: a library that loads its data late"
    assert model.open[-1] - model.open[0] <= PASSING
    assert model.processes[-1] - model.processes[0] <= PASSING


def test_engines_42_history_has_every_turn_however_often_it_was_summed_up(tmp_path: Path) -> None:
    model = Counting()

    def reply(body: dict[str, Any]) -> Reply:
        usual = model.reply(body)
        turns = len(model.sizes)
        return usual if turns < 60 else Reply(cell('FINAL(sum("stdout:" in m["content"] for m in history))'))

    with ScriptedModel(respond=reply) as server:
        model.server = server
        run = solve_with(server, "text", "How far do you get?", window=4_096, max_iterations=60)
    assert model.summaries
    assert run.answer_object == (59,)
