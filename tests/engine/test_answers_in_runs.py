"""What ends a run, in whole runs: every dialect, typed answers, checks and verifiers, guards."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from support.openai_server import ScriptedModel
from support.solving import cell, said, solve_with

LOOK = cell("print(len(context))")


class City(BaseModel):
    name: str
    people: int


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ('answer["content"] = 5; answer["ready"] = True', 5),
        ('answer["ready"] = True; answer["content"] = 5', 5),
        ("answer.update(content=[1], ready=True)", [1]),
        ('answer |= {"content": {"a": 1}, "ready": True}', {"a": 1}),
        ('answer = {"content": "x", "ready": True}', "x"),
        ("FINAL(0)", 0),
        ('FINAL("")', ""),
        ("FINAL({})", {}),
        ("x = (1, 2); FINAL_VAR('x')", (1, 2)),
        ("x = (1, 2); FINAL_VAR(x)", (1, 2)),
        ("SUBMIT(7)", 7),
        ("SUBMIT(a=1, b=2)", {"a": 1, "b": 2}),
        ("FINAL_TEXT('words')", "words"),
        ("FINAL(5)\nraise ValueError", 5),
    ],
)
def test_engines_06_every_dialect_ends_the_run_with_that_very_value(code: str, value: Any) -> None:
    """Also engines 7, peers 17, 19, 20."""
    with ScriptedModel([cell(code)]) as server:
        run = solve_with(server)
    assert (run.status, run.answer) == ("answered", value)
    assert type(run.answer) is type(value)


@pytest.mark.parametrize(
    ("prose", "value"),
    [
        ("FINAL(42)", 42),
        ("FINAL(a (b) c)", "a (b) c"),
        ("FINAL: one\ntwo\nthree\nfour\nfive", "one\ntwo\nthree\nfour\nfive"),
        ("FINAL('a \"quoted\" (thing)')", 'a "quoted" (thing)'),
        ("FINAL(one\ntwo)", "one\ntwo"),
        ("FINAL_VAR(found)", [1, 2]),
        ('FINAL_VAR("found")', [1, 2]),
        ("FINAL_VAR: found", [1, 2]),
    ],
)
def test_peers_18_final_in_prose(prose: str, value: Any) -> None:
    """Also engines 7, peers 19."""
    with ScriptedModel([cell("found = [1, 2]"), prose]) as server:
        run = solve_with(server)
    assert (run.status, run.answer) == ("answered", value)


def test_peers_19_a_missing_variable_is_explained() -> None:
    with ScriptedModel([cell("result = 1"), "FINAL_VAR(resutl)", cell("FINAL_VAR('result')")]) as server:
        run = solve_with(server)
        assert "result" in said(server, 3)
    assert run.answer == 1


def test_peers_22_a_first_turn_answer_without_a_look_is_refused() -> None:
    with ScriptedModel(["FINAL(1)", LOOK, "FINAL(2)"]) as server:
        run = solve_with(server)
        assert "look" in said(server, 2).lower()
    assert run.answer == 2
    with ScriptedModel(["FINAL(1)"]) as server:
        assert solve_with(server, look_first=False).answer == 1


def test_peers_23_an_answer_beside_unseen_output_waits() -> None:
    with ScriptedModel([f"{LOOK}\n\nFINAL(1)", "FINAL(2)"]) as server:
        run = solve_with(server)
        assert "had not seen the output" in said(server, 2)
    assert run.answer == 2


def test_peers_24_turns_and_sub_calls_that_an_answer_needs() -> None:
    script = [cell("FINAL(1)"), cell("FINAL(2)"), cell("llm_query('x'); FINAL(3)")]
    with ScriptedModel(script) as server:
        run = solve_with(server, min_iterations=2, require_subcall=True)
    assert run.answer == 3
    assert [note.guard for turn in run.iterations for note in turn.guards] == ["min_iterations", "require_subcall"]


@pytest.mark.parametrize(
    ("kind", "first", "second", "value"),
    [
        (int, "'many'", "'42'", 42),
        (City, "{'name': 'Rome'}", "{'name': 'Rome', 'people': 3}", City(name="Rome", people=3)),
        (list[int], "['a']", "[1, 2]", [1, 2]),
        ({"type": "object", "required": ["a"]}, "{}", "{'a': 1}", {"a": 1}),
    ],
)
def test_peers_52_the_answer_is_of_the_wanted_type(kind: Any, first: str, second: str, value: Any) -> None:
    """Also engines 82, peers 21."""
    with ScriptedModel([cell(f"FINAL({first})"), cell(f"FINAL({second})")]) as server:
        run = solve_with(server, answer_type=kind)
        refused = said(server, 2)
    assert run.answer == value
    assert type(run.answer) is type(value)
    assert "was not taken" in refused


def test_engines_18_refused_answers_are_sent_back_and_exhaustion_is_flagged() -> None:
    """Also peers 44."""
    seen: list[Any] = []

    def check(value: Any) -> tuple[bool, str]:
        seen.append(value)
        return value == 3, f"{value} is too small"

    with ScriptedModel([cell("FINAL(1)"), cell("FINAL(2)"), cell("FINAL(3)")]) as server:
        run = solve_with(server, answer_check=check)
        assert "1 is too small" in said(server, 2)
    assert (run.status, run.answer, run.iterations[-1].answer.verified) == ("answered", 3, True)  # type: ignore[union-attr]  # there is one
    with ScriptedModel([cell("FINAL(1)"), cell("FINAL(2)")]) as server:
        run = solve_with(server, answer_check=check, max_answer_retries=1)
    assert (run.status, run.limit, run.answer) == ("limit", "max_answer_retries", 2)
    assert run.iterations[-1].answer is not None
    assert run.iterations[-1].answer.verified is False


def test_peers_44_the_verifier_model_sends_an_answer_back() -> None:
    verdicts = iter(['{"approve": false, "reason": "it is in euros"}', '{"approve": true, "reason": ""}'])
    with ScriptedModel(
        [cell("print(1)\nFINAL('5 dollars')"), cell("FINAL('5 euros')")], sub=lambda _: next(verdicts)
    ) as server:
        run = solve_with(server, verify_answer=True)
        assert "it is in euros" in said(server, 2)
    assert (run.answer, run.iterations[-1].answer and run.iterations[-1].answer.verified) == ("5 euros", True)
    assert [asked.role for turn in run.iterations for asked in turn.consultations] == ["verifier", "verifier"]


def test_engines_38_an_answer_that_is_code_is_sent_back() -> None:
    with ScriptedModel([cell("FINAL('find_it(context)')"), cell("FINAL('it is here')")]) as server:
        run = solve_with(server)
    assert run.answer == "it is here"
    assert run.iterations[0].guards[0].guard == "reject_code_answers"


def test_peers_26_blocks_run_in_order_and_stop_at_the_first_error() -> None:
    """Also engines 4."""
    reply = "\n".join([cell("print('one')"), cell("print('two')"), cell("1/0"), cell("print('three')")])
    with ScriptedModel([reply, cell("FINAL(1)")]) as server:
        solve_with(server)
        told = said(server, 2)
    assert re.findall(r"\[cell (\d): (\w+)", told) == [("1", "ok"), ("2", "ok"), ("3", "error")]
    assert told.index("one") < told.index("two")
    assert "three" not in told


@pytest.mark.parametrize(
    "fence", ["```repl", "```python", "```py", "```ipython", "```", "~~~python", "```REPL", "   ```repl"]
)
def test_engines_05_tolerant_fences(fence: str) -> None:
    """Also peers 25."""
    close = fence.strip()[:3]
    with ScriptedModel([f"{fence}\nprint('ran')\n{close}", cell("FINAL(1)")]) as server:
        solve_with(server)
        assert "ran" in said(server, 2)


@pytest.mark.parametrize(
    "reply",
    ["", "I will think.", "```json\n{}\n```", "```bash\nls\n```", "```repl\nprint(1", "> ```repl\n> print(1)\n> ```"],
)
def test_engines_05_no_turn_is_silent(reply: str) -> None:
    with ScriptedModel([reply, cell("FINAL(1)")]) as server:
        run = solve_with(server)
        assert "```repl" in said(server, 2) or "```" in said(server, 2)
    assert run.answer == 1
    assert run.iterations[0].cells == []


def test_peers_28_output_before_an_exception_is_kept_and_the_block_ran_once() -> None:
    code = "count = globals().get('count', 0) + 1\nprint('before', count)\n1/0"
    with ScriptedModel([cell(code), cell("FINAL(count)")]) as server:
        run = solve_with(server)
        told = said(server, 2)
    assert "before 1" in told
    assert "line 3" in told
    assert run.answer == 1


def test_peers_27_the_last_expression_is_shown_and_prints_before_it_too() -> None:
    with ScriptedModel([cell("print('a')\nlen(context)"), cell("FINAL(1)")]) as server:
        solve_with(server, "x" * 123)
        told = said(server, 2)
    assert "stdout:\na" in told
    assert "value:\n123" in told


def test_peers_29_the_scaffold_survives_clobbering() -> None:
    with ScriptedModel([cell("context = 1; llm_query = None"), cell("FINAL(llm_query(context))")]) as server:
        run = solve_with(server, "the context")
        assert "`context` is part of the session" in said(server, 2)
    assert run.answer == "the context"


def test_peers_30_long_output_shows_both_ends_and_its_length() -> None:
    """Also engines 71, peers 31."""
    code = "print('begin' + 'x' * 1_000_000 + 'the end')"
    with ScriptedModel([cell(code), cell("print(page(_result_0, 2)[:10])"), cell("FINAL(len(_result_0))")]) as server:
        run = solve_with(server)
        told = said(server, 2)
    assert "begin" in told
    assert "the end" in told
    assert "1,000,012 characters" in told
    assert len(told) < 3_000
    assert run.answer == 1_000_012


def test_peers_31_a_page_is_never_stored_again() -> None:
    with ScriptedModel([cell("print('y' * 20_000)"), cell("page(_result_0, 1)"), cell("FINAL(1)")]) as server:
        solve_with(server)
        told = said(server, 3)
    assert "_result_1" not in told
    assert "y" * 3_900 in told


def test_engines_17_a_failing_turn_is_left_out_of_the_conversation() -> None:
    script = [LOOK, cell("secret_attempt = 1/0"), cell("FINAL(1)")]
    with ScriptedModel(script) as server:
        run = solve_with(server, clean_retry=True)
        sent = "\n".join(message["content"] for message in server.root_requests[2]["messages"])
    assert "secret_attempt" not in sent
    assert "ZeroDivisionError" in sent
    assert run.iterations[1].guards[0].guard == "clean_retry"


def test_peers_74_the_same_code_again_is_noticed_then_stopped() -> None:
    with ScriptedModel([LOOK, cell("print( len(context) )"), LOOK, "no more"]) as server:
        run = solve_with(server)
        assert "same code" in said(server, 3)
    assert (run.status, run.limit) == ("limit", "max_repeats")


def test_engines_45_braces_are_just_text() -> None:
    with ScriptedModel([cell("FINAL(context)")]) as server:
        run = solve_with(
            server, {"{x}": "{0}"}, "What is {this}? {{}} {", instructions='Reply as {"a": 1}', profile="hybrid"
        )
        system = server.root_requests[0]["messages"][0]["content"]
    assert '{"a": 1}' in system
    assert "What is {this}? {{}} {" in said(server, 1)
    assert run.answer == {"{x}": "{0}"}
