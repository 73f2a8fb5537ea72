"""Every limit alone stops a run, says which it was, and leaves the best answer there is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from rlm_kernel.trajectory.events import Consulted, Event, GuardActed
from support.openai_server import Reply, ScriptedModel
from support.solving import cell, said, solve_with

DRAFT = cell('answer["content"] = "a draft"')
LOOK = cell("print(len(context))")


@pytest.mark.parametrize(
    ("script", "options", "limit"),
    [
        ([DRAFT, LOOK, cell("print(1)")], {"max_iterations": 2}, "max_iterations"),
        ([DRAFT, cell("1/0"), cell("[][0]")], {"max_errors": 2}, "max_errors"),
        ([DRAFT, LOOK], {"max_repeats": 2}, "max_repeats"),
        ([DRAFT, cell("print(2)"), cell("print(3)")], {"max_tokens": 30}, "max_tokens"),
        ([DRAFT, cell("while True: pass")], {"max_time": 2, "timeout": 30}, "max_time"),
    ],
)
def test_peers_34_each_limit_alone_stops_a_run(script: list[str], options: dict[str, Any], limit: str) -> None:
    """Also engines 11, 15."""
    with ScriptedModel(script) as server:
        run = solve_with(server, **options)
    assert (run.status, run.limit, run.answer) == ("limit", limit, "a draft")
    assert limit in run.stop_reason


def test_engines_12_money_is_limited_over_the_tree() -> None:
    """Also peers 39."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 1.0}
    script = [Reply(cell("print(llm_query_batched([f'{i}' for i in range(8)]))"), usage=usage)]
    with ScriptedModel(script, sub=lambda prompt: Reply(prompt, usage=usage)) as server:
        run = solve_with(server, max_budget=4)
    assert (run.status, run.limit) == ("limit", "max_budget")
    assert run.usage.cost is not None
    assert 4 <= run.usage.cost <= 5
    assert run.usage.cost == len(server.requests)


def test_engines_12_money_without_a_price_stops_and_says_so() -> None:
    with ScriptedModel([LOOK]) as server:
        run = solve_with(server, max_budget=4)
    assert (run.status, run.limit, run.usage.cost) == ("limit", "max_budget", None)
    assert "price" in run.stop_reason


def test_engines_11_an_answer_in_the_turn_that_crosses_a_limit_is_the_answer() -> None:
    with ScriptedModel([LOOK, cell("FINAL(42)")]) as server:
        run = solve_with(server, max_tokens=20)
    assert (run.status, run.answer) == ("answered", 42)


def test_engines_10_a_silent_server_is_left_at_the_time_limit() -> None:
    with ScriptedModel([DRAFT, LOOK]) as server:

        def hold_the_second(event: Event) -> None:
            if event.type == "cell_ended":
                server.hold()

        run = solve_with(server, max_time=2, on_event=hold_the_second)
    assert (run.status, run.limit, run.answer) == ("limit", "max_time", "a draft")


def test_engines_13_one_wrap_up_message_near_a_limit() -> None:
    """Also peers 37."""
    script = [cell(f"print({i})") for i in range(9)]
    with ScriptedModel(script) as server:
        run = solve_with(server, max_tokens=120, soft_limit=0.5)
        told = [said(server, turn) for turn in range(1, len(server.root_requests) + 1)]
    assert sum("Stop searching" in text for text in told) == 1
    assert run.limit == "max_tokens"
    assert [note.guard for turn in run.iterations for note in turn.guards] == ["soft_limit"]


def test_engines_08_without_a_draft_the_model_says_its_answer_in_words() -> None:
    forced = "That was the last turn: no more code will run."
    with ScriptedModel([LOOK, cell("print(1)"), "It is 7."]) as server:
        run = solve_with(server, max_iterations=2)
        assert forced in said(server, 3)
    assert (run.status, run.limit, run.answer, run.success) == ("limit", "max_iterations", "It is 7.", False)
    assert [asked.role for asked in run.iterations[-1].consultations] == ["final"]


@pytest.mark.parametrize("reply", [cell("print(1)"), "```python\nx", "find_answer(context)", ""])
def test_engines_08_code_is_no_last_word(reply: str) -> None:
    with ScriptedModel([LOOK, reply]) as server:
        run = solve_with(server, max_iterations=1)
    assert (run.status, run.answer) == ("limit", None)


def test_engines_08_a_draft_needs_no_last_word() -> None:
    with ScriptedModel([DRAFT]) as server:
        run = solve_with(server, max_iterations=1)
        assert len(server.root_requests) == 1
    assert run.answer == "a draft"


def test_engines_09_an_echo_of_the_last_request_is_removed() -> None:
    from rlm_kernel.engine.final import FORCE

    with ScriptedModel([LOOK, f"{FORCE.upper()}\n\nSeven."]) as server:
        run = solve_with(server, max_iterations=1)
    assert run.answer == "Seven."


def test_engines_08_the_last_word_has_to_pass_the_callers_check() -> None:
    with ScriptedModel([LOOK, "It is 7."]) as server:
        run = solve_with(server, max_iterations=1, answer_check=lambda value: False)
    assert (run.status, run.answer) == ("limit", None)


def test_engines_14_looping_replies_lead_to_one_wrap_up() -> None:
    loop = "so it goes on and on and then " * 400
    script = [loop, loop, loop, cell("FINAL(1)")]
    with ScriptedModel(script) as server:
        run = solve_with(server, look_first=False)
        told = [said(server, turn) for turn in range(1, 5)]
    assert sum("Stop searching" in text for text in told) == 1
    assert [note.guard for turn in run.iterations for note in turn.guards].count("repeat_guard") == 3


def test_engines_16_a_run_is_stopped_from_another_thread(nothing_left_behind: None) -> None:
    import rlm_kernel

    rlm_kernel.clean()
    started = threading.Event()

    def stop() -> None:
        started.wait()
        rlm_kernel.runs[-1].stop()

    def note(event: Event) -> None:
        if event.type == "cell_started" and event.iteration == 2:  # type: ignore[attr-defined]  # cell_started has it
            started.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with ScriptedModel([DRAFT, cell("while True: pass")]) as server:
        run = solve_with(server, on_event=note)
    stopper.join()
    assert (run.status, run.answer) == ("interrupted", "a draft")


@pytest.fixture
def thousand_calls() -> Iterator[ScriptedModel]:
    loop = "replies = [llm_query(str(i)) for i in range(1000)]\nprint(sum(map(bool, replies)), replies[-1])"
    threads = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    replies = list(pool.map(llm_query, map(str, range(1000))))\n"
        "print(sum(map(bool, replies)))\nFINAL(1)"
    )
    with ScriptedModel([cell(loop), cell(threads)]) as server:
        yield server


def test_peers_35_limits_hold_inside_a_cell_and_in_threads(thousand_calls: ScriptedModel) -> None:
    """Also engines 28."""
    run = solve_with(thousand_calls, max_subcalls=5)
    assert len(thousand_calls.sub_prompts) == 5
    assert "5 " in said(thousand_calls, 2)
    assert run.status in ("answered", "limit")


def test_peers_36_budget_tells_what_is_left() -> None:
    code = "llm_query('x'); left = budget(); print(left)\nFINAL(left)"
    with ScriptedModel([cell(code)]) as server:
        run = solve_with(server, max_subcalls=3, max_tokens=10_000, max_time=60)
    assert run.answer["subcalls"] == 2
    assert 9_000 < run.answer["tokens"] < 10_000
    assert 0 < run.answer["seconds"] <= 60


def test_engines_77_every_event_reaches_the_listener_and_its_errors_harm_nothing() -> None:
    """Also peers 53."""
    seen: list[str] = []

    def listen(event: Event) -> None:
        seen.append(event.type)
        raise RuntimeError("a listener that fails")

    with ScriptedModel([cell("print(llm_query('a'))"), cell("print(rlm_query('b'))"), cell("FINAL(1)")]) as server:
        run = solve_with(server, on_event=listen, max_iterations=5)
    assert run.status == "answered"
    kinds = {"run_started", "model_called", "model_replied", "cell_started", "subcall_started", "subcall_ended"}
    assert kinds | {"child_event", "cell_ended", "answer_given", "candidate_ended", "run_ended"} <= set(seen)


def test_guards_and_consultations_are_events() -> None:
    seen: list[Event] = []
    with ScriptedModel(["FINAL(1)", LOOK, "FINAL(1)"]) as server:
        run = solve_with(server, on_event=seen.append)
    assert [event.guard for event in seen if isinstance(event, GuardActed)] == ["look_first"]
    assert not [event for event in seen if isinstance(event, Consulted)]
    assert run.iterations[0].guards[0].guard == "look_first"
