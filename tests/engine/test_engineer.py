"""The context engineer: a brief once, notes with sub-calls, each paid for, none needed."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_kernel.engine.engineer import excerpts, surroundings, write_brief
from rlm_kernel.trajectory import events as ev
from support.openai_server import Raw
from support.trees import Grown, grow

WHOLE = "\n".join(
    f"Entry {number}: the lamp of room {number} was seen to by keeper {number % 7}." for number in range(900)
)
PIECE = WHOLE[20_000:22_000]


def engineered(mode: str, reply: str | Raw = "WRITTEN", prompt: str = f"{PIECE}\n\nWho saw to it?") -> Grown:
    """Return a tree on which a brief was asked for and then one sub-call."""

    async def steps(g: Grown) -> Any:
        brief = await write_brief(g.tree, g.events.append)
        return brief, (await g.ask(prompt))[0]["text"]

    def said(body: dict[str, Any]) -> str | Raw:
        asked = body["messages"][0]["content"]
        return reply if asked.startswith(("<excerpts>", "<surroundings>")) else asked

    return grow(steps, respond=said, context_text=WHOLE, engineer=mode)


@pytest.mark.parametrize(
    ("mode", "brief", "noted", "asked"),
    [("off", "", False, 0), ("brief", "WRITTEN", False, 1), ("notes", "", True, 1), ("both", "WRITTEN", True, 2)],
)
def test_peers_47_four_modes_each_paid_for(mode: str, brief: str, noted: bool, asked: int) -> None:
    grown = engineered(mode)
    written, sent = grown.result
    assert written == brief
    assert sent.startswith(PIECE)
    assert ("WRITTEN" in sent) == noted
    consulted = grown.of(ev.Consulted)
    assert [event.role for event in consulted] == ["engineer"] * asked
    assert grown.tree.budget.usage.calls == asked + 1
    assert len(grown.of(ev.SubcallStarted)) == 1


def test_peers_47_it_is_off_by_default() -> None:
    assert grow(lambda g: g.ask(PIECE), context_text=WHOLE).tree.budget.usage.calls == 1


def test_peers_47_where_it_fails_the_run_goes_on_without_and_that_is_seen() -> None:
    grown = engineered("both", Raw.error(400, "no"))
    written, sent = grown.result
    assert written == ""
    assert sent == f"{PIECE}\n\nWho saw to it?"
    assert [event.guard for event in grown.of(ev.GuardActed)] == ["engineer", "engineer"]
    assert all(event.error for event in grown.of(ev.Consulted))


def test_a_brief_sees_bounded_excerpts_of_all_of_the_text() -> None:
    long = "".join(f"[{number}]" for number in range(1_000_000))
    shown = excerpts(long)
    assert len(shown) < 8 * 1_600
    assert long[:1_000] in shown
    assert long[-1_000:] in shown
    assert excerpts("short") == "short"


def test_a_brief_of_something_that_is_no_text_uses_its_card() -> None:
    grown = grow(
        lambda g: write_brief(g.tree, g.events.append, text="a table of 3 rows"), sub=lambda p: "B", engineer="brief"
    )
    assert grown.result == "B"
    assert "a table of 3 rows" in grown.server.sub_prompts[0]


def test_a_note_is_written_from_what_stands_around_the_piece() -> None:
    at = WHOLE.find(PIECE)
    around, head = surroundings(WHOLE, f"Who saw to it?\n\n{PIECE}") or ("", "")
    assert around == WHOLE[at - 500 : at + 200 + 500]
    assert PIECE.startswith(head)
    assert surroundings(WHOLE, "A question without any piece of the text in it, but rather long.") is None
    assert surroundings(WHOLE, "Entry") is None


def test_a_piece_that_cannot_be_found_costs_no_note() -> None:
    grown = engineered("notes", prompt="What is the capital of the country to the north of here?")
    assert grown.tree.budget.usage.calls == 1
