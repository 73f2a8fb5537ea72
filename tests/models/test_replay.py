"""Whole runs, recorded once and had again with no model at all: the same answer, by the same way, for nothing.

What changes from run to run (ids, paths, addresses, times) must not be in a prompt: a strict replay would leave its
recording there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel import Run, solve
from rlm_kernel.errors import DivergenceError, OptionError
from rlm_kernel.models.endpoint import endpoint_for
from rlm_kernel.settings import resolve
from rlm_kernel.trajectory.records import Usage
from support.notebooks import executed
from support.openai_server import Raw, Reply, ScriptedModel
from support.solving import cell

NOWHERE = "http://127.0.0.1:9/v1"
"""Where nothing answers."""

Server = Callable[[], ScriptedModel]


def ways(run: Run) -> list[Any]:
    """Return what a run did, without its times, costs and memory addresses."""
    return [
        [
            (c.code, re.sub("0x[0-9a-f]+", "0x", c.stdout), c.outcome, [(s.prompt, s.text) for s in c.subcalls])
            for c in turn.cells
        ]
        for turn in run.iterations
    ]


def recorded_and_replayed(make: Server, context: Any, **options: Any) -> tuple[Run, Run]:
    """Run once against the server, which records, and once more without it."""
    options = {"question": "What is it?", "context": context, "model": "scripted", **options}
    with make() as server:
        first = solve(**options, namespace={}, base_url=server.base_url, recording="record")
    second = solve(**options, namespace={}, base_url=NOWHERE, recording="strict")
    return first, second


def journeys() -> dict[str, tuple[Server, Any, dict[str, Any]]]:
    look = cell("print(type(context), len(context))")
    usage = {"prompt_tokens": 3_000, "completion_tokens": 5, "total_tokens": 3_005}
    long = [Reply(cell(f"print({n})"), usage=usage) for n in range(6)]
    return {
        "a table": (
            lambda: ScriptedModel([look, cell("FINAL(sum(row['amount'] for row in context))")]),
            [{"region": "north", "amount": n} for n in range(500)],
            {},
        ),
        "objects": (
            lambda: ScriptedModel([cell("f = lambda: 1\no = object()\nprint(f, o)\no"), cell("FINAL(f())")]),
            "text",
            {},
        ),
        "errors": (
            lambda: ScriptedModel([cell("import json\njson.loads('{')"), cell("1/0"), cell("FINAL(1)")]),
            "text",
            {},
        ),
        "a batch": (
            lambda: ScriptedModel([cell("r = llm_query_batched([f'p{i}' for i in range(40)])\nprint(r)\nFINAL(r)")]),
            "text",
            {"look_first": False},
        ),
        "a batch of which some are refused": (
            lambda: ScriptedModel(
                [cell("r = llm_query_batched([f'p{i}' for i in range(9)])\nprint(r)"), cell("FINAL(len(r))")],
                sub=lambda prompt: Raw.error(400, "no, never") if "3" in prompt else prompt.upper(),
            ),
            "text",
            {},
        ),
        "a long text": (
            lambda: ScriptedModel(
                [cell("print(llm_query('Which colours?', context=context))"), cell("FINAL('red')")],
                sub=lambda prompt: f"{len(prompt)} characters read",
            ),
            "The colour is red. " * 20_000,
            {},
        ),
        "a child": (
            lambda: ScriptedModel(
                [cell("print(rlm_query('How long?', context=context))"), cell("FINAL(len(context))"), cell("FINAL(1)")]
            ),
            "text" * 100,
            {"look_first": False},
        ),
        "a summed up conversation": (
            lambda: ScriptedModel([*long, cell("FINAL(6)")], sub=lambda prompt: "a summary"),
            "text",
            {"window": 3_400, "max_repeats": 0},
        ),
        "long output": (
            lambda: ScriptedModel([cell("print('x\\n' * 9_000)"), cell("print(page(_result_0, 1))"), cell("FINAL(1)")]),
            "text",
            {},
        ),
        "one call": (lambda: ScriptedModel(["It is red."]), "The colour is red.", {"direct_threshold": 1_000}),
        "a brief": (
            lambda: ScriptedModel([look, cell("FINAL(1)")], sub=lambda prompt: "It is about colours."),
            "The colour is red. " * 2_000,
            {"engineer": "brief"},
        ),
        "a verified answer": (
            lambda: ScriptedModel([look, cell("FINAL(1)")], sub=lambda prompt: '{"accept": true, "feedback": ""}'),
            "text",
            {"verify_answer": True},
        ),
        "a last word": (lambda: ScriptedModel([look, "It is red."]), "text", {"max_iterations": 1}),
    }


@pytest.mark.parametrize("journey", journeys())
def test_peers_38_a_recorded_run_can_be_had_again_without_its_model(journey: str) -> None:
    make, context, options = journeys()[journey]
    first, second = recorded_and_replayed(make, context, **options)
    assert (second.status, second.answer, ways(second)) == (first.status, first.answer, ways(first))
    assert first.usage.calls > 0
    assert second.usage == Usage()


def test_a_folder_is_replayed_wherever_it_is(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name / "docs").mkdir(parents=True)
        (tmp_path / name / "docs" / "a.txt").write_text("The colour is red.")
    script = [cell("print(list(context), context['a.txt'])"), cell("FINAL('red')")]
    options: dict[str, Any] = {"namespace": {}, "model": "scripted"}
    with ScriptedModel(script) as server:
        options["base_url"] = server.base_url
        solve("What?", context=tmp_path / "here" / "docs", recording="record", **options)
    run = solve("What?", context=tmp_path / "there" / "docs", recording="strict", **options)
    assert run.answer == "red"


@pytest.mark.parametrize(
    ("question", "context"),
    [
        ("What is the total amount?", [{"region": "north", "amount": n} for n in range(50)]),
        ("Which region has the highest amount?", [{"region": r, "amount": n} for n, r in enumerate(("n", "s") * 20)]),
        ("What is the secret code?", "Nothing here. " * 3_000 + "The secret code is 4711. " + "Nor here. " * 3_000),
        ("How many documents mention red?", ["red", "blue", "a red one"]),
        ("What survives a runaway cell?", "text"),
    ],
)
def test_the_offline_solver_replays_too(question: str, context: Any) -> None:
    options: dict[str, Any] = {"context": context, "model": "offline", "timeout": 2}
    first = solve(question, namespace={}, recording="record", **options)
    second = solve(question, namespace={}, recording="strict", **options)
    assert (second.answer, ways(second)) == (first.answer, ways(first))
    assert second.usage == Usage()


def test_hits_leave_the_budget_alone() -> None:
    """Also peers 38."""
    script = [cell("print(llm_query_batched([f'{i}' for i in range(20)]))"), cell("FINAL(1)")]
    first, second = recorded_and_replayed(lambda: ScriptedModel(script), "text", max_tokens=100_000)
    assert (first.usage.calls, second.usage.calls, second.answer) == (22, 0, 1)


def test_a_changed_context_is_a_divergence_that_names_the_turn() -> None:
    script = [cell("print(context)"), cell("FINAL(1)")]
    options: dict[str, Any] = {"namespace": {}, "model": "scripted", "sample": False}
    with ScriptedModel(script) as server:
        options["base_url"] = server.base_url
        solve("What?", context="It is red!", recording="record", **options)
        asked = len(server.requests)
        with pytest.raises(DivergenceError, match="turn 2, role root: message 4") as caught:
            solve("What?", context="It is blue", recording="strict", **options)
        assert len(server.requests) == asked
    assert "It is blue" in caught.value.diff
    assert caught.value.run is not None
    assert caught.value.run.status == "failed"


def test_a_sub_call_that_is_not_recorded_fails_the_run() -> None:
    """The cell takes it for a failed sub-call and answers; that answer must not count."""
    script = [cell("r = llm_query_batched([context])\nFINAL(len(r))")]
    options: dict[str, Any] = {"namespace": {}, "model": "scripted", "look_first": False, "sample": False}
    with ScriptedModel(script) as server:
        options["base_url"] = server.base_url
        assert solve("What?", context="red", recording="record", **options).answer == 1
    with pytest.raises(DivergenceError, match="role llm_query") as caught:
        solve("What?", context="tan", recording="strict", **options)
    assert caught.value.run is not None
    assert [candidate.status for candidate in caught.value.run.candidates] == ["failed"]


@pytest.mark.kernel
def test_peers_38_a_notebook_replays_under_nbval_without_network_and_key(tmp_path: Path) -> None:
    """No server, no key: the recording beside the notebook is enough."""
    path = tmp_path / "colours.ipynb"
    notes = 'notes = ["red", "blue", "red"] * 100'
    question = "%%rlm context=notes view=none out=run\nWhich colour is most frequent?"
    script = [
        cell("print(llm_query('Hint?'))\nprint(context[:3])"),
        cell("FINAL(max(set(context), key=context.count))"),
    ]
    with ScriptedModel(script) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", server.base_url)
        patch.setenv("OPENAI_API_KEY", "sk-canary-key-for-the-recording")
        patch.setenv("RLM_MODEL", "scripted")
        patch.setenv("RLM_RECORDING", "record")
        notebook = executed(path, notes, question, "print(run.answer, run.status, len(run.iterations))")
    assert notebook.cells[2].outputs[0].text == "red answered 2\n"
    assert not any(b"canary" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "RLM_"))}
    environ |= {"OPENAI_BASE_URL": NOWHERE, "RLM_MODEL": "scripted", "RLM_RECORDING": "strict"}
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", path.name]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_recordings_say_nothing_of_the_machine(tmp_path: Path) -> None:
    script = [cell("import sys\nprint(len(context))\n1/0"), cell("FINAL(1)")]
    recorded_and_replayed(lambda: ScriptedModel(script), "text")
    entries = [file.read_text() for file in (tmp_path / "recordings").rglob("*.json")]
    assert len(entries) >= 2
    for entry in entries:
        assert str(tmp_path) not in entry
        assert not {"t", "time", "seconds", "started"} & set(json.loads(entry))


def test_peers_38_strict_asks_no_server_which_model_it_has() -> None:
    with ScriptedModel(["FINAL(1)"]) as server, pytest.raises(OptionError, match="strict makes no call") as caught:
        endpoint_for(resolve({"model": "auto", "base_url": server.base_url, "recording": "strict"}, {}), {})
    assert "model=NAME" in caught.value.hint
    assert not server.visited
