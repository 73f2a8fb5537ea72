"""Verifiers: which children are vetoed and why, and that a verifier that fails lets pass and says so."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from rlm_kernel.engine.hooks import Hooks
from rlm_kernel.engine.reviewer import AnswerVerifier
from rlm_kernel.engine.verdicts import Proposal, Verdict
from rlm_kernel.engine.verify import RuleVerifier, TieredVerifier
from rlm_kernel.trajectory import events as ev
from support.openai_server import Raw
from support.trees import Grown, grow

TASK = (
    "Read all of the complaints of last year and find out which of the five regions lost the most customers after the "
    "price change in April, and which reasons the customers themselves gave for leaving."
)
WORDS = TASK.split()


def proposal(prompt: str, question: str = TASK, **more: Any) -> Proposal:
    return Proposal("rlm_query", prompt, question, 0, **more)


def approved(prompt: str, question: str = TASK, **more: Any) -> bool:
    return asyncio.run(RuleVerifier().review(proposal(prompt, question, **more))).approved


def verdict(approve: bool, reason: str = "") -> str:
    return json.dumps({"approve": approve, "reason": reason})


def guards(grown: Grown) -> list[tuple[str, str]]:
    return [(event.guard, event.detail) for event in grown.of(ev.GuardActed)]


# ----- rules -------------------------------------------------------------------------------------------------


def test_engines_41_a_child_with_the_whole_task_is_vetoed() -> None:
    """Also peers 45: contained, whatever its case and spacing, or 60 % of its runs of 8 words."""
    assert not approved(f"Please do this.\n{TASK.upper()}  Thank you.".replace(" ", "\n "))
    runs = len(WORDS) - 7
    enough = -(-6 * runs // 10)
    assert not approved(" ".join(WORDS[: enough + 7]))
    assert approved(" ".join(WORDS[: enough + 6]))
    assert approved("Which reasons for leaving do the complaints from the north give?")


def test_engines_41_short_tasks_are_not_compared() -> None:
    short = "x" * 79
    assert approved(f"{short} again", short)
    assert not approved(f"{short}x again", short + "x")


def test_a_part_of_the_context_may_be_given_the_same_task() -> None:
    assert approved(TASK, whole=False)


def test_plain_sub_calls_may_quote_the_task() -> None:
    quoted = Proposal("llm_query", TASK, TASK, 0)
    assert asyncio.run(RuleVerifier().review(quoted)).approved


def test_engines_41_a_veto_costs_nothing_and_says_what_to_do() -> None:
    grown = grow(
        lambda g: g.ask_child(TASK, card="str, 9 characters"), question=TASK, card="`context`:\nstr, 9 characters"
    )
    assert grown.result["kind"] == "vetoed"
    assert "context=part" in grown.result["error"]
    assert grown.tree.budget.subcalls == 0
    assert not grown.of(ev.SubcallStarted)
    assert [guard for guard, _ in guards(grown)] == ["verify_subcalls"]


def test_a_child_on_another_value_is_let_through_by_the_rules() -> None:
    grown = grow(
        lambda g: g.ask_child(TASK, card="str, 3 characters"), question=TASK, card="`context`:\nstr, 9 characters"
    )
    assert grown.result["text"] == "CHILD"


def test_nobody_reviews_if_nobody_is_asked_to() -> None:
    grown = grow(lambda g: g.ask_child(TASK), question=TASK, verify_subcalls="none")
    assert grown.result["text"] == "CHILD"


def test_engines_41_a_batch_that_is_vetoed_as_a_whole_gets_its_reasons() -> None:
    async def batch(g: Grown) -> list[dict[str, Any]]:
        return await asyncio.gather(*(g.ask_child(f"{number}: {TASK}") for number in range(3)))

    grown = grow(batch, question=TASK)
    assert [reply["kind"] for reply in grown.result] == ["vetoed"] * 3
    assert all("whole task" in reply["error"] for reply in grown.result)


# ----- the model ---------------------------------------------------------------------------------------------


def test_engines_41_the_model_vetoes_with_a_reason_on_excerpts_only() -> None:
    grown = grow(
        lambda g: g.ask_child("Do it. " * 1_000, card="a list"),
        question="Why? " * 1_000,
        sub=lambda prompt: verdict(False, "far too broad"),
        verify_subcalls="model",
        verifier_model="judge",
    )
    assert grown.result == {"error": "Not asked: far too broad", "kind": "vetoed"}
    [request] = grown.server.requests
    assert request["model"] == "judge"
    assert {request[name] for name in ("max_tokens", "max_completion_tokens") if name in request} == {256}
    assert len(request["messages"][0]["content"]) < 2 * 1_500 + 1_500
    [consulted] = grown.of(ev.Consulted)
    assert (consulted.role, consulted.model, consulted.usage.calls) == ("verifier", "judge", 1)
    assert grown.tree.budget.usage.calls == 1


@pytest.mark.parametrize("reply", ["I think that is fine.", '{"approve": "yes"}', Raw.error(400, "refused"), ""])
def test_engines_41_a_model_that_gives_no_verdict_lets_pass_and_that_is_seen(reply: str | Raw) -> None:
    grown = grow(lambda g: g.ask_child("Do it."), sub=lambda prompt: reply, verify_subcalls="model")
    assert grown.result["text"] == "CHILD"
    [(guard, detail)] = guards(grown)
    assert guard == "verify_subcalls"
    assert "without a verdict" in detail
    [consulted] = grown.of(ev.Consulted)
    assert consulted.error


def test_braces_and_tags_in_what_is_reviewed_are_only_text() -> None:
    grown = grow(
        lambda g: g.ask_child("{task} </proposed> {0} {card}"),
        question='{"a": {}} {proposed}',
        sub=lambda prompt: verdict(True),
        verify_subcalls="model",
    )
    assert grown.result["text"] == "CHILD"
    assert '{"a": {}} {proposed}' in grown.server.sub_prompts[0]


# ----- tiers -------------------------------------------------------------------------------------------------


def test_engines_41_rules_come_before_the_model() -> None:
    async def both(g: Grown) -> list[str]:
        return [(await g.ask_child(prompt)).get("error", "") for prompt in (TASK, "Something else")]

    grown = grow(both, question=TASK, sub=lambda prompt: verdict(False, "no"), verify_subcalls="tiered")
    assert "whole task" in grown.result[0]
    assert grown.result[1] == "Not asked: no"
    assert len(grown.server.requests) == 1


def test_engines_41_the_same_again_is_vetoed_without_a_new_review() -> None:
    async def thrice(g: Grown) -> list[str]:
        return [(await g.ask_child(prompt))["error"] for prompt in ("Do it.", "do   IT.", "Do it.")]

    grown = grow(thrice, sub=lambda prompt: verdict(False, "too broad"), verify_subcalls="tiered")
    assert len(grown.server.requests) == 1
    assert "attempt 3" in grown.result[2]
    vetoes = grown.tree.verifier.vetoes
    assert [veto["attempt"] for veto in vetoes] == [1, 2, 3]
    assert vetoes[0] == {"kind": "rlm_query", "prompt_preview": "Do it.", "reason": "too broad", "attempt": 1}


def test_engines_41_a_veto_holds_for_its_own_task_and_run() -> None:
    """Another trajectory's question, or another part of the context, is judged anew, and so is all of another run."""
    seen = []

    class Strict:
        async def review(self, one: Proposal) -> Verdict:
            seen.append(one)
            return Verdict(False, "no")

    async def asked() -> None:
        tiered = TieredVerifier([Strict()])
        for question, card in (("A?", "x"), ("A?", "x"), ("B?", "x"), ("A?", "y")):
            await tiered.review(proposal("Do it.", question, card=card))

    asyncio.run(asked())
    asyncio.run(asked())
    assert len(seen) == 6


def test_the_memory_of_vetoes_is_bounded() -> None:
    class Strict:
        async def review(self, one: Proposal) -> Verdict:
            return Verdict(False, "no")

    async def many() -> TieredVerifier:
        tiered = TieredVerifier([Strict()])
        for number in range(1_000):
            await tiered.review(proposal(f"Do {number}."))
        return tiered

    assert len(asyncio.run(many()).vetoes) == 256


# ----- the caller's own --------------------------------------------------------------------------------------


async def asynchronous(one: Proposal) -> tuple[bool, str]:
    return False, "not today"


class Reviews:
    def review(self, one: Proposal) -> Any:
        return SimpleNamespace(approved=False, reason=f"no {one.kind} at depth {one.depth}")


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (asynchronous, "not today"),
        (Reviews(), "no rlm_query at depth 0"),
        (lambda one: False, "refused"),
        (lambda one: (False, "because"), "because"),
    ],
)
def test_the_callers_own_check_is_asked_too(check: Any, reason: str) -> None:
    grown = grow(lambda g: g.ask_child("Do it."), hooks=Hooks(subcall_check=check), verify_subcalls="none")
    assert reason in grown.result["error"]


@pytest.mark.parametrize("check", [lambda one: 1 / 0, lambda one: (1, 2, 3)])
def test_a_check_that_raises_lets_pass_and_that_is_seen(check: Any) -> None:
    grown = grow(lambda g: g.ask_child("Do it."), hooks=Hooks(subcall_check=check))
    assert grown.result["text"] == "CHILD"
    [(guard, detail)] = guards(grown)
    assert guard == "verify_subcalls"
    assert "Error" in detail


# ----- answers -----------------------------------------------------------------------------------------------


def reviewed(reply: str | Raw) -> Any:
    grown = grow(
        lambda g: AnswerVerifier(g.tree).review("How many {x}?", "42", "x" * 5_000 + "the count is 42"),
        sub=lambda prompt: reply,
    )
    [prompt] = grown.server.sub_prompts
    assert "How many {x}?" in prompt
    assert "the count is 42" in prompt
    assert len(prompt) < 4_000
    assert grown.tree.budget.usage.calls == grown.result.usage.calls
    return grown.result


def test_peers_44_an_answer_is_accepted_or_sent_back_with_a_reason() -> None:
    """Also engines 18."""
    assert reviewed(verdict(True, "fits")).accepted
    refused = reviewed(verdict(False, "it counts twice"))
    assert not refused.accepted
    assert refused.feedback == "it counts twice"


def test_peers_44_a_verifier_that_fails_accepts_and_says_why() -> None:
    for reply in ("maybe", Raw.error(400, "no")):
        review = reviewed(reply)
        assert review.accepted
        assert review.error
