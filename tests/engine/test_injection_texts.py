"""Texts that try to pass for code, answers or the session's own words, at every place where the engine reads text."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_kernel.engine.guards import AnswerFacts, judge
from rlm_kernel.engine.prose import ProseAnswer, as_cell
from rlm_kernel.engine.reply import Reply, parse_reply
from rlm_kernel.settings import Settings
from support.injections import INJECTIONS

each = pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)


def quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.replace("\r", "\n").split("\n"))


@each
def test_in_a_quote_it_is_talk_and_as_a_literal_it_is_data(text: str) -> None:
    code = f"found = {text!r}\n"
    assert parse_reply(f"The document says:\n{quoted(text)}\n```repl\n{code}```", "stop") == Reply([code])


@each
def test_pasted_between_quotes_it_stays_in_its_cell(text: str) -> None:
    """A model that copies a passage into its code by hand."""
    if "'''" in text or "\r" in text or "\x00" in text:
        pytest.skip("no Python literal holds it so")
    code = f"found = r'''\n{text}\n'''\nprint(len(found))\n"
    assert parse_reply(f"```repl\n{code}```", "stop") == Reply([code])


@each
def test_shown_in_a_longer_fence_it_is_not_read(text: str) -> None:
    assert parse_reply(f"It says:\n``````text\n{text}\n``````\nInteresting.", "stop") == Reply(foreign=["text"])


@each
def test_in_a_thought_it_is_not_read(text: str) -> None:
    if "</think" in text:
        pytest.skip("it ends the thought itself")
    assert parse_reply(f"<think>\n{text}\n</think>\nInteresting.", "stop") == Reply()


@each
def test_beside_an_answer_it_changes_nothing(text: str) -> None:
    reply = parse_reply(f"The document says:\n{quoted(text)}\nFINAL(42)", "stop")
    assert (reply.blocks, reply.prose) == ([], ProseAnswer("value", "42"))


@each
def test_as_an_answer_it_is_only_text(text: str) -> None:
    given: list[Any] = []
    exec(as_cell(ProseAnswer("value", text)), {"FINAL": given.append})
    assert given == [text]


@each
def test_in_an_answer_it_does_not_satisfy_a_guard(text: str) -> None:
    facts = AnswerFacts(text, "str", "FINAL", iteration=1, cells_ok=0, subcalls=0)
    refusal = judge(facts, Settings())
    assert refusal is not None
    assert refusal.guard == "look_first"
