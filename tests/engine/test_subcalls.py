"""Sub-calls over real HTTP: what is sent, what comes back in which place, and which limit or guard acted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from typing import Any

import pytest

from rlm_kernel.engine.hooks import Hooks
from rlm_kernel.errors import ModelRejected, SubcallError
from rlm_kernel.trajectory import events as ev
from support.openai_server import Raw, Reply
from support.trees import Grown, grow


def kinds(replies: list[dict[str, Any]]) -> list[str]:
    return [reply.get("kind", "text") for reply in replies]


def guards(grown: Grown) -> list[str]:
    return [event.guard for event in grown.of(ev.GuardActed)]


# ----- batches -----------------------------------------------------------------------------------------------


def test_peers_08_a_batch_keeps_order_and_one_failure_fails_alone() -> None:
    """Also engines 20, 21: all are in flight at once."""
    prompts = [f"p{number}" for number in range(16)]
    together = threading.Barrier(16)

    def reply(prompt: str) -> str | Raw:
        together.wait(timeout=30)
        return Raw.error(400, "no such thing") if prompt == "p7" else prompt.upper()

    grown = grow(lambda g: g.ask(*prompts), sub=reply)
    assert kinds(grown.result) == ["failed" if number == 7 else "text" for number in range(16)]
    assert "no such thing" in grown.result[7]["error"]
    assert [r["text"] for r in grown.result if "text" in r] == [p.upper() for p in prompts if p != "p7"]
    assert sorted(e.prompt for e in grown.of(ev.SubcallStarted)) == sorted(prompts)
    assert {e.batch for e in grown.of(ev.SubcallStarted)} == {1}


def test_peers_09_equal_prompts_are_asked_once() -> None:
    grown = grow(lambda g: g.ask(*["same"] * 10, "other"), sub=str.upper)
    assert [r["text"] for r in grown.result] == ["SAME"] * 10 + ["OTHER"]
    assert sorted(grown.server.sub_prompts) == ["other", "same"]
    assert len(grown.of(ev.SubcallStarted)) == 2
    assert grown.tree.budget.subcalls == 2


def test_the_same_prompt_with_another_image_is_another_question() -> None:
    images = [["data:image/png;base64,AA=="], ["data:image/png;base64,BB=="], ["data:image/png;base64,AA=="]]
    grown = grow(lambda g: g.ask("look", "look", "look", images=images), respond=lambda body: "seen")
    assert len(grown.server.requests) == 2


def test_engines_83_images_reach_the_model() -> None:
    image = "data:image/png;base64,AA=="
    grown = grow(lambda g: g.ask("What is this?", images=[[image]]), respond=lambda body: "a dot")
    [request] = grown.server.requests
    parts = request["messages"][-1]["content"]
    assert [part["image_url"]["url"] for part in parts if part["type"] == "image_url"] == [image]


def test_engines_63_no_more_calls_in_flight_than_the_tree_allows() -> None:
    """Batches do not multiply: root, children and all batches share the places."""
    most, now, lock = 0, 0, threading.Lock()

    def reply(prompt: str) -> str:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        entered.release()
        go.wait(timeout=30)
        with lock:
            now -= 1
        return prompt

    entered, go = threading.Semaphore(0), threading.Event()

    async def two_batches(g: Grown) -> None:
        asked = asyncio.gather(g.ask("a", "b", "c"), g.ask("d", "e", "f"))
        for _ in range(2):
            await asyncio.to_thread(entered.acquire)
        go.set()
        await asked

    grow(two_batches, sub=reply, max_concurrency=2)
    assert most == 2


# ----- who is asked ------------------------------------------------------------------------------------------


def test_engines_22_an_unknown_model_is_an_error_and_never_another_model() -> None:
    def reply(body: dict[str, Any]) -> str | Raw:
        return Raw.error(404, "no model nope") if body["model"] == "nope" else "hello"

    async def both(g: Grown) -> list[dict[str, Any]]:
        return [*await g.ask("x", model="nope"), *await g.ask("x", model="big")]

    grown = grow(both, respond=reply)
    assert kinds(grown.result) == ["failed", "text"]
    assert "nope" in grown.result[0]["error"]
    assert [r["model"] for r in grown.server.requests] == ["nope", "big"]
    assert [e.model for e in grown.of(ev.SubcallStarted)] == ["nope", "big"]


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_engines_23_every_depth_asks_the_sub_model(depth: int) -> None:
    """Also peers 11."""
    grown = grow(lambda g: g.ask("x"), depth=depth)
    assert [r["model"] for r in grown.server.requests] == ["small"]


def ceilings(request: dict[str, Any]) -> set[int]:
    return {request[name] for name in ("max_tokens", "max_completion_tokens") if name in request}


@pytest.mark.parametrize(("asked", "sent"), [(None, 100), (40, 40), (4000, 100)])
def test_engines_26_replies_have_a_ceiling(asked: int | None, sent: int) -> None:
    grown = grow(lambda g: g.ask("x", max_tokens=asked), subcall_reply_limit=100)
    assert ceilings(grown.server.requests[0]) == {sent}


def test_a_reply_that_was_cut_says_so() -> None:
    grown = grow(lambda g: g.ask("x"), sub=lambda prompt: Reply("half a sent", finish_reason="length"))
    assert grown.result == [{"text": "half a sent [reply cut off at the length limit]"}]


def test_secrets_leave_the_process_in_no_prompt_and_no_event() -> None:
    key = "sk-" + "a" * 30
    grown = grow(lambda g: g.ask(f"my key is {key} and HUNTER2222"), environ={"MY_TOKEN": "HUNTER2222"})
    assert "secret" in grown.server.sub_prompts[0]
    assert not any(secret in str([grown.server.requests, grown.events]) for secret in (key, "HUNTER2222"))
    assert guards(grown) == ["redact"]


# ----- limits ------------------------------------------------------------------------------------------------


def test_engines_28_after_the_last_sub_call_nothing_is_sent() -> None:
    """Also peers 35: a loop of a thousand calls makes five."""

    async def loop(g: Grown) -> list[dict[str, Any]]:
        return [(await g.ask(f"p{number}"))[0] for number in range(1000)]

    grown = grow(loop, max_subcalls=5)
    assert kinds(grown.result) == ["text"] * 5 + ["limit"] * 995
    assert "max_subcalls=5" in grown.result[-1]["error"]
    assert "answer now" in grown.result[-1]["error"]
    assert len(grown.server.requests) == 5
    assert guards(grown) == ["max_subcalls"]  # once, not 995 times
    assert grown.subcalls.made == 5
    assert set(grown.subcalls.told) == {grown.result[-1]["error"]}


def test_engines_28_a_batch_sends_what_fits() -> None:
    grown = grow(lambda g: g.ask("a", "b", "c", "d"), max_subcalls=3)
    assert kinds(grown.result) == ["text", "text", "text", "limit"]
    assert sorted(grown.server.sub_prompts) == ["a", "b", "c"]


def test_peers_34_tokens_that_are_used_up_stop_sub_calls_too() -> None:
    async def two(g: Grown) -> list[dict[str, Any]]:
        return [*await g.ask("a"), *await g.ask("b")]

    grown = grow(two, max_tokens=15)
    assert kinds(grown.result) == ["text", "limit"]
    assert "max_tokens=15" in grown.result[1]["error"]
    assert grown.server.sub_prompts == ["a"]


def test_a_sub_call_that_takes_too_long_fails_alone() -> None:
    never = threading.Event()

    def reply(prompt: str) -> Reply:
        return Reply(chunks=[never, "late"]) if prompt == "slow" else Reply("fast")

    grown = grow(lambda g: g.ask("slow", "quick"), sub=reply, subcall_timeout=1.5)
    assert kinds(grown.result) == ["failed", "text"]
    assert "within 1.5 s" in grown.result[0]["error"]
    assert grown.server.disconnected.wait(20)


def test_engines_10_the_time_of_the_run_ends_a_sub_call() -> None:
    never = threading.Event()
    grown = grow(lambda g: g.ask("slow"), sub=lambda prompt: Reply(chunks=[never]), max_time=0.3)
    assert kinds(grown.result) == ["limit"]
    assert "max_time" in grown.result[0]["error"]


def test_engines_64_a_cancelled_batch_leaves_nothing_in_flight() -> None:
    async def cancelled(g: Grown) -> None:
        g.server.hold()
        asked = asyncio.ensure_future(g.ask("a", "b", "c"))
        await asyncio.to_thread(g.server.arrived.acquire)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)

    grown = grow(cancelled, max_concurrency=1)
    assert [e.error for e in grown.of(ev.SubcallEnded)] == ["cancelled"] * 3
    assert len(grown.server.requests) == 1


# ----- guards ------------------------------------------------------------------------------------------------


def test_engines_34_an_oversize_prompt_is_not_sent() -> None:
    """Also peers 46."""
    grown = grow(lambda g: g.ask("x" * 1_800, "short"), window=1_000)
    assert kinds(grown.result) == ["oversize", "text"]
    assert "context=" in grown.result[0]["error"]
    assert "1,000 characters" in grown.result[0]["error"]
    assert grown.server.sub_prompts == ["short"]
    assert guards(grown) == ["window"]
    assert grown.tree.budget.subcalls == 1


def test_a_prompt_that_the_server_finds_too_long_is_oversize_as_well() -> None:
    said = "This model's maximum context length is 512 tokens. However, your messages resulted in 900 tokens."
    grown = grow(lambda g: g.ask("x"), sub=lambda prompt: Raw.error(400, said, code="context_length_exceeded"))
    assert kinds(grown.result) == ["oversize"]


def again(second: str) -> list[str]:
    """Return what a guarded sub-call gets whose first reply is code."""

    def reply(body: dict[str, Any]) -> str:
        return second if len(body["messages"]) > 1 else "```python\nfind('x')\n```"

    grown = grow(lambda g: g.ask("Who?"), respond=reply, prose_subcalls=True)
    assert len(grown.server.requests) == 2
    assert guards(grown)[0] == "prose_subcalls"
    assert len(grown.of(ev.SubcallStarted)) == 1
    assert grown.of(ev.SubcallEnded)[0].usage.calls == 2
    return [reply["text"] for reply in grown.result]


def test_engines_37_a_reply_that_is_code_is_asked_for_once_more() -> None:
    assert again("It was Ada.") == ["It was Ada."]
    assert again("```python\ngive_up()\n```") == ["```python\nfind('x')\n```"]


def test_engines_37_code_is_fine_where_nobody_minds() -> None:
    grown = grow(lambda g: g.ask("Write it."), sub=lambda prompt: "```python\nfind('x')\n```")
    assert len(grown.server.requests) == 1


def test_engines_39_the_whole_context_is_refused_only_if_there_are_tools() -> None:
    text = "the whole context"

    def asked(context: str, hooks: Hooks, **options: Any) -> str:
        return kinds(
            grow(lambda g: g.ask("Who?", contexts=[context]), hooks=hooks, context_text=text, **options).result
        )[0]

    tools = Hooks(tools={"lookup": len})
    assert asked(text, tools) == "vetoed"
    assert asked(text[:-1], tools) == "text"
    assert asked(text, Hooks()) == "text"
    assert asked(text, tools, reject_self_delegation=False) == "text"


def test_engines_25_guards_hold_at_every_depth() -> None:
    grown = grow(
        lambda g: g.ask("Who?", contexts=["all"]), hooks=Hooks(tools={"lookup": len}), context_text="all", depth=2
    )
    assert kinds(grown.result) == ["vetoed"]
    assert "lookup" in grown.result[0]["error"]


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize("text", ['{"n": 3}', '```json\n{"n": 3}\n```', 'Here you are: {"n": 3} (done)'])
def test_peers_52_a_sub_call_with_a_schema_gives_a_value(text: str) -> None:
    grown = grow(lambda g: g.ask("How many?", schema=SCHEMA), sub=lambda prompt: text)
    assert grown.result == [{"text": text, "value": {"n": 3}}]
    assert len(grown.server.requests) == 1
    assert "response_format" in grown.server.requests[0]


def test_peers_52_a_reply_that_does_not_fit_is_asked_for_once_more() -> None:
    def reply(body: dict[str, Any]) -> str:
        return '{"n": 4}' if len(body["messages"]) > 1 else '{"n": "four"}'

    grown = grow(lambda g: g.ask("How many?", schema=SCHEMA), respond=reply)
    assert grown.result == [{"text": '{"n": 4}', "value": {"n": 4}}]
    assert "'four' is not of type 'integer'" in grown.server.requests[1]["messages"][-1]["content"]
    assert guards(grown) == ["schema"]


def test_peers_52_what_never_fits_has_failed() -> None:
    grown = grow(lambda g: g.ask("How many?", schema=SCHEMA), sub=lambda prompt: "many")
    assert kinds(grown.result) == ["failed"]
    assert "not JSON" in grown.result[0]["error"]
    assert grown.of(ev.SubcallEnded)[0].error
    assert len(grown.server.requests) == 2


# ----- children ----------------------------------------------------------------------------------------------


def test_a_child_answers_with_text_and_value() -> None:
    grown = grow(lambda g: g.ask_child("Why?"))
    assert grown.result == {"text": "CHILD", "value": "CHILD", "exact": True}
    [started] = grown.of(ev.SubcallStarted)
    assert (started.kind, started.prompt) == ("rlm_query", "Why?")
    assert grown.of(ev.SubcallEnded)[0].text == "CHILD"


def test_a_childs_events_are_wrapped_in_those_of_its_parent() -> None:
    async def child(prompt: str, card: str, branch: object, emit: Any, turns: int | None) -> dict[str, Any]:
        emit(ev.CandidateStarted(0))
        return {"text": f"{prompt} {card} {turns}", "value": None, "exact": False}

    grown = grow(lambda g: g.ask_child("Why?", card="a list", max_iterations=3), descend=child)
    assert grown.result["text"] == "Why? a list 3"
    [told] = grown.of(ev.ChildEvent)
    assert (told.subcall, told.event["type"]) == (1, "candidate_started")


def test_a_child_is_told_the_shape_of_its_answer() -> None:
    async def child(prompt: str, *_: object) -> dict[str, Any]:
        return {"text": prompt, "value": None, "exact": False}

    assert '"required": ["n"]' in grow(lambda g: g.ask_child("Why?", schema=SCHEMA), descend=child).result["text"]


@pytest.mark.parametrize("error", [SubcallError("found nothing"), ModelRejected("refused")])
def test_a_child_that_fails_says_why(error: Exception) -> None:
    async def child(*_: object) -> dict[str, Any]:
        raise error

    grown = grow(lambda g: g.ask_child("Why?"), descend=child)
    assert grown.result["kind"] == "failed"
    assert grown.of(ev.SubcallEnded)[0].error == grown.result["error"]


@pytest.mark.parametrize(
    ("limit", "name"), [({"child_timeout": 0.2}, "child_timeout"), ({"max_time": 0.2}, "max_time")]
)
def test_engines_27_a_child_is_stopped_at_its_limit_and_the_parent_goes_on(limit: dict[str, Any], name: str) -> None:
    async def child(*_: object) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    grown = grow(lambda g: g.ask_child("Why?"), descend=child, **limit)
    assert grown.result["kind"] == "limit"
    assert name in grown.result["error"]


def test_engines_20_children_run_side_by_side_but_no_more_than_allowed() -> None:
    working, most = 0, 0

    async def child(prompt: str, *more: object) -> dict[str, Any]:
        nonlocal working, most
        working += 1
        most = max(most, working)
        for _ in range(20):
            await asyncio.sleep(0)
        working -= 1
        return {"text": prompt, "value": None, "exact": False}

    async def batch(g: Grown) -> list[str]:
        return [r["text"] for r in await asyncio.gather(*(g.ask_child(f"q{number}") for number in range(7)))]

    grown = grow(batch, descend=child, max_children=3)
    assert grown.result == [f"q{number}" for number in range(7)]
    assert most == 3


def test_engines_12_children_count_as_sub_calls_of_the_whole_tree() -> None:
    async def both(g: Grown) -> list[str]:
        return kinds([await g.ask_child("Why?"), *await g.ask("x"), await g.ask_child("Who?")])

    assert grow(both, max_subcalls=2).result == ["text", "text", "limit"]


# ----- the budget and tools ----------------------------------------------------------------------------------


def test_peers_36_a_cell_can_ask_what_is_left() -> None:
    async def asked(g: Grown) -> Any:
        g.subcalls.turn(2, 5)
        await g.ask("x")
        return await g.subcalls.serve("budget", {})

    left = grow(asked, max_tokens=1000).result
    assert (left["iterations"], left["tokens"], left["used"]["tokens"]) == (5, 985, 15)


def tool(hooks: Hooks, name: str, *args: object, depth: int = 0) -> Any:
    return grow(
        lambda g: g.subcalls.serve("tool", {"name": name, "args": list(args), "kwargs": {}}), hooks=hooks, depth=depth
    ).result


async def later(number: int) -> list[int]:
    return [number]


def test_engines_44_tools_run_on_this_side_when_a_cell_asks() -> None:
    """Also peers 50: children have those meant for them."""
    hooks = Hooks(
        tools={"size": {"tool": len, "description": "how long"}, "later": later}, sub_tools={"low": str.lower}
    )
    assert tool(hooks, "size", "four") == 4
    assert tool(hooks, "later", 3) == [3]
    assert tool(hooks, "low", "ABC", depth=1) == "abc"


@pytest.mark.parametrize(
    ("name", "args", "told"),
    [
        ("size", [3], "TypeError"),
        ("nope", [], "no tool named 'nope'"),
        ("odd", [], "not JSON"),
        ("data", [], "no tool"),
    ],
)
def test_engines_44_a_tool_that_fails_says_so_in_the_cell(name: str, args: list[object], told: str) -> None:
    hooks = Hooks(tools={"size": len, "odd": lambda: {1, 2}, "data": [1]})
    with pytest.raises(SubcallError, match=told):
        tool(hooks, name, *args)


def test_a_call_that_does_not_exist_is_refused() -> None:
    def steps(g: Grown) -> Awaitable[Any]:
        return g.subcalls.serve("format_disk", {})

    with pytest.raises(SubcallError, match="no call named 'format_disk'"):
        grow(steps)
