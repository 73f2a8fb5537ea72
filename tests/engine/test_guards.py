"""Which final answers count as far as rules can tell, and what the model hears about the others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.engine.guards import AnswerFacts, is_code_shaped, judge, strip_echo
from rlm_kernel.settings import Settings

GOOD = AnswerFacts("Paris", "str", "answer", iteration=2, cells_ok=1, subcalls=0)
FORCING = "That was the last turn. Give your answer now, in plain words."


def guard_of(facts: AnswerFacts, **changed: object) -> str:
    refusal = judge(facts, replace(Settings(), **changed))  # type: ignore[arg-type] # settings by name
    return refusal.guard if refusal else ""


def test_an_answer_after_a_look_counts() -> None:
    assert judge(GOOD, Settings()) is None


def test_peers_22_must_explore_guard() -> None:
    """Also the defects of 002 and 003: an answer in the first turn, with nothing seen, is accepted."""
    refusal = judge(replace(GOOD, cells_ok=0), Settings())
    assert refusal is not None
    assert (refusal.guard, refusal.counts) == ("look_first", False)
    assert "no cell has run" in refusal.feedback
    assert guard_of(replace(GOOD, cells_ok=0), look_first=False) == ""


def test_peers_24_min_iterations_and_require_subcall() -> None:
    early = judge(replace(GOOD, iteration=2), replace(Settings(), min_iterations=3))
    assert early is not None
    assert (early.guard, early.counts, "turn 3" in early.feedback) == ("min_iterations", False, True)
    assert guard_of(replace(GOOD, iteration=3), min_iterations=3) == ""

    assert guard_of(GOOD, require_subcall=True) == "require_subcall"
    assert guard_of(replace(GOOD, subcalls=1), require_subcall=True) == ""
    strict = judge(GOOD, Settings(), require_subcall=True)  # as a strategy asks for it
    assert strict is not None
    assert "llm_query" in strict.feedback


def test_peers_20_an_empty_answer_is_refused_once() -> None:
    empty = replace(GOOD, text=" \n")
    refusal = judge(empty, Settings())
    assert refusal is not None
    assert refusal.guard == "empty_answer"
    told = (f"{refusal.feedback}\nYour answer was not taken; give a better one.",)
    assert judge(replace(empty, told=told), Settings()) is None


@pytest.mark.parametrize(("text", "kind"), [("", "str"), ("0", "int"), ("[]", "list"), ("", "Silent")])
def test_peers_17_a_falsy_answer_counts(text: str, kind: str) -> None:
    """Also the defect of 001: `FINAL(0)` and `FINAL("")` are taken for no answer."""
    assert judge(replace(GOOD, text=text, value_type=kind, via="FINAL"), Settings()) is None


@pytest.mark.parametrize(
    "text",
    [
        "```repl\nprint(1)\n```",
        "The code is:\n~~~\nprint(1)\n~~~",
        "    ```\n    x\n    ```",
        'find("the answer")',
        "print(answer)\nand so on",
        "df['a'].sum()",
        "context[0]",
        "await ask('x')",
        "total = sum(values)",
        'answer["content"] = 42',
        "a, b = f(x)",
        "total += 1",
        'f"Total: {total}"',
        "import re\nfor m in re.findall('a', context):\n    print(m)",
        "for line in context:\n    count += 1",
        "def f(x):\n    return x",
    ],
)
def test_engines_38_a_code_shaped_answer_is_sent_back(text: str) -> None:
    """Also engines 37: the same shape of a sub-call's reply."""
    assert is_code_shaped(text)
    refusal = judge(replace(GOOD, text=text), Settings())
    assert refusal is not None
    assert (refusal.guard, refusal.counts) == ("reject_code_answers", True)
    assert guard_of(replace(GOOD, text=text), reject_code_answers=False) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris",
        "42",
        "x = 5",
        "x = 1\ny = -2.5",
        "Smith (2020)",
        "Smith (2020), Jones (2021)",
        "[1, 2]",
        '{"a": 1}',
        "Answer: 42",
        "a, b",
        "yes\nno",
        "- f(x) is called\n- g(x) is not",
        "import duties",
        "1. one\n2. two",
        "Call find(x) to see",
        "The total (in USD) is 5.",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "E = mc²",
        "if so: yes",
        "It is `x = 1`.",
        "f(x) = 2x",
        "Paris [1]",
        "2024-01-05",
        "not found",
        "example.com",
        '"quoted"',
        "total == 5",
    ],
)
def test_engines_38_prose_is_accepted(text: str) -> None:
    """Also engines 37."""
    assert not is_code_shaped(text)


def test_engines_38_an_object_is_never_taken_for_code() -> None:
    assert judge(replace(GOOD, text="f(x)", value_type="Expr"), Settings()) is None
    assert judge(replace(GOOD, text="a = [1]", value_type="DataFrame"), Settings()) is None


def test_engines_38_a_refusal_given_back_as_the_answer_is_refused() -> None:
    told = "The answer does not fit the wanted type: a list of names is wanted, this is a text."
    echo = replace(GOOD, text=f"Sorry.  the ANSWER does not fit the wanted\n{told[34:]}", told=(told,))
    refusal = judge(echo, Settings())
    assert refusal is not None
    assert (refusal.guard, refusal.counts) == ("reject_code_answers", True)
    assert judge(replace(echo, told=()), Settings()) is None
    assert judge(replace(echo, text="x" * 400 + told), Settings()) is None

    own = judge(replace(GOOD, cells_ok=0), Settings())
    assert own is not None
    assert guard_of(replace(GOOD, text=own.feedback)) == "reject_code_answers"


def test_a_short_remark_is_no_phrase_to_look_for() -> None:
    assert judge(replace(GOOD, text="No. It is Paris.", told=("No.", "")), Settings()) is None


@pytest.mark.parametrize(
    ("reply", "rest"),
    [
        (f"{FORCING} Paris", "Paris"),
        (f"{FORCING}\n\n**Paris**", "**Paris**"),
        ("  that was  THE last\nturn. give your answer now, in plain words.\nParis", "Paris"),
        (f'> "{FORCING}"\n\nParis', "Paris"),
        (f"{FORCING}\n{FORCING}\nParis", "Paris"),
        (FORCING, FORCING),
        (f"  {FORCING}\n", f"  {FORCING}\n"),
        ("Paris", "Paris"),
        (f"Paris. {FORCING}", f"Paris. {FORCING}"),
        ("That was the last turn. Paris", "That was the last turn. Paris"),
        ("", ""),
    ],
)
def test_engines_09_forced_final_echo_strip(reply: str, rest: str) -> None:
    assert strip_echo(reply, FORCING) == rest


@given(st.text(max_size=200), st.text(max_size=80))
@settings(deadline=None)
def test_any_text_can_be_judged(text: str, sentence: str) -> None:
    judge(replace(GOOD, text=text, told=(sentence,)), Settings())
    assert strip_echo(text, sentence).strip() or not text.strip()


def test_a_long_answer_is_judged_in_bounded_work() -> None:
    for unit in ("f(", "x = ", "(", "a b ", "\n", "'", "f(x)\n"):
        judge(replace(GOOD, text=unit * 100_000), Settings())
