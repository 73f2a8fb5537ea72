"""The fixed prompt is small, and every optional part of it comes with its setting and only then."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_kernel import RLM
from rlm_kernel.engine.prompt import SYSTEM
from rlm_kernel.models.offline import reply
from support.openai_server import ScriptedModel
from support.solving import cell, solve_with

LIMIT = 1_500
ALL_ON: dict[str, Any] = {
    "profile": "hybrid",
    "orchestrator": True,
    "answer_type": dict[str, int],
    "instructions": "Answer in Latin.",
    "max_tokens": 10**6,
    "max_time": "1h",
    "max_budget": 5,
    "tools": {"lookup": len},
}


def sent(**options: Any) -> str:
    """Return the fixed prompt that the root model gets."""
    with ScriptedModel(root=[cell("print(1)"), cell("FINAL(1)")]) as server:
        solve_with(server, **({"compaction": 0, "max_iterations": 1, "final_turn": False} | options))
        text: str = server.root_requests[0]["messages"][0]["content"]
    return text


def tokens(text: str) -> float:
    """Return about how many tokens a text has, by the less friendly of two rules."""
    return max(len(text) / 4, 1.35 * len(text.split()))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the prompt of a run with everything optional off."""
    return sent(runs_dir=str(tmp_path_factory.mktemp("plain")))


def test_the_fixed_prompt_is_small(plain: str) -> None:
    assert plain.startswith(SYSTEM)
    assert tokens(plain) < LIMIT


def test_with_everything_on_it_is_still_small() -> None:
    assert tokens(sent(**ALL_ON)) < LIMIT


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"profile": "deterministic"}, "Strategy: code first"),
        ({"profile": "semantic"}, "Strategy: read in batches"),
        ({"profile": "hybrid"}, "Strategy: filter, read, add up"),
        ({"profile": "verify"}, "Strategy: check twice"),
        ({"orchestrator": True}, "Plan and delegate"),
        ({"answer_type": int}, "The answer must be of this type: int"),
        ({"instructions": "Use {braces} and {0}, {{both}}."}, "Use {braces} and {0}, {{both}}."),
        ({"max_tokens": 10**6}, "There are limits on tokens;"),
        ({"max_budget": 5}, "There are limits on money;"),
        ({"max_time": "1h"}, "There are limits on time;"),
        ({"compaction": 0.5}, "the list `history` has every earlier message"),
        ({"tools": {"lookup": len}}, "`lookup(obj, /)`: Return the number of items in a container."),
        ({"model": "qwen3-32b"}, "Keep the number of sub-calls small"),
        ({"model": "Llama-4"}, "Write one short cell per turn"),
    ],
)
def test_an_optional_part_comes_with_its_setting(plain: str, options: dict[str, Any], part: str) -> None:
    assert part not in plain
    prompt = sent(**options)
    assert part in prompt
    assert set(plain.splitlines()) <= set(prompt.splitlines()), "nothing else is changed"
    assert prompt.startswith(SYSTEM)


def test_a_question_that_follows_another_is_told_so(plain: str) -> None:
    with ScriptedModel(root=[cell("print(1)"), cell("FINAL(1)")]) as server:
        rlm = RLM(model="m", base_url=server.base_url, window=100_000, persistent=True)
        rlm.solve("One?", "text")
        assert "This question follows" not in server.root_requests[0]["messages"][0]["content"]
        rlm.solve("Two?", "text")
        assert "This question follows 1 earlier one." in server.root_requests[-1]["messages"][0]["content"]


def test_engines_24_a_child_gets_the_same_prompt_and_its_own_instructions(plain: str) -> None:
    root = [cell('print(rlm_query("Which?", context="small"))'), cell("FINAL(1)")]
    with ScriptedModel(root=root) as server:
        solve_with(server, instructions="Be brief.", child_instructions="Be exact.", compaction=0)
        parent, child = (request["messages"][0]["content"] for request in server.root_requests[:2])
    assert child.startswith(SYSTEM)
    assert "You are the helper that another session asked." in child
    assert "You are the helper" not in parent
    assert ("Be exact." in child, "Be brief." in child) == (True, False)


def test_the_offline_solver_knows_the_prompt_however_it_goes_on() -> None:
    opening = {"role": "user", "content": "# Question\nWhat survives a runaway cell?\n\n# Context\n…"}
    assert "```repl" in reply([{"role": "system", "content": sent(**ALL_ON)}, opening])
