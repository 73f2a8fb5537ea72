"""The context, in whole runs: exactly what was given, in every kind of branch, and in no request outside its card."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from support.openai_server import ScriptedModel
from support.solving import cell, said, solve_with

each_branch = pytest.mark.parametrize("branch", ["fork", "spawn", "kernel:python3"])

HEX = {
    "str": "random.Random(7).randbytes(5_000_000).hex()",
    "list": "(lambda r: [r.randbytes(500).hex() for _ in range(10_000)])(random.Random(7))",
    "dict": "(lambda r: {n: r.randbytes(500).hex() for n in range(10_000)})(random.Random(7))",
}
"""How contexts of ten million hexadecimal digits are made, here and again in the session."""

ODD: dict[str, Any] = {
    "line ends": "one\r\ntwo\rthree\n",
    "lone surrogates": "\udc80 and \ud83d",
    "integer keys": {1: "a", 2: {3: None}},
    "tuples": [(1, 2), ((), [3])],
    "bytes": b"\x00\xff'\"",
    "quotes at the end": 'she said "no\\\'"',
    "control characters": "\x00\x1b[2J\u2028",
    "numbers": [1.0, 1, True, -0.0, 10**40],
    "sets": {frozenset({1}), "a"},
}


def sent(server: ScriptedModel) -> str:
    """Return all that was sent."""
    return "\n".join(message["content"] for request in server.requests for message in request["messages"])


@each_branch
def test_engines_01_the_context_is_a_variable_and_in_no_message(branch: str) -> None:
    """Also peers 1: outside the card there is no window of 200 characters of the context in any request."""
    context = eval(HEX["str"], {"random": random})
    look = cell(f"import random\nsame = context == {HEX['str']}\nprint(len(context))\ncontext[5_000_000:5_000_010]")
    with ScriptedModel([look, cell("FINAL((same, type(context).__name__))")]) as server:
        run = solve_with(server, context, branch=branch)
    assert run.answer == (True, "str")
    assert run.card in sent(server)
    assert len(run.card) < 4_000
    assert re.findall(r"[0-9a-f]{200,}", sent(server).replace(run.card, "")) == []


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_engines_01_collections_stay_what_they_are(kind: str) -> None:
    """Also peers 1."""
    context = eval(HEX[kind], {"random": random})
    look = cell(f"import random\nprint(len(context))\nFINAL(context == {HEX[kind]} and type(context) is {kind})")
    with ScriptedModel([look]) as server:
        run = solve_with(server, context)
    assert run.answer is True
    assert re.findall(r"[0-9a-f]{200,}", sent(server).replace(run.card, "")) == []


@each_branch
def test_engines_02_the_context_is_exactly_what_was_given(branch: str) -> None:
    compare = f"FINAL([name for name, value in {ODD!r}.items() if repr(context[name]) != repr(value)])"
    with ScriptedModel([cell(compare)]) as server:
        run = solve_with(server, ODD, branch=branch)
    assert (run.status, run.answer) == ("answered", [])


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_engines_02_alone_it_is_no_different(value: Any) -> None:
    with ScriptedModel([cell(f"FINAL(repr(context) == {value!r}.__repr__() and type(context).__name__)")]) as server:
        run = solve_with(server, value)
    assert run.answer == type(value).__name__


@pytest.mark.parametrize("documents", [3, 30_000])
def test_engines_03_the_first_message_states_type_and_size_and_the_size_of_pieces(documents: int) -> None:
    context = [f"document {number}: " + "word " * 20 for number in range(documents)]
    with ScriptedModel([cell("FINAL(len(context))")]) as server:
        run = solve_with(server, context, window=10_000)
        opening, system = said(server, 1), server.root_requests[0]["messages"][0]["content"]
    assert run.answer == documents
    assert "list" in opening
    assert f"{documents:,}" in opening
    assert len(opening) < 5_000
    assert "up to 10,000 characters" in system


FRAME = pd.DataFrame({"region": ["north", "south"] * 50, "amount": range(100)})


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ("abc" * 100, ["text", "300"]),
        (["one", "two", "three"], ["list", "3"]),
        ([{"name": "x", "size": 1}] * 40, ["list", "40", "name", "size"]),
        ({"first": 1, "second": [2]}, ["dict", "first", "second"]),
        (b"\x00\x01" * 50, ["bytes", "100"]),
        (FRAME, ["DataFrame", "100", "region", "amount"]),
    ],
    ids=["str", "list[str]", "list[dict]", "dict", "bytes", "DataFrame"],
)
def test_peers_02_every_kind_of_context_works_and_is_described(context: Any, told: list[str]) -> None:
    with ScriptedModel([cell("FINAL((type(context).__name__, len(context)))")]) as server:
        run = solve_with(server, context)
        opening = said(server, 1)
    assert run.answer == (type(context).__name__, len(context))
    assert [word for word in told if word not in opening] == []


def test_peers_02_a_path_is_what_is_in_the_file(workdir: Path) -> None:
    (workdir / "notes.txt").write_text("first line\nsecond line\n")
    with ScriptedModel([cell("print(context[:5])\nFINAL(context)")]) as server:
        run = solve_with(server, workdir / "notes.txt")
    assert run.answer == "first line\nsecond line\n"


def test_peers_03_a_folder_fills_files(workdir: Path) -> None:
    docs = workdir / "docs"
    (docs / "deep").mkdir(parents=True)
    (docs / "a.md").write_text("alpha")
    (docs / "deep" / "b.md").write_text("beta")
    (docs / ".hidden.md").write_text("no")
    (docs / "picture.png").write_bytes(b"\x89PNG\x00\x00")
    code = "print(sorted(FILES))\nFINAL({'files': {n: FILES[n] for n in FILES}, 'text': ctx.text})"
    with ScriptedModel([cell(code)]) as server:
        run = solve_with(server, docs)
        opening = said(server, 1)
    assert run.answer["files"] == {"a.md": "alpha", "deep/b.md": "beta"}
    assert "a.md" in run.answer["text"]
    assert run.answer["text"].index("a.md") < run.answer["text"].index("alpha") < run.answer["text"].index("beta")
    assert "a.md" in opening
    assert "picture.png" in opening


def test_peers_05_the_card_is_bounded_and_its_sample_can_be_left_out() -> None:
    words = [f"zq{number:06d}" for number in range(200_000)]
    lengths = []
    for size in (100, 200_000):
        with ScriptedModel([cell("FINAL(1)")]) as server:
            lengths.append(len(solve_with(server, " ".join(words[:size])).card))
            assert "zq000000" in sent(server)
    assert max(lengths) < 4_000
    with ScriptedModel([cell("FINAL(len(context))")]) as server:
        run = solve_with(server, " ".join(words), sample=False)
    assert run.answer == 200_000 * 9 - 1
    assert "zq" not in sent(server)
    assert "1,799,999" in run.card


def test_peers_06_a_frame_is_described_and_a_hidden_column_is_not_shown() -> None:
    """Also peers 62: what a rule hides leaves the process in no prompt."""
    frame = FRAME.assign(salary=range(880_000, 880_100), gap=[float("nan")] * 10 + [1.5] * 90)
    with ScriptedModel([cell("print(context.head())\nllm_query(str(context['salary'].tolist()))\nFINAL(1)")]) as server:
        run = solve_with(server, frame, redact="salary, /8800[0-9]{2}/")
    for fact in ("100", "region", "int64", "north", "salary", "nulls 10.0%", "distinct 2"):
        assert fact in run.card
    assert re.findall(r"8800\d\d", sent(server)) == []
