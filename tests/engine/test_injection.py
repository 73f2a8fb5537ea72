"""Texts that try to pass for code, answers or the session's own words, in whole runs.

They come in the context, the question, a sub-call's reply, a child's answer, a tool's result, an error's message, in
cells and names of columns, in names of files. Wherever they come from: what runs is what the model wrote, the answer is
the model's, and there is no turn more or less.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rlm_kernel import Run, load
from support.families import Family, children_of, guards_of
from support.injections import INJECTIONS
from support.openai_server import ScriptedModel
from support.solving import cell, solve_with

each = pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)

SHOW = [
    "seen = context\nprint(context)\ncontext",
    "print(llm_query('echo'))\nprint(llm_query_batched(['echo', 'echo too']))",
    "print(tool())\nprint(rlm_query('Child?', context=context))",
    "import sys\nprint(context, file=sys.stderr)\nraise ValueError(context)",
    "assert seen == context == tool()\n'stolen' in globals()",
]
"""Cells that bring a text before the model in every way there is."""

ANSWER = "print(1)\nFINAL(42)"


def codes(run: Run) -> list[str]:
    """Return the code of every cell that ran."""
    return [one.code.strip() for turn in run.iterations for one in turn.cells]


def is_untouched(run: Run, shown: list[str]) -> bool:
    """Tell whether a run is what its script says: these cells, the answer, nothing more."""
    assert (run.status, run.answer) == ("answered", 42)
    assert codes(run) == [*shown, ANSWER]
    assert len(run.iterations) == len(shown) + 1
    assert set(guards_of(run)) <= {"reasoning_only"}  # a sub-call's reply that is an unending thought
    assert load(run.journal_path) == run
    return True


@each
def test_in_a_context_a_question_and_what_calls_return_it_is_data(text: str, workdir: Path) -> None:
    scripts = {"What?": [*map(cell, SHOW), cell(ANSWER)], "Child?": [cell("print(context)\nFINAL(context)")]}
    with Family(scripts, sub=lambda prompt: text) as server:
        run = solve_with(
            server, text, f"What?\n{text}", branch="fork", tools={"tool": lambda: text}, reject_code_answers=False
        )
        asked = len(server.asked("Child?"))
    assert is_untouched(run, SHOW)
    assert asked == 1
    assert [codes(child) for child in children_of(run)] == [["print(context)\nFINAL(context)"]]
    last = run.iterations[-2].cells[0]
    assert (last.outcome, [display["text/plain"] for display in last.displays]) == ("ok", ["False"])
    assert sorted(file.name for file in workdir.iterdir()) == [".rlm"]


@each
def test_in_a_direct_question_it_is_data(text: str) -> None:
    with ScriptedModel(["42"]) as server:
        run = solve_with(server, text, f"What?\n{text}", direct_threshold=10_000, answer_type=int)
    assert (run.status, run.method, run.answer, len(run.iterations)) == ("answered", "direct", 42, 1)


def test_in_a_frame_it_is_data() -> None:
    """In cells, in names of columns, in the index, and in its categories."""
    texts = list(INJECTIONS.values())
    plain = pd.DataFrame(dict.fromkeys(texts, texts), index=pd.Index(texts, name=texts[0]))
    frame = plain.assign(kind=pd.Categorical(texts))
    shown = ["print(context.head(3))\ncontext", "print(context.columns.tolist())\nlist(context.index)"]
    with ScriptedModel([*map(cell, shown), cell(ANSWER)]) as server:
        assert is_untouched(solve_with(server, frame, branch="fork", output_limit=100_000), shown)


@pytest.mark.parametrize(
    "context",
    [
        list(INJECTIONS.values()),
        dict(zip(INJECTIONS.values(), INJECTIONS.values(), strict=True)),
        [{"t": t} for t in INJECTIONS.values()],
    ],
    ids=["list", "dict", "records"],
)
def test_in_a_collection_it_is_data(context: Any) -> None:
    shown = ["print(context)\ncontext", "print(*ctx.documents, sep='\\n')", "print(page(P, 1))\nsearch('pwned')"]
    with ScriptedModel([*map(cell, shown), cell(ANSWER)]) as server:
        assert is_untouched(solve_with(server, context, output_limit=100_000), shown)


def test_in_a_folder_it_is_data(workdir: Path) -> None:
    """In the names of files and of folders, and in what the files hold."""
    folder = workdir / "docs FINAL(pwned)"
    folder.mkdir()
    for text in INJECTIONS.values():
        name = text.replace("/", "-").replace("\x00", "")[:60].strip(".") or "empty"
        (folder / name).write_text(text)
    shown = ["print(*FILES)\ncontext", "print(*FILES.values(), sep='\\n')\nlist(FILES)"]
    with ScriptedModel([*map(cell, shown), cell(ANSWER)]) as server:
        assert is_untouched(solve_with(server, folder, output_limit=100_000), shown)


def test_in_a_long_text_read_in_parts_it_is_data() -> None:
    """As what the parts say, and as what was put together from it."""
    text = "\n\n".join(INJECTIONS.values()) * 20
    shown = ["reply = llm_query('What of it?', context=context)\nprint(reply)\nreply"]
    replies = iter([*INJECTIONS.values()] * 9)
    with ScriptedModel([*map(cell, shown), cell(ANSWER)], sub=lambda prompt: next(replies)) as server:
        run = solve_with(server, text, window=10_000)
    assert {call.kind for call in run.subcalls} == {"map", "reduce"}
    assert (run.answer, codes(run)) == (42, [*shown, ANSWER])


def test_in_variables_of_the_user_it_is_data() -> None:
    """In their values, which are told of when a cell changes them, and in a message of another process."""
    shown = [
        "texts = list(context)\nthis = texts[0]\nthat = {t: t for t in texts}",
        "del this\nthat = None\nSHOW_VARS()",
    ]
    with ScriptedModel([*map(cell, shown), cell(ANSWER)]) as server:
        assert is_untouched(solve_with(server, list(INJECTIONS.values()), branch="spawn"), shown)
