"""Runs as a whole: what they say of themselves, what they keep to themselves, what they leave behind."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import rlm_kernel
from rlm_kernel import RLM, load
from rlm_kernel.trajectory.events import Event
from rlm_kernel.trajectory.records import Usage
from support.families import Family, children_of
from support.leftovers import nothing_left
from support.openai_server import Answer, Reply, ScriptedModel
from support.solving import cell, said, solve_with

LOOK = cell("print(len(context))")
DEAF = """\
kept, made = 2, 1
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    try:
        time.sleep(600)
    except BaseException:
        pass
"""


@pytest.mark.parametrize("branch", ["fork", "spawn", "kernel:python3"])
def test_engines_67_a_cell_that_cannot_be_interrupted_costs_only_itself(branch: str) -> None:
    """Also peers 37 and 63: it is killed, the next cell finds everything as it was before, and the model is told."""
    check = cell("FINAL((kept, len(context), answer, 'made' in globals(), llm_query('still there')))")
    with ScriptedModel([cell("kept = [1, {2: 3}]\nprint(1)"), cell(DEAF), check]) as server:
        run = solve_with(server, "abc", branch=branch, timeout=1)
        told = said(server, 3)
    [stopped] = run.iterations[1].cells
    assert stopped.outcome == "timeout"
    assert stopped.seconds < 5
    assert run.answer == ([1, {2: 3}], 3, {"content": None, "ready": False}, False, "still there")
    assert "kept" in told
    assert "undone" in told


CANARIES = {
    "in the environment": "canary-of-the-environment",
    "in a header": "canary-of-the-header",
    "in the namespace": "sk-canaryofthenamespace0001",
    "in a frame": "ghp_canaryoftheframe0000001",
    "deep in a dict": "sk-canarydeepinthedict00001",
    "in a column": "canary-of-the-column",
    "of a tool": "AKIACANARYOFTHETOOL1",
}


def test_engines_73_secrets_are_in_no_request_and_no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also peers 62: planted wherever a cell, a card, a tool or an answer can get hold of them."""
    secret = CANARIES
    monkeypatch.setenv("SHOP_PASSWORD", secret["in the environment"])
    monkeypatch.setenv("OPENAI_API_KEY", secret["in a header"])
    context = {
        "frame": pd.DataFrame({"note": [secret["in a frame"]] * 3, "pin": [secret["in a column"]] * 3}),
        "deep": [{"config": {"headers": {"Authorization": f"Bearer {secret['deep in a dict']}"}}}],
    }
    spy = (
        "import os\nprint(key, context, os.environ['SHOP_PASSWORD'], os.environ['OPENAI_API_KEY'])\n"
        "print(llm_query(f'{key} {context} {dict(os.environ)} {token}'))\n"
        "print(context['deep'][0]['config'], token, [key, {'k': token}], file=__import__('sys').stderr)\n"
        "raise ValueError(key)"
    )
    child = cell("print(context)\nFINAL(str(context))")
    scripts = {
        "What?": [cell(spy), cell("FINAL([rlm_query('Child?', context=[key, context]), key])")],
        "Child?": [child],
    }
    with Family(scripts) as server:
        run = solve_with(
            server,
            context,
            namespace={"key": secret["in the namespace"]},
            branch="fork",
            tools={"token": secret["of a tool"]},
            redact=r"pin, /canary-of-the-col\w+/",
        )
        bodies = str([{**request, "headers": None} for request in server.requests])
        headers = {
            value for r in server.requests for name, value in r["headers"].items() if name.lower() == "authorization"
        }
    assert run.status == "answered"
    assert headers == {f"Bearer {secret['in a header']}"}
    folder = Path(run.journal_path).parent
    written = "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
    assert "«secret»" in bodies
    assert "«secret»" in load(run.journal_path).iterations[0].cells[0].stdout
    assert [where for where, value in CANARIES.items() if value in bodies] == []
    assert [where for where, value in CANARIES.items() if value in written] == []


def usage(prompt: int, cost: float) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": 1, "total_tokens": prompt + 1, "cost": cost}


def test_engines_79_a_result_says_where_it_comes_from() -> None:
    """Also engines 78, peers 39: why it stopped, whether it was checked, and who spent what; each call its own."""
    batch = "print(llm_query_batched([f'{n}' for n in range(100, 116)]))\nFINAL(rlm_query('Child?'))"
    scripts: dict[str, list[Answer]] = {
        "Root?": [Reply(cell(batch), usage=usage(7, 0.5))],
        "Child?": [
            Reply(cell("print(1)"), usage=usage(3, 0.25)),
            Reply(cell("FINAL(llm_query('200'))"), usage=usage(4, 0.25)),
        ],
    }
    with Family(scripts, sub=lambda p: Reply(p, usage=usage(int(p), 1.0))) as server:
        run = solve_with(server, "abc", "Root?", sub_model="small", answer_check=lambda value: True)
        calls = len(server.requests)
    given = run.iterations[-1].answer
    assert given is not None
    assert (run.status, run.stop_reason, run.limit) == ("answered", "the model gave its answer", "")
    assert (given.verified, given.final, given.via, run.why) == (True, True, "FINAL", "it is the only candidate")
    assert (len(run.iterations), run.model, run.sub_model, run.branch) == (1, "scripted", "small", "spawn")
    assert {call.prompt: call.usage.prompt_tokens for call in run.subcalls if call.kind == "llm_query"} == {
        str(number): number for number in range(100, 116)
    }
    total = Usage(calls, 7 + 3 + 4 + sum(range(100, 116)) + 200, calls, 0.5 + 0.5 + 17.0)
    assert run.usage == total
    for key in ("model", "role", "depth"):
        assert sum(run.usage_by(key).values(), Usage()) == total
    assert {role: used.calls for role, used in run.usage_by("role").items()} == {"root": 1, "child": 2, "llm_query": 17}
    assert {depth: used.calls for depth, used in run.usage_by("depth").items()} == {0: 1, 1: 18, 2: 1}
    assert run.usage_by("model")["small"].cost == 17.5
    assert load(run.journal_path) == run


async def both(rlm: RLM) -> list[rlm_kernel.Run]:
    return list(await asyncio.gather(rlm.asolve("One?", "abc"), rlm.asolve("Two?", "de")))


@pytest.mark.parametrize("branch", ["auto", "fork"])
def test_engines_81_two_questions_overlap_on_one_loop(branch: str) -> None:
    """Also peers 54: each first turn is only answered once the other has come in; a third task ticks meanwhile."""
    together, met = threading.Barrier(2), set[str]()

    def wait(question: str) -> None:
        if question not in met:
            met.add(question)
            together.wait(60)

    answer = [cell("n = len(context)\nprint(n)"), cell("FINAL(n)")]
    with Family({"One?": answer, "Two?": answer}, before=wait) as server:
        one, two = asyncio.run(both(RLM("m", server.base_url, window=100_000, branch=branch, namespace={})))
    assert (one.answer, two.answer) == (3, 2)
    assert {type(asyncio.run(RLM().acompletion("4 words are here", "How many words?"))).__name__} == {"Run"}


def test_engines_81_a_cancelled_question_stops() -> None:
    """Also peers 54, engines 16: in the middle of a reply, and in the middle of a cell."""
    rlm_kernel.clean()
    for script, when in (([LOOK, LOOK], "model_called"), ([cell("while True: pass")], "cell_started")):

        async def cancel(server: ScriptedModel, when: str) -> None:
            loop, reached = asyncio.get_running_loop(), asyncio.Event()

            def note(event: Event) -> None:
                if event.type == when:
                    loop.call_soon_threadsafe(reached.set)

            if when == "model_called":
                server.hold()
            rlm = RLM("m", server.base_url, window=100_000, on_event=note, namespace={})
            task = asyncio.create_task(rlm.asolve("What?", "abc"))
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        with ScriptedModel(script) as server, nothing_left():
            asyncio.run(cancel(server, when))
            server.held.set()
        assert (rlm_kernel.runs[-1].status, rlm_kernel.runs[-1].answer) == ("interrupted", None)


def test_engines_81_events_are_told_in_order_while_it_runs() -> None:
    """Also engines 77, peers 53: the same order every time, and folded they are the run."""
    told: list[list[Event]] = []
    script = ["FINAL(1)", cell("print(llm_query('x'))"), cell("FINAL(rlm_query('Child?'))")]
    for _ in range(2):
        seen: list[Event] = []
        with Family({"What?": script, "Child?": [DEEP]}) as server:
            run = solve_with(server, on_event=seen.append)
        told.append(seen)
        assert rlm_kernel.Run.fold(seen) == run
    first, second = ([event.type for event in seen] for seen in told)
    assert first == second
    assert first[:4] == ["run_started", "candidate_started", "model_called", "model_replied"]
    assert first[-3:] == ["candidate_ended", "kept", "run_ended"]
    assert {"subcall_started", "subcall_ended", "child_event", "answer_given"} < set(first)


DEEP = cell("print(1)\nFINAL(llm_query('y'))")


@pytest.mark.parametrize(
    ("options", "runs"),
    [({"branch": "fork"}, 5), ({"branch": "spawn"}, 3), ({"direct_threshold": 100}, 60)],
    ids=["fork", "spawn", "direct"],
)
def test_engines_84_many_runs_leave_nothing(options: dict[str, Any], runs: int) -> None:
    """No descriptor, thread or process, with children and sub-calls in every run; see also `test_soak`."""
    scripts = {"What?": [cell("print(llm_query('x'))\nFINAL(rlm_query('Child?'))")], "Child?": [DEEP]}
    with Family(scripts) if "branch" in options else ScriptedModel(["1"]) as server:
        solve_with(server, checkpoints=0, **options)
        rlm_kernel.clean()
        with nothing_left():
            for _ in range(runs):
                assert solve_with(server, checkpoints=0, **options).status == "answered"


def test_peers_34_an_error_is_never_an_answer() -> None:
    """Also engines 8 and 15, peers 17: at every limit there is a draft or nothing, and success is denied."""
    for name in ("max_iterations", "max_errors", "max_tokens", "max_budget"):
        limit: dict[str, Any] = {name: 1}
        with ScriptedModel([cell("1/0"), cell("2/0")]) as server:
            run = solve_with(server, final_turn=False, **limit)
        assert (run.status, run.limit, run.answer, run.text, run.success) == ("limit", name, None, "", False)
        assert name in (run.error or "")


def test_peers_10_a_childs_limits_are_those_of_the_tree() -> None:
    """Also engines 11 and 12: what children and their sub-calls take is counted once, and stops them all."""
    scripts = {"Root?": [cell("print(1)\nFINAL(rlm_query('Child?'))")], "Child?": [cell("print(llm_query('x'))")] * 9}
    with Family(scripts) as server:
        run = solve_with(server, "abc", "Root?", max_tokens=100, final_turn=False, max_repeats=0)
        assert len(server.requests) * 15 == run.usage.prompt_tokens + run.usage.completion_tokens <= 115
    assert run.limit == "max_tokens"
    assert children_of(run)[0].candidates[0].limit == "max_tokens"
