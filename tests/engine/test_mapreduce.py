"""One question over a long text: parts that cover it, notes put together, and honesty about what is missing."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.engine.pieces import cut, over, pack
from rlm_kernel.trajectory import events as ev
from support.openai_server import Raw, Reply
from support.trees import Grown, grow

WINDOW = 4_000  # tokens: parts of about 3,400 characters


def lines(count: int, mark: dict[int, str] | None = None) -> str:
    """Return numbered lines of about 50 characters; some of them are others."""
    return "".join(f"{(mark or {}).get(n, f'Line {n:06} says nothing that anybody asks for.')}\n" for n in range(count))


def facts(body: dict[str, Any]) -> str:
    """Play a model that notes down lines with FACT, and puts notes together as they are."""
    prompt = body["messages"][0]["content"]
    found = re.findall(r"FACT .*", prompt.partition("</")[0])
    return "\n".join(dict.fromkeys(found)) or "NOT_RELEVANT"


def kinds(grown: Grown) -> list[str]:
    return [event.kind for event in grown.of(ev.SubcallStarted)]


def parts_of(grown: Grown) -> list[str]:
    starts = [event for event in grown.of(ev.SubcallStarted) if event.kind == "map"]
    return [event.prompt.partition("\n")[2].rpartition("\n</text>")[0] for event in starts]


# ----- pieces ------------------------------------------------------------------------------------------------


@given(st.text(alphabet="ab .\n", max_size=2_000), st.integers(20, 300))
def test_parts_cover_everything_and_overlap(text: str, size: int) -> None:
    places = cut(text, size)
    assert places[0][0] == 0
    assert places[-1][1] == len(text)
    assert all(end - start <= size for start, end in places)
    for (start, end), (following, _) in pairwise(places):
        assert start < following <= end - int(size * 0.15)


def test_parts_end_where_a_line_a_sentence_or_a_word_ends() -> None:
    for border in ("\n", ". ", " "):
        text = f"{'x' * 28}{border}" * 100
        assert all(text[:end].endswith(border) for _, end in cut(text, 500)[:-1])
    assert len(cut("x" * 10_000_000, 100_000)) < 130


@given(st.lists(st.text(max_size=400), max_size=30), st.integers(150, 500))
def test_notes_are_packed_in_order_and_none_is_lost(notes: list[str], room: int) -> None:
    groups = pack(notes, room)
    assert sum(len(group) for group in groups) == len(notes)
    assert all(len("\n".join(group)) <= room for group in groups)
    if all(len(note) <= room for note in notes):
        assert [note for group in groups for note in group] == notes


# ----- one call or many --------------------------------------------------------------------------------------


def test_a_text_that_fits_is_one_call_with_the_data_first() -> None:
    grown = grow(lambda g: g.ask("How many?", contexts=["a\nb"]), sub=lambda prompt: "2")
    assert grown.result == [{"text": "2"}]
    assert grown.server.sub_prompts == ["<text>\na\nb\n</text>\n\nHow many?"]
    assert kinds(grown) == ["llm_query"]


def test_engines_36_two_questions_on_one_text_share_the_prefix_with_it() -> None:
    text = lines(50)
    grown = grow(lambda g: g.ask("Who?", "When, and where?", contexts=[text, text]))
    first, second = grown.server.sub_prompts
    shared = over(text, "")
    assert first.startswith(shared)
    assert second.startswith(shared)


def test_engines_35_facts_that_are_far_apart_meet_in_the_reduce_step() -> None:
    """Also peers 46: a megabyte with two hops in it, every character of which is in some part."""
    marks = {500: "FACT Ada works on project Kestrel.", 20_500: "FACT Project Kestrel is in Oslo."}
    text = lines(21_500, marks)
    assert len(text) > 1_000_000

    def reply(body: dict[str, Any]) -> str:
        prompt = body["messages"][0]["content"]
        if "Where does Ada work" in prompt and "Kestrel is in Oslo" in prompt and "Ada works on" in prompt:
            return "Ada works in Oslo."
        return facts(body)

    grown = grow(lambda g: g.ask("Where does Ada work?", contexts=[text]), respond=reply, window=WINDOW * 10)
    assert grown.result == [{"text": "Ada works in Oslo."}]
    assert kinds(grown).count("reduce") == 1
    parts = parts_of(grown)
    assert {line for part in parts for line in part.splitlines()} >= set(text.splitlines())
    assert not any("Where does Ada" in r for r in grown.server.sub_prompts[: len(parts)])  # whatever the question


def test_the_parts_of_one_question_are_asked_at_once() -> None:
    async def held(g: Grown) -> Any:
        g.server.hold()
        asked = asyncio.ensure_future(g.ask("Who?", contexts=[lines(400)]))
        for _ in range(5):
            await asyncio.to_thread(g.server.arrived.acquire)
        g.server.held.set()
        return await asked

    grown = grow(held, respond=facts, window=WINDOW)
    assert kinds(grown).count("map") >= 5


# ----- what is not there -------------------------------------------------------------------------------------


def test_engines_35_a_text_without_anything_relevant_is_said_to_have_nothing() -> None:
    grown = grow(lambda g: g.ask("Who?", contexts=[lines(400)]), respond=lambda body: "`NOT_RELEVANT`.", window=WINDOW)
    assert grown.result[0]["text"].startswith("Nothing found")
    assert "reduce" not in kinds(grown)


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_text_is_said_to_be_empty_without_a_call(text: str) -> None:
    grown = grow(lambda g: g.ask("Who?", contexts=[text]))
    assert "empty" in grown.result[0]["text"]
    assert not grown.server.requests


def test_a_note_about_the_sentinel_is_no_sentinel() -> None:
    said = "The text explains that NOT_RELEVANT is a code word."
    grown = grow(lambda g: g.ask("Who?", contexts=[lines(400)]), respond=lambda body: said, window=WINDOW)
    assert grown.result[0]["text"] == said


# ----- what goes wrong ---------------------------------------------------------------------------------------


def test_engines_35_parts_that_could_not_be_read_are_reported() -> None:
    marks = {10: "FACT one", 200: "FAIL", 395: "FACT two"}

    def reply(body: dict[str, Any]) -> str | Raw:
        return Raw.error(400, "bad words") if "FAIL" in body["messages"][0]["content"] else facts(body)

    grown = grow(lambda g: g.ask("Which?", contexts=[lines(400, marks)]), respond=reply, window=WINDOW)
    total = kinds(grown).count("map")
    told = grown.result[0]["text"]
    assert re.fullmatch(rf"FACT one\nFACT two\n\[[12] of {total} parts could not be read\]", told)
    assert [e.guard for e in grown.of(ev.GuardActed)] == ["context"]


def test_if_no_part_can_be_read_the_question_has_failed() -> None:
    grown = grow(
        lambda g: g.ask("Which?", contexts=[lines(400)]), sub=lambda p: Raw.error(400, "bad words"), window=WINDOW
    )
    assert grown.result[0]["kind"] == "failed"
    assert "bad words" in grown.result[0]["error"]


def test_engines_28_parts_over_the_limit_are_not_read_and_that_is_said() -> None:
    text = lines(400, {10: "FACT one"})
    grown = grow(lambda g: g.ask("Which?", contexts=[text]), respond=facts, window=WINDOW, max_subcalls=4)
    assert kinds(grown) == ["map", "map", "map", "reduce"]
    assert re.fullmatch(r"FACT one\n\[\d+ of \d+ parts could not be read\]", grown.result[0]["text"])


def test_notes_are_not_lost_if_they_cannot_be_put_together() -> None:
    def reply(body: dict[str, Any]) -> str | Raw:
        prompt = body["messages"][0]["content"]
        return Raw.error(400, "bad words") if prompt.startswith("<notes>") else facts(body)

    text = lines(400, {10: "FACT one"})
    grown = grow(lambda g: g.ask("Which?", contexts=[text]), respond=reply, window=WINDOW)
    assert grown.result[0]["kind"] == "failed"
    assert "FACT one" in grown.result[0]["error"]


def test_a_question_that_leaves_no_room_for_the_text_is_oversize() -> None:
    grown = grow(lambda g: g.ask("Why? " * 1_000, contexts=[lines(400)]), window=WINDOW)
    assert grown.result[0]["kind"] == "oversize"
    assert not grown.server.requests


# ----- putting together --------------------------------------------------------------------------------------


def test_many_notes_are_reduced_in_levels() -> None:
    """Each part has notes as long as a third of a step; merging halves them."""

    def reply(body: dict[str, Any]) -> str:
        prompt = body["messages"][0]["content"]
        if prompt.startswith("<text>"):
            return f"FACT of the part from {prompt[7:18]} " + "n" * 1_000
        return "END" if prompt.endswith("Which?") and "Merge" not in prompt else "merged " + "m" * 500

    grown = grow(lambda g: g.ask("Which?", contexts=[lines(1_200)]), respond=reply, window=WINDOW)
    assert grown.result == [{"text": "END"}]
    reduces = [e.prompt for e in grown.of(ev.SubcallStarted) if e.kind == "reduce"]
    assert len(reduces) > 4
    assert all(len(prompt) <= WINDOW for prompt in grown.server.sub_prompts)


def test_notes_that_do_not_get_shorter_are_cut_and_that_is_said() -> None:
    grown = grow(
        lambda g: g.ask("Which?", contexts=[lines(1_200)]),
        respond=lambda body: "n" * 2_500,
        window=WINDOW,
        max_concurrency=64,
    )
    assert grown.result[0]["text"].endswith("[the notes on the parts were too long and were cut]")
    assert "characters cut" in grown.server.sub_prompts[-1]
    assert all(len(prompt) <= WINDOW for prompt in grown.server.sub_prompts)


def test_with_a_reduce_instruction_the_question_is_asked_of_each_part() -> None:
    def reply(body: dict[str, Any]) -> str:
        prompt = body["messages"][0]["content"]
        return "SUM" if prompt.startswith("<notes>") else "COUNT"

    grown = grow(lambda g: g.ask("Count them.", contexts=[lines(400)], reduce="Add up."), respond=reply, window=WINDOW)
    assert grown.result == [{"text": "SUM"}]
    *parts, last = grown.server.sub_prompts
    assert all("Count them." in prompt and "Add up." not in prompt for prompt in parts)
    assert "Add up." in last


def test_a_schema_is_for_the_last_step() -> None:
    def reply(body: dict[str, Any]) -> str:
        return "[1, 2]" if body["messages"][0]["content"].startswith("<notes>") else "FACT"

    schema = {"type": "array", "items": {"type": "integer"}}
    grown = grow(lambda g: g.ask("Which?", contexts=[lines(400)], schema=schema), respond=reply, window=WINDOW)
    assert grown.result == [{"text": "[1, 2]", "value": [1, 2]}]


# ----- memory ------------------------------------------------------------------------------------------------


def test_engines_35_parts_are_read_once_for_all_questions() -> None:
    text = lines(400, {10: "FACT one"})

    async def questions(g: Grown) -> None:
        await g.ask("Which?", "Who?", contexts=[text, text])
        await g.ask("When?", contexts=[text])

    grown = grow(questions, respond=facts, window=WINDOW)
    maps = [e.prompt for e in grown.of(ev.SubcallStarted) if e.kind == "map"]
    assert len(maps) == len(set(maps)) > 3
    assert kinds(grown).count("reduce") == 3


def test_another_model_reads_for_itself_and_a_failure_is_not_remembered() -> None:
    text, failing = lines(400, {10: "FACT one"}), [True]

    def reply(body: dict[str, Any]) -> str | Raw | Reply:
        return Raw.error(400, "not now") if failing[0] else facts(body)

    async def questions(g: Grown) -> list[int]:
        counts = []
        for model in ("one", "one", "two"):
            await g.ask("Which?", contexts=[text], model=model)
            counts.append(kinds(g).count("map"))
            failing[0] = False
        return counts

    first, second, third = grow(questions, respond=reply, window=WINDOW).result
    assert (second, third) == (2 * first, 3 * first)


def test_engines_35_the_memory_is_bounded() -> None:
    async def many(g: Grown) -> int:
        for number in range(300):

            async def make(text: str = str(number)) -> str:
                return text

            await g.tree.mapped.get(number, make)
        return len(g.tree.mapped)

    grown = grow(many)
    assert grown.result == 256
    assert 299 in grown.tree.mapped
    assert 0 not in grown.tree.mapped
