"""Sub-calls, in whole runs: who is asked, what is sent, and what a cell gets where something is wrong."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from support.families import Family, guards_of
from support.openai_server import Answer, Raw, Reply, ScriptedModel
from support.solving import cell, said, solve_with


def test_engines_21_one_prompt_of_three_fails_alone() -> None:
    """Also peers 8, and the defect that one bad prompt kills a batch."""
    batch = "replies = llm_query_batched(['a', 'b', 'c'])\nFINAL([str(r) if r else [str(r)] for r in replies])"
    with ScriptedModel([cell(batch)], sub=lambda p: Raw.error(400, "b is odd") if p == "b" else p.upper()) as server:
        run = solve_with(server)
    first, [second], third = run.answer
    assert (first, third) == ("A", "C")
    assert "b is odd" in second
    assert [bool(call.error) for call in sorted(run.subcalls, key=lambda call: call.prompt)] == [False, True, False]


def test_engines_22_an_unknown_model_is_an_error_and_the_model_told_is_the_model_asked() -> None:
    def reply(body: dict[str, Any]) -> Answer:
        if body["messages"][0]["role"] == "system":
            return (
                cell("kept = llm_query('x', model='other')\nllm_query('x', model='nope')")
                if len(body["messages"]) == 2
                else done
            )
        return Raw.error(404, "there is no model nope") if body["model"] == "nope" else body["model"]

    done = cell("FINAL(kept)")
    with ScriptedModel(respond=reply) as server:
        run = solve_with(server, sub_model="small")
        assert "there is no model nope" in said(server, 2)
        assert [request["model"] for request in server.requests] == ["scripted", "other", "nope", "scripted"]
    assert run.answer == "other"
    assert [call.model for call in run.subcalls] == ["other", "nope"]
    assert set(run.usage_by("model")) == {"scripted", "other", "nope"}


def test_engines_23_every_role_has_its_model_at_every_depth() -> None:
    """Also peers 11: root, sub-calls, children, verifier and engineer, each call with its role."""
    verdict = json.dumps({"approve": True, "reason": ""})
    script = {
        "Root?": [cell("print(llm_query('leaf'))\nFINAL(rlm_query('Child?'))")],
        "Child?": [cell("print(llm_query('leaf of child'))\nFINAL(1)")],
    }
    options: dict[str, Any] = {
        "sub_model": "small",
        "verifier_model": "judge",
        "verify_answer": True,
        "engineer": "brief",
    }
    with Family(script, sub=lambda p: verdict if "approve" in p else "a reply") as server:
        run = solve_with(server, "context " * 500, "Root?", **options)
        models = {(r["model"], r["messages"][0]["role"]) for r in server.requests}
    assert run.status == "answered"
    assert models == {("scripted", "system"), ("small", "system"), ("small", "user"), ("judge", "user")}
    assert set(run.usage_by("role")) == {"root", "child", "llm_query", "verifier", "engineer"}
    assert {m: u.calls for m, u in run.usage_by("model").items()} == {"scripted": 1, "small": 4, "judge": 1}


def test_engines_26_every_request_has_a_ceiling_on_its_reply() -> None:
    script = {
        "Root?": [cell("llm_query('leaf', max_tokens=9)\nFINAL(rlm_query('Child?'))")],
        "Child?": [cell("FINAL(llm_query('x'))")],
    }
    with Family(script) as server:
        solve_with(server, "abc", "Root?", look_first=False, reply_limit=700, subcall_reply_limit=300)
        ceilings = [request.get("max_completion_tokens", request.get("max_tokens")) for request in server.requests]
    assert ceilings == [700, 9, 700, 300]
    with Family(script) as server:
        solve_with(server, "abc", "Root?", look_first=False)
        assert all("max_completion_tokens" in r or "max_tokens" in r for r in server.requests)


@pytest.mark.parametrize(
    ("on", "asked"), [(True, 'What of BODY? {n} {"a": 1}'), (False, 'What of {body}? {n} {"a": 1}')]
)
def test_engines_30_a_forgotten_f_prefix_is_filled_in(on: bool, asked: str) -> None:
    code = "body = 'BODY'\nn = 5\nFINAL(llm_query('What of {body}? {n} {\"a\": 1}'))"
    with ScriptedModel([cell(code)]) as server:
        solve_with(server, repair_placeholders=on)
        assert server.sub_prompts == [asked]


@pytest.mark.parametrize(("on", "answer"), [(True, "some"), (False, None)])
def test_engines_29_a_doubled_call_is_repaired(on: bool, answer: str | None) -> None:
    with ScriptedModel([cell("def f():\n    return lambda: 1\nassert f()() == 1\nFINAL('SOME'.lower()())")]) as server:
        run = solve_with(server, repair_calls=on, max_iterations=1, final_turn=False)
    assert run.answer == answer


@pytest.mark.parametrize("word", ["llm_query('x' * 50_000)", "llm_query_batched(['x' * 50_000])[0]"])
def test_engines_34_an_oversize_prompt_is_not_sent(word: str) -> None:
    """Also peers 46."""
    with ScriptedModel([cell(f"told = {word}\nprint(told)\nFINAL(bool(told))")]) as server:
        run = solve_with(server, window=8_000)
        assert server.sub_prompts == []
    told = run.iterations[0].cells[0].stdout
    assert run.answer is False
    assert "8,000 characters" in told
    assert "context=" in told
    assert guards_of(run) == ["window"]


FACTS = {100_000: "Mara leads the project Heron.", 900_000: "The project Heron is in Oslo."}


def reader(prompt: str) -> str:
    """Read a part, or put together what the parts say, by nothing but what is in the prompt."""
    found = [fact for fact in FACTS.values() if fact in prompt]
    if len(found) == 2:
        return "Oslo"
    return found[0] if found else "NO_RELEVANT_INFO"


def hidden(size: int = 1_000_000) -> str:
    """Return a long text with two facts far apart."""
    text = "It was a quiet day on the coast. " * (size // 33 + 1)
    for place, fact in FACTS.items():
        text = f"{text[:place]} {fact} {text[place:]}"
    return text


def test_engines_35_a_long_text_is_read_in_parts_by_the_sub_model() -> None:
    """Also peers 46: two facts, far apart, meet; every part is read, and what could not be read is said."""
    text = hidden()
    ask = cell("FINAL(llm_query('In which city does Mara work?', context=context))")
    with ScriptedModel([ask], sub=reader) as server:
        run = solve_with(server, text, window=100_000)
        prompts = list(server.sub_prompts)
    assert run.answer == "Oslo"
    assert {call.kind for call in run.subcalls} == {"map", "reduce"}
    marks = range(0, len(text) - 200, 9_973)
    assert [at for at in marks if not any(text[at : at + 30] in prompt for prompt in prompts)] == []
    broken = {"left": 1}

    def failing(prompt: str) -> Answer:
        if broken["left"] and FACTS[900_000] in prompt:
            return Raw.error(400, "unreadable")
        return reader(prompt)

    with ScriptedModel([ask], sub=failing) as server:
        run = solve_with(server, text, window=100_000)
    assert run.answer != "Oslo"
    assert re.search(r"1 of 1\d", run.answer)


def test_engines_36_questions_over_one_text_share_its_prefix() -> None:
    ask = cell("FINAL(llm_query_batched(['Who is it?', 'And where?'], context=context))")
    with ScriptedModel([ask], sub=lambda prompt: prompt[-20:]) as server:
        solve_with(server, "the text " * 500)
        one, two = server.sub_prompts
    assert one[:4_500] == two[:4_500]
    assert one != two


@pytest.mark.parametrize("on", [True, False])
def test_engines_37_a_reply_in_code_is_asked_for_again_in_words(on: bool) -> None:
    replies = {1: "find_it(text)", 3: "It is blue."}

    def reply(body: dict[str, Any]) -> Answer:
        if body["messages"][0]["role"] == "system":
            return cell("print(llm_query('Which colour?'))\nFINAL(1)")
        return replies[len(body["messages"])]

    with ScriptedModel(respond=reply) as server:
        run = solve_with(server, prose_subcalls=on)
    assert run.iterations[0].cells[0].stdout == ("It is blue.\n" if on else "find_it(text)\n")
    assert guards_of(run) == ["prose_subcalls"] * on


@pytest.mark.parametrize(("tools", "refused"), [({"lookup": len}, True), ({}, False)])
def test_engines_39_the_whole_context_is_not_passed_on_where_there_are_tools(
    tools: dict[str, Any], refused: bool
) -> None:
    code = cell(
        "told = llm_query('What is it?', context=context)\n"
        "part = llm_query('And?', context=context[:9])\nFINAL(bool(told))"
    )
    with ScriptedModel([code]) as server:
        run = solve_with(server, "the context of the root", tools=tools)
        assert len(server.sub_prompts) == (1 if refused else 2)
    assert run.answer is not refused
    assert guards_of(run) == ["reject_self_delegation"] * refused


TASK = (
    "Read every one of the customer letters in the archive, decide for each of them whether the customer complains "
    "about the price or about the delivery, and count both kinds by month and by region."
)


def test_engines_41_the_whole_task_is_not_passed_on_to_a_child() -> None:
    """Also peers 45: also in a batch, which returns the reasons; nothing is sent, a part of the task is let through."""
    code = (
        f"told = rlm_query_batched([{TASK!r}, {TASK!r} + ' Please.'])\n"
        f"part = rlm_query('How many letters are there?')\nprint(told, part)\nFINAL([bool(t) for t in told])"
    )
    with Family({TASK: [cell(code)], "How many letters are there?": [cell("FINAL('7')")]}) as server:
        run = solve_with(server, "letters", TASK, look_first=False)
        assert len(server.requests) == 2
    assert run.answer == [False, False]
    assert guards_of(run) == ["verify_subcalls"] * 2
    assert "Not asked" in run.iterations[0].cells[0].stdout


def test_engines_83_images_reach_the_model(workdir: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(32)
    (workdir / "b.png").write_bytes(png)
    ask = cell(
        "from pathlib import Path\nFINAL(llm_query('What is this?', images=[context[0], Path('b.png').resolve()]))"
    )
    with ScriptedModel(respond=lambda body: ask if body["messages"][0]["role"] == "system" else "a cat") as server:
        run = solve_with(server, [png], branch="fork")
        content = server.requests[1]["messages"][0]["content"]
    assert run.answer == "a cat"
    assert [part["type"] for part in content].count("image_url") == 2
    assert all(p["image_url"]["url"].startswith("data:image/png;base64,") for p in content if p["type"] == "image_url")


def test_peers_07_one_argument_or_two() -> None:
    code = "FINAL([llm_query('p'), llm_query(['row'], 'Count them.'), llm_query('q', model='m2', max_tokens=7)])"
    with ScriptedModel([cell(code)]) as server:
        run = solve_with(server)
        last = server.requests[-1]
    assert run.answer[0] == "p"
    assert run.answer[1] == "row\n\nCount them."
    assert (last["model"], last.get("max_completion_tokens", last.get("max_tokens"))) == ("m2", 7)


def test_peers_08_twenty_prompts_go_out_together_and_come_back_in_order() -> None:
    """Ten requests wait for each other before any is answered, so they were in flight at once."""
    together, seen = threading.Barrier(10), set[int]()

    def reply(prompt: str) -> Answer:
        number = int(prompt)
        if number < 10 and number not in seen:
            seen.add(number)
            together.wait(60)
        return Raw.error(400, "no thirteen") if number == 13 else f"<{prompt}>"

    ask = cell("replies = llm_query_batched([f'{n}' for n in range(20)])\nFINAL([str(r) for r in replies])")
    with ScriptedModel([ask], sub=reply) as server:
        run = solve_with(server, max_concurrency=10)
    assert [answer for n, answer in enumerate(run.answer) if n != 13] == [f"<{n}>" for n in range(20) if n != 13]
    assert "no thirteen" in run.answer[13]


def test_peers_09_equal_prompts_are_one_call() -> None:
    with ScriptedModel([cell("FINAL(llm_query_batched(['same'] * 10))")]) as server:
        run = solve_with(server, max_subcalls=1)
        assert server.sub_prompts == ["same"]
    assert run.answer == ["same"] * 10


def test_engines_31_a_reply_of_nothing_but_reasoning_is_used_and_marked() -> None:
    """Also engines 32 and 33: replies that repeat themselves are cut off, of the root and of a batch alike."""
    loop = "and so it goes on and on without an end " * 300
    replies: dict[str, Answer] = {"think": Reply(reasoning="x" * 5_000 + "so it is seven"), "loop": loop}
    script = [loop, cell("a, b = llm_query_batched(['think', 'loop'])\nprint(a)\nFINAL((len(a), len(b)))")]
    with ScriptedModel(script, sub=replies.__getitem__) as server:
        run = solve_with(server, output_limit=9_000)
    tail = run.iterations[1].cells[0].stdout
    assert tail.strip().endswith("so it is seven")
    assert 1_500 <= run.answer[0] < 1_700
    assert run.answer[1] < len(loop) / 2
    assert sorted(guards_of(run)) == ["reasoning_only", "repeat_guard", "repeat_guard"]


def test_engines_34_the_sub_models_own_window_counts() -> None:
    code = "print(llm_query('x ' * 30_000))\nFINAL(bool(llm_query('short')))"
    pages = {"/v1/models": {"data": [{"id": "big", "max_model_len": 200_000}, {"id": "small", "max_model_len": 4_000}]}}
    with ScriptedModel([cell(code)], pages=pages) as server:
        run = solve_with(server, model="big", sub_model="small", window=None)
        assert server.sub_prompts == ["short"]
    assert run.answer is True
