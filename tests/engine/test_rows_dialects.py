"""Code that was written for another system: its names of settings and hooks, and of what a run is made of."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from rlm_kernel import RLM
from rlm_kernel.errors import OptionError
from rlm_kernel.rlm import SYNONYMS
from rlm_kernel.settings import OPTIONS
from rlm_kernel.trajectory.dialects import Dialects
from support.openai_server import Reply, ScriptedModel
from support.solving import cell, solve_with

SAMPLES: dict[str, Any] = {
    "answer_check": lambda value: True,
    "child_instructions": "Be brief.",
    "clean_retry": True,
    "compaction": 0.5,
    "instructions": "Be brief.",
    "max_concurrency": 3,
    "max_iterations": 3,
    "max_time": 3.0,
    "max_tokens": 3,
    "child_timeout": 3.0,
    "model": "m",
    "output_limit": 3,
    "repair_calls": True,
    "repair_placeholders": True,
    "repeat_guard": 0.5,
    "reply_limit": 3,
    "soft_limit": 0.5,
    "sub_model": "m",
    "sub_tools": {},
    "subcall_check": lambda proposal: True,
    "subcall_reply_limit": 3,
    "tools": {},
    "window": 3,
}
"""A value for each setting and hook that has another name somewhere."""


@pytest.mark.parametrize("name", SYNONYMS)
def test_constructors_know_the_other_names(name: str) -> None:
    """Peers, the alias map."""
    ours = SYNONYMS[name]
    rlm = RLM(**{name: SAMPLES[ours]})
    holder: Any = rlm.settings if ours in OPTIONS else rlm._hooks
    assert getattr(holder, ours) == SAMPLES[ours]
    with pytest.raises(OptionError, match=f"{ours} are the same"):
        RLM(**{ours: SAMPLES[ours], name: SAMPLES[ours]})


def test_the_names_of_the_alias_map_are_all_there() -> None:
    roles = {"recursive_model", "sub_rlm_model", "subcall_adapter", "max_steps", "max_iters", "max_turns"}
    assert roles <= SYNONYMS.keys()
    assert not SYNONYMS.keys() & OPTIONS.keys()


@pytest.fixture(scope="module")
def run() -> Any:
    used = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.5}
    script = [Reply(cell("print(llm_query('x'))"), usage=used), Reply(cell("FINAL([4, 2])"), usage=used)]
    with ScriptedModel(script, sub=lambda prompt: Reply(prompt, usage=used)) as server:
        return solve_with(server, sub_model="small")


def test_a_result_knows_the_other_names(run: Any) -> None:
    """Peers, the alias map."""
    assert (run.answer, run.output, run.response) == ([4, 2], [4, 2], "[4, 2]")
    assert (run.success, run.error) == (True, None)
    stats = {"iterations": 2, "llm_calls": 3, "sub_rlm_calls": 1, "input_tokens": 30, "output_tokens": 15}
    assert run.stats == {**stats, "seconds": run.seconds}
    assert [message["role"] for message in run.history] == ["system", "user", "assistant", "user", "assistant"]
    assert run.trace["iterations"][0]["cells"][0]["subcalls"][0]["prompt"] == "x"
    assert run.cost_summary() == {"total_cost": 1.5, "by_model": {"scripted": 1.0, "small": 0.5}}


def test_a_result_that_is_none_says_so() -> None:
    with ScriptedModel([cell("print(1)")]) as server:
        stopped = solve_with(server, max_iterations=1, final_turn=False)
    assert (stopped.success, stopped.output, stopped.response) == (False, None, "")
    assert "max_iterations=1" in (stopped.error or "")
    assert stopped.cost_summary() == {"total_cost": None, "by_model": {"scripted": None}}


def test_every_name_of_a_result_is_tested_here() -> None:
    source = inspect.getsource(inspect.getmodule(test_every_name_of_a_result_is_tested_here))  # type: ignore[arg-type]  # it has one
    assert [name for name in vars(Dialects) if not name.startswith("_") and f".{name}" not in source] == []


def test_a_completion_has_the_argument_order_of_others() -> None:
    with ScriptedModel([cell("print(1)\nFINAL(context)")]) as server:
        rlm = RLM("m", server.base_url, window=100_000, namespace={})
        assert rlm.completion("the context", root_prompt="What?").answer == "the context"
        assert rlm.completion("the context").answer == "the context"
        asked = [request["messages"][1]["content"] for request in server.root_requests]
    assert asked[0].startswith("# Question\nWhat?")
    assert asked[1].startswith("# Question\nAnswer the question that the context contains.")
