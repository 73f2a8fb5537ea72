"""Conversations, in whole runs: summed up near the window, and gone on with by the next question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import rlm_kernel
from rlm_kernel import RLM, Contexts, load
from rlm_kernel.errors import ModelOverflow
from support.families import guards_of
from support.openai_server import Answer, Raw, Reply, ScriptedModel
from support.solving import cell, said, solve_with

WINDOW = 10_000
SUMMARY = "The key is 4711, it is in the variable `key`."


class Counting(ScriptedModel):
    """Plays a root model whose server counts tokens as a server does: a quarter of the characters it was sent."""

    def __init__(self, script: list[str], pages: dict[str, Any] | None = None) -> None:
        super().__init__(script, pages=pages)
        self.summed_up = 0

    def reply_to(self, body: dict[str, Any]) -> Answer:
        """Return the next reply, or the summary where one is asked for, with what the request took."""
        prompt = sum(len(message["content"]) for message in body["messages"]) // 4
        if "about to be shortened" in body["messages"][-1]["content"]:
            self.summed_up += 1
            return self._counted(SUMMARY, prompt)
        text = super().reply_to(body)
        assert isinstance(text, str)
        return self._counted(text, prompt)

    @staticmethod
    def _counted(text: str, prompt: int) -> Reply:
        return Reply(text, usage={"prompt_tokens": prompt, "completion_tokens": len(text) // 4, "total_tokens": 0})


@pytest.mark.parametrize("branch", ["fork", "spawn", "kernel:python3"])
def test_engines_42_near_the_window_a_summary_replaces_the_turns(branch: str) -> None:
    """Also peers 33: by what the server counted; variables, facts and the whole `history` stay."""
    turns = [cell(f"key = 4711\nprint('turn {n} ' + 'x' * 1_800)") for n in range(30)]
    last = cell("FINAL((key, len(history), [n for n in range(30) if f'turn {n} ' in str(history)]))")
    with Counting([*turns, last]) as server:
        run = solve_with(server, branch=branch, window=WINDOW, max_iterations=40, max_repeats=0)
        sizes = [sum(len(m["content"]) for m in request["messages"]) // 4 for request in server.root_requests]
    key, messages, found = run.answer
    assert (run.status, key, found) == ("answered", 4711, list(range(30)))
    assert messages >= 62
    assert server.summed_up == guards_of(run).count("compaction") >= 1
    assert max(sizes) <= WINDOW
    assert [asked.role for turn in run.iterations for asked in turn.consultations] == ["compaction"] * server.summed_up
    after = next(r for r in server.root_requests if any(SUMMARY in m["content"] for m in r["messages"]))
    assert len(after["messages"]) == 4
    assert "# Question\nWhat?" in after["messages"][-1]["content"]
    assert load(run.journal_path) == run


def test_engines_42_the_window_that_is_served_decides() -> None:
    turns = [cell(f"print('{n}' + 'x' * 1_800)") for n in range(9)]
    with Counting([*turns, cell("FINAL(1)")]) as server:
        assert solve_with(server, window=100_000, max_repeats=0).answer == 1
    assert server.summed_up == 0
    served = {"/props": {"default_generation_settings": {"n_ctx": 5_000}, "total_slots": 1}}
    with Counting([*turns, cell("FINAL(1)")], served) as server:
        assert solve_with(server, window=None, max_repeats=0).answer == 1
    assert server.summed_up > 0
    with Counting([*turns, cell("FINAL(1)")]) as server:
        assert solve_with(server, window=5_000, compaction=0, max_repeats=0).answer == 1
    assert server.summed_up == 0


def test_engines_40_a_conversation_too_long_for_the_server_is_cut_once() -> None:
    """With its last turn it fits; the opening stays, and the whole conversation is in `history`."""

    def reply(body: dict[str, Any]) -> Answer:
        messages = body["messages"]
        if len(messages) > 8:
            told = "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens."
            return Raw.error(400, told, code="context_length_exceeded")
        done = any("were dropped" in message["content"] for message in messages)
        return cell("FINAL(len(history))") if done else cell(f"n = {len(messages)}\nprint(n)")

    with ScriptedModel(respond=reply) as server:
        run = solve_with(server)
        assert server.root_requests[-1]["messages"][:2] == server.root_requests[0]["messages"]
    assert (run.status, guards_of(run)) == ("answered", ["window"])
    assert run.answer == 10
    assert [turn.index for turn in run.iterations] == list(range(1, len(run.iterations) + 1))
    assert [message["content"] for message in run.history].count(run.iterations[2].text) == 1


def test_engines_40_what_can_be_cut_no_further_is_an_error_with_its_name() -> None:
    refusal = Raw.error(400, "maximum context length is 100 tokens, you requested 900", code="context_length_exceeded")
    with ScriptedModel([refusal]) as server, pytest.raises(ModelOverflow) as told:
        solve_with(server)
    assert told.value.run is not None
    assert told.value.run.status == "failed"


FIRST = cell("seen = len(context)\nprint(seen)\nFINAL('first answer')")
SECOND = cell(
    "print(len(context))\n"
    "FINAL({'now': context, 'before': context_0, 'also': context_1, 'said': history_0, 'seen': globals().get('seen')})"
)
THIRD = cell("print(1)\nFINAL((context, context_0, context_1, context_2, history_0[-1], history_1[-1], seen))")


@pytest.fixture
def forgetting() -> Iterator[None]:
    """Have no question before this one."""
    rlm_kernel.clean()
    for run in rlm_kernel.runs:
        run.talk = None
    yield
    rlm_kernel.clean()


@pytest.mark.parametrize("branch", ["fork", "spawn", "kernel:python3"])
def test_engines_43_a_persistent_session_goes_on(branch: str) -> None:
    """Also peers 64: variables, contexts and whole conversations are there; `context` is that of the question.

    A branch in another process has the variables that it is sent.
    """
    options: dict[str, Any] = {"window": 100_000, "branch": branch}
    with ScriptedModel([FIRST, SECOND, THIRD]) as server, RLM("m", server.base_url, persistent=True, **options) as rlm:
        one = rlm.solve("One?", "abc")
        two = rlm.solve("Two?", {"k": 1})
        if branch != "fork":
            rlm.settings = replace(rlm.settings, ship="seen")
        three = rlm.solve("Three?", [3])
        assert [said(server, turn).split("\n")[1] for turn in (1, 2, 3)] == ["One?", "Two?", "Three?"]
    said_then = two.answer["said"]
    assert one.answer == "first answer"
    assert (two.answer["now"], two.answer["before"], two.answer["also"]) == ({"k": 1}, "abc", {"k": 1})
    assert said_then == one.history
    assert said_then[-1] == {"role": "assistant", "content": FIRST}
    assert three.answer[:4] == ([3], "abc", {"k": 1}, [3])
    assert [reply["content"] for reply in three.answer[4:6]] == [FIRST, SECOND]
    assert three.answer[6] == 3
    assert two.answer["seen"] == (3 if branch == "fork" else None)


def test_engines_43_after_close_there_are_no_earlier_questions() -> None:
    look = cell("print(1)\nFINAL('context_1' in dir(__import__('builtins')))")
    with ScriptedModel([FIRST, look]) as server:
        rlm = RLM("m", server.base_url, persistent=True, branch="fork", window=100_000)
        rlm.solve("One?", "abc")
        rlm.close()
        assert rlm.solve("Two?", "abc").answer is False


@pytest.mark.usefixtures("forgetting")
def test_engines_43_a_question_may_follow_the_last_one() -> None:
    with ScriptedModel([FIRST, SECOND]) as server:
        namespace: dict[str, Any] = {}
        solve_with(server, "abc", "One?", branch="fork", namespace=namespace)
        run = solve_with(server, "defg", "Two?", branch="fork", namespace=namespace, follow=True)
        system = server.root_requests[1]["messages"][0]["content"]
    assert run.answer["seen"] == 3
    assert (run.answer["now"], run.answer["before"], run.answer["also"]) == ("defg", "abc", "defg")
    assert [message["role"] for message in run.answer["said"]] == ["system", "user", "assistant"]
    assert run.answer["said"][-1]["content"] == FIRST
    assert "history_0" in system


def test_engines_43_several_contexts_at_once_and_without_follow_none_of_the_last() -> None:
    code = cell(
        "FINAL((context, context_0, context_1, 'context_2' in dir(__import__('builtins')), 'history_0' in dir()))"
    )
    with ScriptedModel([FIRST, code]) as server:
        solve_with(server, "abc", branch="fork")
        run = solve_with(server, Contexts(a=[1], b="two"), branch="fork", look_first=False)
        opening = said(server, 2)
    assert run.answer == ([1], [1], "two", False, False)
    assert "context_0" in opening
    assert "context_1" in opening
