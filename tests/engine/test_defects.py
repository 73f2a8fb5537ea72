"""The defects of earlier systems stay away: one regression test each, named after the system and the defect.

`tests/PARITY.md` lists them beside the tests. Where one is about more than a run shows, the test is in its own room.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import rlm_kernel
from rlm_kernel import RLM, load
from support.families import Family, children_of, guards_of
from support.openai_server import Answer, Reply, ScriptedModel
from support.solving import cell, said, solve_with

LOOK = cell("print(len(context))")


def answer_to(*script: Answer, context: Any = "some context", **options: Any) -> Any:
    """Return the final answer of a run in which the model says this."""
    with ScriptedModel([LOOK, *script]) as server:
        run = solve_with(server, context, **options)
    assert run.status == "answered", run.stop_reason
    return run.answer


# ----- 001 -----------------------------------------------------------------------------------------------------


def test_defect_001_an_answer_in_prose_alone_is_an_answer() -> None:
    assert answer_to("FINAL(42)") == 42


@pytest.mark.parametrize("value", [0, 42, 1.5, "", False, None, [], {}])
def test_defect_001_an_answer_may_be_a_number_or_false(value: Any) -> None:
    given = answer_to(cell(f"FINAL({value!r})"))
    assert (given, type(given)) == (value, type(value))


def test_defect_001_imports_work() -> None:
    assert (
        answer_to(cell("import re, zlib\nfrom statistics import mean\nFINAL(mean([len(re.findall('o', context)), 3]))"))
        == 2.5
    )


def test_defect_001_what_was_printed_before_an_exception_is_not_lost() -> None:
    with ScriptedModel([cell("print('before')\nprint('also', end='')\n1/0"), cell("FINAL(1)")]) as server:
        solve_with(server)
        assert "before\nalso" in said(server, 2)


def test_defect_001_the_context_cannot_be_destroyed() -> None:
    assert answer_to(
        cell("context = 'gone'; CONTEXT = None; del llm_query"), cell("FINAL(context + llm_query('!'))")
    ) == ("some context!")


def test_defect_001_depth_changes_something() -> None:
    scripts = {"What?": [cell("print(1)\nFINAL(rlm_query('Child?'))")], "Child?": [cell("print(2)\nFINAL('a child')")]}
    with Family(scripts, sub=lambda prompt: "a leaf") as server:
        assert [solve_with(server, max_depth=depth).answer for depth in (0, 1)] == ["a leaf", "a child"]


def test_defect_001_the_async_call_does_not_block_the_loop() -> None:
    """While a request waits at the server the loop goes on: it is what lets the request through."""

    async def ask(server: ScriptedModel) -> rlm_kernel.Run:
        server.hold()
        task = asyncio.create_task(RLM("m", server.base_url, window=100_000, namespace={}).acompletion("text", "What?"))
        await asyncio.to_thread(server.arrived.acquire)
        assert not task.done()
        server.held.set()
        return await task

    with ScriptedModel([cell("print(1)\nFINAL(1)")]) as server:
        assert asyncio.run(ask(server)).answer == 1


def test_defect_001_time_is_limited_within_a_turn() -> None:
    started = time.monotonic()
    with ScriptedModel([cell("while True: pass")]) as server:
        run = solve_with(server, max_time=1, timeout=600)
    assert (run.status, run.limit) == ("limit", "max_time")
    assert time.monotonic() - started < 60


# ----- 002 -----------------------------------------------------------------------------------------------------


def test_defect_002_a_failing_block_runs_once() -> None:
    with ScriptedModel(
        [cell("calls = globals().get('calls', 0) + 1\nllm_query('paid')\n1/0"), cell("FINAL(calls)")]
    ) as server:
        assert solve_with(server).answer == 1
        assert server.sub_prompts == ["paid"]


def test_defect_002_an_import_stays_where_it_is() -> None:
    assert (
        answer_to(cell("for name in ('json', 'zlib'):\n    import json\n    n = json.dumps(name)\nFINAL(n)"))
        == '"zlib"'
    )


def test_defect_002_stderr_is_given_back() -> None:
    before = sys.stderr, sys.stdout
    answer_to(cell("import sys\nsys.stderr = None\nprint(1)\nFINAL(1)"), branch="fork")
    assert (sys.stderr, sys.stdout) == before


def test_defect_002_an_answer_is_not_cut_at_a_parenthesis() -> None:
    assert answer_to("FINAL(f(x) = (a + b) * c (see (1)))") == "f(x) = (a + b) * c (see (1))"


def test_defect_002_the_server_is_asked_once_what_it_serves() -> None:
    with ScriptedModel([LOOK, cell("[llm_query(str(n)) for n in range(5)]\nFINAL(1)")]) as server:
        solve_with(server, window=None)
        solve_with(server, window=None)
        assert len(server.visited) == len(set(server.visited))


def test_defect_002_what_the_model_said_has_its_role() -> None:
    with ScriptedModel([LOOK, cell("FINAL(1)")]) as server:
        run = solve_with(server)
        assert [(m["role"], m["content"]) for m in server.root_requests[1]["messages"]][2] == ("assistant", LOOK)
    assert [message["role"] for message in run.history] == ["system", "user", "assistant", "user", "assistant"]


# ----- 003 -----------------------------------------------------------------------------------------------------


def test_defect_003_no_reply_is_taken_from_another_model_or_limit() -> None:
    """Nor is a part that one model has read taken for another's reading."""
    code = "FINAL([llm_query('p'), llm_query('p', model='m2'), llm_query('p', max_tokens=3)])"

    def reply(body: dict[str, Any]) -> Answer:
        if body["messages"][0]["role"] == "system":
            return cell(code)
        return f"{body['model']} {body.get('max_completion_tokens', body.get('max_tokens'))}"

    with ScriptedModel(respond=reply) as server:
        run = solve_with(server, subcall_reply_limit=9, look_first=False)
    assert run.answer == ["scripted 9", "m2 9", "scripted 3"]


def test_defect_003_a_question_that_was_not_sent_costs_nothing() -> None:
    with ScriptedModel([cell("FINAL([llm_query_batched(['a', 'a', 'b']), budget()['used']['subcalls']])")]) as server:
        run = solve_with(server, look_first=False)
        assert len(server.sub_prompts) == 2
    assert run.answer[1] == 2
    assert run.usage.calls == 3


def test_defect_003_tokens_of_children_count_once() -> None:
    scripts = {
        "What?": [cell("print(1)\nFINAL(rlm_query('Child?'))")],
        "Child?": [cell("print(2)\nFINAL(llm_query('x'))")],
    }
    with Family(scripts) as server:
        run = solve_with(server)
        assert run.usage.prompt_tokens == 10 * len(server.requests) == 30
    assert children_of(run)[0].usage.calls == 2


def test_defect_003_the_model_that_is_asked_for_is_asked() -> None:
    with ScriptedModel([cell("llm_query('x', model='m2')\nllm_query_batched(['y'], model='m3')\nFINAL(1)")]) as server:
        solve_with(server)
        assert [request["model"] for request in server.requests] == ["scripted", "m2", "m3"]


@pytest.mark.parametrize("form", ["FINAL: {}", "FINAL({})"])
def test_defect_003_an_answer_has_more_than_its_first_line(form: str) -> None:
    lines = "one:\n- two\n- three\n\nfour"
    assert answer_to(form.format(lines)) == lines


def test_defect_003_prose_that_looks_like_code_is_not_run() -> None:
    with ScriptedModel(["print(len(context))\nx = 1", LOOK, cell("FINAL('x' in globals())")]) as server:
        run = solve_with(server)
    assert run.answer is False
    assert run.iterations[0].cells == []


# ----- 004 -----------------------------------------------------------------------------------------------------


def test_defect_004_a_stored_output_can_be_read() -> None:
    script = [cell("print('y' * 9_000)"), cell("print(page(_result_0, 2))"), cell("FINAL('_result_1' in globals())")]
    with ScriptedModel(script) as server:
        run = solve_with(server)
        assert "y" * 3_900 in said(server, 3)
    assert run.answer is False


@pytest.mark.parametrize("form", ["FINAL_VAR(n)", 'FINAL_VAR("n")', "FINAL_VAR('n')", "FINAL_VAR: n"])
def test_defect_004_a_variable_may_be_named_in_quotes(form: str) -> None:
    assert answer_to(cell("n = [7]"), form) == [7]


def test_defect_004_output_that_says_error_is_output() -> None:
    with ScriptedModel(
        [cell("print('[ERROR] Traceback (most recent call last)')\nFINAL('[ERROR] is in line 3')")]
    ) as server:
        run = solve_with(server, max_errors=1, clean_retry=True)
    assert (run.status, run.answer, guards_of(run)) == ("answered", "[ERROR] is in line 3", [])


def test_defect_004_at_a_limit_no_error_sentence_is_the_answer() -> None:
    with ScriptedModel([LOOK]) as server:
        run = solve_with(server, max_iterations=1, final_turn=False)
    assert (run.status, run.answer, run.text, run.success) == ("limit", None, "", False)


# ----- rlms and prehend ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        'answer["ready"] = True\nanswer["content"] = [1]',
        "answer.update(content=[1], ready=True)",
        'answer |= {"ready": True, "content": [1]}',
        'answer = {"ready": True, "content": [1]}',
        'answer.setdefault("x"); answer["ready"] = 1 == 1; answer["content"] = [1]',
    ],
)
def test_defect_rlms_the_order_and_the_way_of_answering_do_not_matter(code: str) -> None:
    assert answer_to(cell(code)) == [1]


def test_defect_rlms_an_empty_answer_is_asked_about_once() -> None:
    with ScriptedModel([LOOK, cell('answer["content"] = ""; answer["ready"] = True')]) as server:
        run = solve_with(server, max_repeats=0)
    assert (run.status, run.answer, guards_of(run)) == ("answered", "", ["empty_answer"])


def test_defect_rlms_a_forced_guess_is_no_success() -> None:
    with ScriptedModel([LOOK, "Perhaps 7."]) as server:
        run = solve_with(server, max_iterations=1)
    assert (run.status, run.limit, run.success, run.answer) == ("limit", "max_iterations", False, "Perhaps 7.")
    assert run.error is not None


def test_defect_rlms_a_tuple_is_a_tuple() -> None:
    assert answer_to(cell("pair = (1, 'a')\nFINAL_VAR('pair')")) == (1, "a")


def test_defect_rlms_runs_side_by_side_do_not_mix_their_outputs() -> None:
    async def many(server: ScriptedModel) -> list[rlm_kernel.Run]:
        rlm = RLM("m", server.base_url, window=100_000, namespace={})
        return list(await asyncio.gather(*(rlm.asolve(f"{n}?", str(n) * 40) for n in range(5))))

    with Family(
        {f"{n}?": [cell("for _ in range(20): print(context)"), cell("FINAL(context)")] for n in range(5)}
    ) as server:
        runs = asyncio.run(many(server))
    for n, run in enumerate(runs):
        assert run.answer == str(n) * 40
        assert set(run.iterations[0].cells[0].stdout.split()) == {str(n) * 40}


def test_defect_rlms_a_cell_cannot_end_the_host() -> None:
    script = [
        cell("import sys\nsys.exit(3)"),
        cell("import os\nos._exit(4)"),
        cell("raise KeyboardInterrupt"),
        cell("FINAL(1)"),
    ]
    with ScriptedModel(script) as server:
        assert solve_with(server, branch="fork").answer == 1


def test_defect_rlms_a_failing_cell_keeps_what_it_made_and_all_of_python_works() -> None:
    first = cell("made = 5\ndef f(): return made + later\nclass A:\n    def g(self): return f()\nlater = 1\n1/0")
    assert answer_to(first, cell("later = 10\nFINAL(A().g())")) == 15


def test_defect_rlms_the_answer_of_the_turn_before_is_not_given_again() -> None:
    refused = [cell("FINAL('first')"), cell("print('unrelated')"), cell("FINAL('second')")]
    assert answer_to(*refused, answer_check=lambda value: value != "first") == "second"


def test_defect_rlms_the_journal_grows_with_what_is_new() -> None:
    """A context of a megabyte and five turns: the journal has the card, not the context, and no message twice."""
    with ScriptedModel(
        [*[cell(f"print({n}, 'unique' + str(7 * 11 * 13))") for n in range(5)], cell("FINAL(1)")]
    ) as server:
        run = solve_with(server, "x" * 1_000_000)
    files = [file for file in Path(run.journal_path).parent.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 60_000
    assert [file.read_text().count("'unique'") for file in files if file.name == "journal.jsonl"] == [3 * 5]
    assert load(run.journal_path) == run


def test_defect_prehend_the_direct_route_asks_the_question() -> None:
    with ScriptedModel(["Oslo"]) as server:
        run = solve_with(server, "The harbour of Oslo.", "Which city is it?", direct_threshold=1_000)
        assert "Which city is it?" in said(server, 1)
    assert run.answer == "Oslo"


def test_defect_prehend_usage_of_models_with_one_name_adds_up() -> None:
    with ScriptedModel([cell("print(llm_query('x'), llm_query('y'))\nFINAL(1)")]) as server:
        run = solve_with(server, sub_model="scripted")
    assert run.usage_by("model")["scripted"].calls == 3


def test_defect_prehend_a_verifier_that_never_approves_is_flagged() -> None:
    with ScriptedModel([LOOK, *[cell(f"FINAL({n})") for n in range(3)]]) as server:
        run = solve_with(server, answer_check=lambda value: False, max_answer_retries=2)
    assert (run.status, run.limit, run.success) == ("limit", "max_answer_retries", False)
    assert run.iterations[-1].answer is not None
    assert run.iterations[-1].answer.verified is False


def test_defect_prehend_braces_break_no_prompt() -> None:
    with ScriptedModel([LOOK, cell("FINAL(llm_query('{x} {} {0'))")]) as server:
        run = solve_with(server, "{context}", "{question} {", instructions="{}", repair_placeholders=True)
    assert run.answer == "{x} {} {0"


# ----- dspy and Prime ------------------------------------------------------------------------------------------


def test_defect_dspy_a_print_before_a_value_is_shown() -> None:
    with ScriptedModel([cell("print('hello')\n1 + 1"), cell("FINAL(1)")]) as server:
        solve_with(server)
        assert "hello" in said(server, 2)
        assert "value:\n2" in said(server, 2)


def test_defect_dspy_a_time_limit_does_not_lose_the_session() -> None:
    assert answer_to(cell("kept = {1: 2}"), cell("while True: pass"), cell("FINAL(kept)"), timeout=1) == {1: 2}


@pytest.mark.parametrize("branch", ["fork", "kernel:python3"])
def test_defect_prime_a_dead_session_comes_back(branch: str) -> None:
    code = "import zlib, os\nFINAL((kept, type(zlib).__name__, len(context)))"
    script = [cell("import zlib\nkept = [1]"), cell("import os\nos._exit(1)"), cell(code)]
    assert answer_to(*script, branch=branch) == ([1], "module", 12)


def test_defect_prime_a_key_in_the_session_goes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a cell prints of the environment of a fork, which is the user's own, is masked wherever it would go."""
    monkeypatch.setenv("OPENAI_API_KEY", "a-very-secret-key-0123")
    with ScriptedModel([cell("import os\nprint(dict(os.environ))"), cell("FINAL(1)")]) as server:
        solve_with(server)
        sent = json.dumps([request["messages"] for request in server.requests])
    assert "a-very-secret-key-0123" not in sent


def test_defect_prime_a_hung_cell_blocks_nobody_else() -> None:
    entered = threading.Event()

    async def both(server: ScriptedModel) -> Any:
        rlm = RLM("m", server.base_url, window=100_000, namespace={}, timeout=60, on_event=lambda e: note(e.type))
        hung = asyncio.create_task(rlm.asolve("hang?", "x"))
        await asyncio.to_thread(entered.wait)
        done = await RLM("m", server.base_url, window=100_000, namespace={}).asolve("quick?", "y")
        hung.cancel()
        await asyncio.gather(hung, return_exceptions=True)
        return done.answer

    def note(kind: str) -> None:
        if kind == "cell_started":
            entered.set()

    with Family({"hang?": [cell("while True: pass")], "quick?": [cell("print(1)\nFINAL(1)")]}) as server:
        assert asyncio.run(both(server)) == 1


def test_defect_prime_a_count_that_a_server_does_not_give_is_estimated() -> None:
    with ScriptedModel([Reply(cell("print(1)\nFINAL(1)"), usage=None)]) as server:
        run = solve_with(server, max_tokens=100_000)
    assert run.usage.estimated
    assert run.usage.prompt_tokens > 500
