"""Children of `rlm_query`, in whole runs: to any depth, side by side, under the settings of the whole tree."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from support.families import Family, children_of, guards_of
from support.openai_server import Answer, Raw
from support.solving import cell, solve_with

each_branch = pytest.mark.parametrize("branch", ["fork", "spawn", "kernel:python3"])


def delegating(question: str, context: str = "context[1:]") -> str:
    """Return a cell that looks, and answers what a child does."""
    return cell(f"print(len(context))\nFINAL(rlm_query({question!r}, context={context}))")


@each_branch
def test_engines_19_three_generations(branch: str) -> None:
    """Also peers 10: each is asked at its depth, and the one that may not ask a child gets a plain sub-call."""
    scripts = {
        "Root?": [delegating("Child?")],
        "Child?": [delegating("Grandchild?")],
        "Grandchild?": [delegating("Great-grandchild?")],
        "Great-grandchild?": [cell("print(context)\nFINAL(rlm_query('deeper?') + context)")],
    }
    with Family(scripts, sub=lambda prompt: "flat") as server:
        run = solve_with(server, "abcdef", "Root?", branch=branch, max_depth=3)
    assert (run.status, run.answer) == ("answered", "flatdef")
    assert [child.question or child.candidates[0].status for child in children_of(run)] == ["answered"] * 3
    assert {depth: used.calls for depth, used in run.usage_by("depth").items()} == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1}
    assert [call.kind for call in children_of(run)[-1].subcalls] == ["llm_query"]


@pytest.mark.parametrize("branch", ["fork", "spawn"])
def test_peers_10_the_depth_cannot_be_changed_from_inside(branch: str) -> None:
    """Also the defects of a depth that changes nothing, and of one that an environment variable sets."""
    lever = (
        "import os\nos.environ.update(RLM_MAX_DEPTH='9', MAX_DEPTH='9', RLM_DEPTH='0')\n"
        "max_depth = depth = 9\nkit = rlm_query.__self__._session.kit\nobject.__setattr__(kit, 'children', 9)\n"
        "object.__setattr__(kit, 'children', 9)\n"
    )
    below = cell(
        f"{lever}try:\n    told = rlm_query('Grandchild?')\nexcept Exception as e:\n    told = str(e)\nFINAL(told)"
    )
    scripts = {"Root?": [delegating("Child?")], "Child?": [below], "Grandchild?": [cell("FINAL('too deep')")]}
    with Family(scripts) as server:
        run = solve_with(server, "abc", "Root?", branch=branch, max_depth=1)
        assert server.asked("Grandchild?") == []
    assert "no deeper" in run.answer
    with Family(scripts) as server:
        assert solve_with(server, "abc", "Root?", branch=branch, max_depth=0).answer != "too deep"
        assert server.asked("Child?") == []


@each_branch
def test_engines_20_a_batch_of_children_works_side_by_side_and_answers_in_order(branch: str) -> None:
    """The first turns of all four wait for each other, so they can only be answered at the same time."""
    together = threading.Barrier(4)
    met: set[str] = set()

    def wait(question: str) -> None:
        if question.startswith("Child") and question not in met:
            met.add(question)
            together.wait(60)

    numbers = range(4)
    batch = "names = [f'Child {n}?' for n in range(4)]\nprint(len(context))\nFINAL(rlm_query_batched(names, names))"
    scripts: dict[str, list[Answer]] = {"Root?": [cell(batch)]}
    for n in numbers:
        scripts[f"Child {n}?"] = [cell(f"print('x' * {n})\nprint(context)"), cell(f"FINAL(context + ' {n}')")]
    scripts["Child 2?"] = [Raw.error(400, "no such thing")]
    with Family(scripts, before=wait) as server:
        run = solve_with(server, "abc", "Root?", branch=branch, max_children=4)
    assert [str(answer) for n, answer in enumerate(run.answer) if n != 2] == [f"Child {n}? {n}" for n in (0, 1, 3)]
    assert "no such thing" in run.answer[2]
    for call in run.subcalls:
        outputs = [c.stdout for turn in call.child.iterations for c in turn.cells] if call.child else []
        if call.prompt != "Child 2?":
            assert (
                "".join(outputs).split()
                == ["x" * int(call.prompt[6]), *call.prompt.split()][call.prompt == "Child 0?" :]
            )


def test_engines_20_outputs_are_never_mixed() -> None:
    batch = "names = [f'{n}' for n in range(24)]\nprint(1)\nFINAL(rlm_query_batched(['Child?'] * 24, names))"
    scripts = {"Root?": [cell(batch)], "Child?": [cell("print(context * 50, flush=True)\nFINAL(context)")]}
    with Family(scripts) as server:
        run = solve_with(server, "abc", "Root?", max_children=8)
    assert run.answer == [str(n) for n in range(24)]
    for child in children_of(run):
        [only] = child.iterations[0].cells
        assert only.stdout.strip() == child.answer * 50


@each_branch
def test_engines_24_a_child_has_its_own_prompt_and_its_own_number_of_turns(branch: str) -> None:
    turns = [cell("answer['content'] = 'draft'"), *[cell(f"print({number})") for number in range(9)]]
    scripts = {"Root?": [delegating("Child?")], "Child?": turns}
    options: dict[str, Any] = {
        "instructions": "Be the root.",
        "child_instructions": "Be the child.",
        "max_iterations": 5,
    }
    with Family(scripts) as server:
        run = solve_with(server, "abc", "Root?", branch=branch, child_max_iterations=2, **options)
        root, child = (server.asked(question)[0]["messages"][0]["content"] for question in ("Root?", "Child?"))
        assert len(server.asked("Child?")) == 2
    assert run.answer.startswith("draft\n[a draft: no final answer within max_iterations=2")
    assert ("Be the root." in root, "Be the child." in root) == (True, False)
    assert ("Be the root." in child, "Be the child." in child) == (False, True)
    with Family({**scripts, "Root?": [cell("print(1)\nFINAL(rlm_query('Child?', max_iterations=3))")]}) as server:
        solve_with(server, "abc", "Root?", branch=branch, **options)
        assert len(server.asked("Child?")) == 3


DOUBLED = "print(context)\nx = context.lower()()\nprint(x)"
LOOP = "so it goes on and on and then " * 400


@pytest.mark.parametrize(
    ("guard", "script", "options"),
    [
        ("look_first", ["FINAL(1)", cell("print(1)"), "FINAL(1)"], {}),
        ("min_iterations", [cell("print(1)\nFINAL(1)"), cell("FINAL(1)")], {"min_iterations": 2}),
        ("require_subcall", [cell("print(1)\nFINAL(1)"), cell("llm_query('x'); FINAL(1)")], {"require_subcall": True}),
        ("reject_code_answers", [cell("FINAL('find_it(context)')"), cell("FINAL('here')")], {}),
        ("clean_retry", [cell("1/0"), cell("FINAL(1)")], {"clean_retry": True}),
        ("max_repeats", [cell("print(1)"), cell("print(1)"), cell("FINAL(1)")], {}),
        ("repeat_guard", [LOOP, cell("FINAL(1)")], {}),
        ("soft_limit", [cell("print(1)"), cell("FINAL(1)")], {"max_tokens": 60, "soft_limit": 0.5}),
        ("prose_subcalls", [cell("print(llm_query('code'))\nFINAL(1)")], {"prose_subcalls": True}),
        ("max_subcalls", [cell("FINAL(len(llm_query('x')))")], {"max_subcalls": 1}),
        ("window", [cell("FINAL(len(llm_query('x' * 9_000)))")], {"window": 4_000}),
        ("redact", [cell("FINAL(llm_query('it is sk-' + 'a' * 30))")], {}),
        (
            "verify_subcalls",
            [cell("FINAL(len(rlm_query('none of it')))")],
            {"subcall_check": lambda p: p.depth == 0, "max_depth": 2},
        ),
        ("reasoning_only", [cell("FINAL(llm_query('think'))")], {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_engines_25_guards_follow_into_children_and_leaves(
    guard: str, script: list[str], options: dict[str, Any]
) -> None:
    """Whatever the caller sets for a run is seen at work in the child, or in the child's own sub-call."""
    from support.openai_server import Reply

    replies: dict[str, Answer] = {"code": "find_it(context)", "think": Reply(reasoning="I think that it is so.")}
    scripts = {"Root?": [delegating("Child?", "'part'")], "Child?": script}
    with Family(scripts, sub=lambda prompt: replies.get(prompt, prompt)) as server:
        run = solve_with(server, "abc", "Root?", **{"look_first": guard == "look_first", **options})
    [child, *_] = children_of(run)
    assert child.candidates[0].status == "answered"
    assert guard in guards_of(child)


@pytest.mark.parametrize(
    ("limit", "script", "options"),
    [
        ("max_errors", [cell("1/0"), cell("[][0]")], {"max_errors": 2}),
        ("max_iterations", [cell("print(1)"), cell("print(2)")], {"max_iterations": 2}),
        ("max_tokens", [cell("print(1)"), cell("print(2)")], {"max_tokens": 40}),
        ("max_repeats", [cell("print(1)")] * 5, {"max_repeats": 2}),
    ],
)
def test_engines_25_limits_follow_into_children(limit: str, script: list[str], options: dict[str, Any]) -> None:
    scripts = {"Root?": [cell("print(1)\nFINAL(rlm_query_batched(['Child?']))")], "Child?": script}
    with Family(scripts) as server:
        run = solve_with(server, "abc", "Root?", final_turn=False, **options)
    assert children_of(run)[0].candidates[0].limit == limit


def test_engines_25_repairs_and_shapes_follow_into_children() -> None:
    """The repair of doubled calls, of placeholders, the limit of an output, and that of a cell's time."""
    fill = "part = 'THE PART'\nprint('y' * 900)\nread = llm_query('about {part}')"
    scripts = {
        "Root?": [delegating("Child?", "'PART'")],
        "Child?": [cell(DOUBLED), cell(fill), cell("while True: pass"), cell("FINAL(read + str(len(_result_0)))")],
    }
    options: dict[str, Any] = {"repair_calls": True, "repair_placeholders": True, "output_limit": 500, "timeout": 1}
    with Family(scripts) as server:
        run = solve_with(server, "abc", "Root?", **options)
        assert "about THE PART" in server.sub_prompts
    [child] = children_of(run)
    assert [one.outcome for turn in child.iterations for one in turn.cells] == ["ok", "ok", "timeout", "ok"]
    assert child.answer == "about THE PART900"


def test_engines_27_a_slow_child_is_stopped_and_its_parent_goes_on() -> None:
    released = threading.Event()

    def slow(question: str) -> None:
        if question == "Child?":
            released.wait(60)

    scripts = {
        "Root?": [cell("told = rlm_query('Child?')\nprint(bool(told), told)"), cell("FINAL('went on')")],
        "Child?": [cell("FINAL('late')")],
    }
    with Family(scripts, before=slow) as server:
        run = solve_with(server, "abc", "Root?", child_timeout=0.5)
        released.set()
    assert (run.status, run.answer) == ("answered", "went on")
    assert run.iterations[0].cells[0].stdout.startswith("False")
    assert "child_timeout=0.5" in run.iterations[0].cells[0].stdout
    assert run.subcalls[0].error
