"""Answers outside every fence: which count, what they say, and how they are given in the session."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.engine.prose import ProseAnswer, as_cell
from rlm_kernel.engine.reply import parse_reply


def given_by(answer: ProseAnswer | None) -> tuple[str, Any]:
    """Run the cell of an answer; return which call it makes and with what."""
    assert answer is not None
    calls: list[tuple[str, Any]] = []
    namespace = {
        "FINAL": lambda value: calls.append(("FINAL", value)),
        "FINAL_VAR": lambda name: calls.append(("FINAL_VAR", name)),
        "SUBMIT": lambda *args, **fields: calls.append(("SUBMIT", (args, fields))),
        "total": 7,
    }
    exec(as_cell(answer), namespace)
    [call] = calls
    return call


def said(text: str) -> Any:
    name, value = given_by(parse_reply(text, "stop").prose)
    assert name == "FINAL"
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("FINAL(a (b) c)", "a (b) c"),
        ("FINAL(f(g(x)) and more)", "f(g(x)) and more"),
        ('FINAL("a) b")', "a) b"),
        ("FINAL(it's (nearly) done)", "it's (nearly) done"),
        ('FINAL(a smile ":)" here)', 'a smile ":)" here'),
        ('FINAL("""two\nlines)""")', "two\nlines)"),
        ("FINAL(one\n(two)\nthree)", "one\n(two)\nthree"),
        ("I have seen enough.\n\nFINAL(Paris)\n", "Paris"),
        ("FINAL(Paris).", "Paris"),
        ("FINAL: Paris", "Paris"),
        ("FINAL: one\ntwo\n\nfour (4)\nfive", "one\ntwo\n\nfour (4)\nfive"),
        ("**FINAL(Paris)**", "Paris"),
        ("**FINAL:** the **old** one", "the **old** one"),
        ("**FINAL: Paris**", "Paris"),
        ("## FINAL: Paris", "Paris"),
        ("- FINAL(Paris)", "Paris"),
        ('FINAL:\n```json\n{"a": [1, 2]}\n```', {"a": [1, 2]}),
        ("FINAL(London)\nNo, wait.\nFINAL(Paris)", "Paris"),
        ("<think>FINAL(London)</think>FINAL(Paris)", "Paris"),
        ("```text\nFINAL(London)\n```\nFINAL(Paris)", "Paris"),
        ("FINAL(Paris)\r\n", "Paris"),
    ],
)
def test_peers_18_final_in_prose(text: str, value: object) -> None:
    """Also engines 7, and the defects of 001 (prose only), 002 and 004 (cut at the parenthesis), 003 (first line)."""
    assert said(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("FINAL(42)", 42),
        ("FINAL(0)", 0),
        ('FINAL("")', ""),
        ("FINAL: -1.5", -1.5),
        ("FINAL(['a', 2])", ["a", 2]),
        ("FINAL({'a': None,\n 'b': (True,)})", {"a": None, "b": (True,)}),
        ("FINAL(1e999)", float("inf")),
        ("FINAL(42 # found it\n)", 42),
        ("FINAL((1, 2))", (1, 2)),
        ("FINAL(1,234)", "1,234"),
        ("FINAL(2024-01-05)", "2024-01-05"),
        ("FINAL(total)", "total"),
        ("FINAL(!ls)", "!ls"),
        ("FINAL(len(x))", "len(x)"),
        ("FINAL(42;)", "42;"),
    ],
)
def test_peers_17_a_literal_is_its_value_and_anything_else_is_text(text: str, value: object) -> None:
    """Also the defects of 001: an int crashes, a falsy answer is none."""
    got = said(text)
    assert (type(got), got) == (type(value), value)


@pytest.mark.parametrize(
    "text",
    [
        *("FINAL_VAR(total)", 'FINAL_VAR("total")', "FINAL_VAR('total')", "FINAL_VAR: total", "FINAL_VAR(`total`)"),
        *("**FINAL_VAR(total)**", "FINAL_VAR: `total`.", "FINAL_VAR: total\n\nIt holds the sum."),
    ],
)
def test_peers_19_final_var_quoted_or_not(text: str) -> None:
    """Also engines 7, and the defect of 004 (quotes)."""
    assert given_by(parse_reply(text, "stop").prose) == ("FINAL_VAR", "total")


def test_peers_21_submit_in_prose() -> None:
    assert given_by(parse_reply('SUBMIT(1, name="a) b", n=total)').prose) == (
        "SUBMIT",
        ((1,), {"name": "a) b", "n": 7}),
    )
    assert given_by(parse_reply("SUBMIT(2 # twice\n)").prose) == ("SUBMIT", ((2,), {}))


@pytest.mark.parametrize(
    "text",
    [
        *("I will call FINAL(x) later.", "Then FINAL(x)", "`FINAL(4)`", "``FINAL(4)``", "'FINAL(4)'", '"FINAL: 4"'),
        *(
            "> FINAL(4)",
            "> > FINAL: 4",
            "    FINAL(4)",
            "\tFINAL(4)",
            "| FINAL(4) |",
            "final(4)",
            "Final: 4",
            "FINALLY: 4",
        ),
        *("print('''\n''')", "```text\nFINAL(4)\n```", "~~~\nFINAL(4)\n~~~", "````md\n```\nFINAL(4)\n```\n````"),
        *("<think>\nFINAL(4)\n</think>", "FINAL(4)\n</think>", "FINAL_VARS(x)", "x = 4\nFINAL(x)", "the FINAL\n(4)"),
    ],
)
def test_engines_07_a_mention_is_no_answer(text: str) -> None:
    """Also peers 18: mid-sentence, quoted, in inline code, in a fence, in a thought."""
    assert parse_reply(text).prose is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("FINAL(4) would be my answer", "ends with"),
        ("FINAL(4", "ends with"),
        ("FINAL()", "itself"),
        ("FINAL(...)", "itself"),
        ("FINAL:", "itself"),
        ('FINAL_VAR(df["x"])', "name of a variable"),
        ("FINAL_VAR()", "name of a variable"),
        ("SUBMIT()", "fields"),
        ("SUBMIT(the total: 5)", "fields"),
        ("SUBMIT(1), SUBMIT(2)", "ends with"),
        ("SUBMIT(len(x))", "compute"),
        ("SUBMIT(**x)", "compute"),
    ],
)
def test_engines_07_an_answer_that_does_not_count_is_explained(text: str, word: str) -> None:
    """Also the defect of 004 (`FINAL()` ignored)."""
    reply = parse_reply(text, "stop")
    assert reply.prose is None
    assert word in reply.note


def test_peers_23_an_answer_beside_code_is_there_beside_the_code() -> None:
    reply = parse_reply("```repl\ntotal = 1\n```\nFINAL(2)")
    assert (reply.blocks, reply.prose) == (["total = 1\n"], ProseAnswer("value", "2"))


@given(st.text(max_size=100))
@settings(deadline=None)
def test_a_text_is_given_as_it_is_or_as_the_literal_it_is(text: str) -> None:
    try:
        literal = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError):
        literal = text
    assert given_by(ProseAnswer("value", text)) in (("FINAL", text), ("FINAL", literal))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
)
@settings(deadline=None)
def test_any_plain_value_arrives_as_it_is(value: object) -> None:
    assert given_by(ProseAnswer("value", repr(value))) == ("FINAL", value)
