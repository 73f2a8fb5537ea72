"""Ways to go about a question, in whole runs: routes and profiles, helpers in cells, tools, a search of one's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.families import Family, guards_of
from support.openai_server import ScriptedModel
from support.solving import cell, said, solve_with

DONE = cell("print(1)\nFINAL('done')")


def fixed_prompt(server: ScriptedModel) -> str:
    """Return the root's first message."""
    text: str = server.root_requests[0]["messages"][0]["content"]
    return text


@pytest.mark.parametrize("size", [7_999, 8_000])
def test_peers_12_a_small_context_goes_to_the_model_in_one_call(size: int) -> None:
    """Also engines 46: with the question whole, under the limits of the run, and in the journal like any other."""
    context = ("one two {three} " * 600)[:size]
    with ScriptedModel(["done" if size < 8_000 else DONE]) as server:
        run = solve_with(server, context, "What is {it}, and why?", direct_threshold=8_000, reply_limit=77)
        request = server.requests[0]
    assert (run.status, run.answer, len(server.requests)) == ("answered", "done", 1)
    assert run.method == ("direct" if size < 8_000 else "rlm")
    assert f"{size:,} characters" in run.route
    assert "What is {it}, and why?" in said(server, 1)
    assert (context in said(server, 1)) is (run.method == "direct")
    assert request.get("max_completion_tokens", request.get("max_tokens")) == 77
    assert (run.usage.calls, len(run.iterations)) == (1, 1)


@pytest.mark.parametrize("context", ["text", ["a", "b"], {"k": 1}, [1.5, None]])
def test_peers_12_plain_values_of_any_kind_may_go_directly(context: Any) -> None:
    with ScriptedModel(["done"]) as server:
        run = solve_with(server, context, direct_threshold=100)
        assert (context if isinstance(context, str) else json.dumps(context)) in said(server, 1)
    assert run.method == "direct"


def test_peers_12_it_is_off_unless_asked_for_and_typed_answers_are_typed_there_too() -> None:
    with ScriptedModel([DONE]) as server:
        run = solve_with(server, "tiny")
    assert (run.method, run.route) == ("rlm", "direct_threshold is 0")
    with ScriptedModel(["many", "7"]) as server:
        run = solve_with(server, "tiny", direct_threshold=100, answer_type=int)
    assert (run.method, run.answer) == ("direct", 7)


@pytest.mark.parametrize(
    ("profile", "word"),
    [
        ("auto", ""),
        ("deterministic", "code first"),
        ("semantic", "in batches"),
        ("hybrid", "filter"),
        ("verify", "twice"),
    ],
)
def test_peers_13_profiles_can_be_chosen(profile: str, word: str) -> None:
    verdict = '{"approve": true, "reason": ""}'
    script = [cell("print(llm_query('x'))\nFINAL('done')")]
    with ScriptedModel(script, sub=lambda prompt: verdict) as server:
        run = solve_with(server, profile=profile)
    assert (run.status, run.answer) == ("answered", "done")
    assert ("Strategy:" in fixed_prompt(server)) is (profile != "auto")
    assert word in fixed_prompt(server)
    assert run.usage_by("role").keys() == {"root", "llm_query", *["verifier"] * (profile == "verify")}


def test_peers_13_the_semantic_profile_refuses_an_answer_without_a_sub_call() -> None:
    with ScriptedModel([DONE, cell("FINAL(llm_query('x'))")]) as server:
        run = solve_with(server, profile="semantic")
    assert (run.answer, guards_of(run)) == ("x", ["require_subcall"])


LETTERS = "Dear all,\nthe code: HX-17 is secret.\nRegards\n" + "x" * 100


def test_peers_14_helpers_that_need_no_model() -> None:
    checks = {
        "peek(4)": "Dear",
        "tail(3)": "xxx",
        "lenP()": len(LETTERS),
        "P == context": True,
        "find('code')[0][:2]": (14, 18),
        "grep('CODE', ignore_case=True)[0]['line']": 2,
        "len(grep('code', context_lines=1)[0]['text'].splitlines())": 3,
        "[len(piece) for piece in chunk(size=100)]": [100, len(LETTERS) - 100],
        "select([(0, 4)])": ["Dear"],
        "extract_after('code:')": "HX-17",
        "extract_after('nowhere')": None,
        "ctx.get_document(5)": None,
        "ctx.num_documents()": 1,
        "ctx.slice(-5, 4)": "Dear",
        "len(page(context, 1, 50))": 50,
    }
    code = "import json\nprint(lenP())\nFINAL([" + ", ".join(checks) + "])"
    with ScriptedModel([cell(code)]) as server:
        run = solve_with(server, LETTERS)
        assert len(server.requests) == 1
    assert dict(zip(checks, run.answer, strict=True)) == checks


def test_peers_15_a_marked_fact_needs_no_sub_call() -> None:
    with ScriptedModel([cell("found = extract_after('code:')\nprint(found)\nFINAL(found)")]) as server:
        run = solve_with(server, LETTERS * 1_000, max_subcalls=0, profile="deterministic")
        assert "extract_after" in fixed_prompt(server)
    assert (run.answer, run.subcalls) == ("HX-17", [])


def test_peers_16_asking_chunk_by_chunk_stops_at_the_first_good_answer() -> None:
    replies = {
        "one": "NO_ANSWER",
        "two": "It may\nbe this",
        "three": "```x```",
        "four": "y" * 81,
        "five": "42",
        "six": "43",
    }
    code = f"first = ask_chunks_first('How many?', {list(replies)})\nprint(first)\nFINAL(first)"
    with ScriptedModel([cell(code)], sub=lambda prompt: replies[prompt.split("\n")[0]]) as server:
        run = solve_with(server)
        assert [prompt.split("\n")[0] for prompt in server.sub_prompts] == ["one", "two", "three", "four", "five"]
    assert run.answer == "42"


def test_peers_31_a_run_over_records_shows_far_less_with_outputs_stored() -> None:
    """At least 60 % less than with all of the output inline, and the data can still be read, page by page."""
    records = [f"record {n}: salary {50_000 + 1_000 * n}, {'some words ' * 8}" for n in range(50)]
    script = [
        cell("print(*context, sep='\\n')"),
        cell("chosen = [r for r in context if 'salary 5' in r]\nprint(*chosen, sep='\\n')"),
        cell("print(*context[::-1], sep='\\n')"),
        cell("FINAL(page(_result_0, 2)[:9] if '_result_0' in globals() else 0)"),
    ]
    told = {}
    for limit in (500, 1_000_000):
        with ScriptedModel(script) as server:
            run = solve_with(server, records, output_limit=limit)
            told[limit] = sum(len(m["content"]) for m in server.root_requests[-1]["messages"][2:])
        if limit == 500:
            assert run.answer == "\n".join(records)[4_000:4_009]
    assert told[500] < 0.4 * told[1_000_000]


def test_peers_32_what_there_is_and_what_may_go() -> None:
    code = (
        "import json\nword = 'x' * 1000\nprint(memory_status(), SHOW_VARS())\n"
        "said = forget('word', 'context', 'llm_query')\nprint(said)\nFINAL(('word' in globals(), len(context)))"
    )
    with ScriptedModel([cell(code)]) as server:
        run = solve_with(server, "abc")
    shown, forgot = run.iterations[0].cells[0].stdout.split("\n", 1)
    assert "1000" in shown.replace(",", "")
    assert "json" not in shown
    assert "context" in forgot
    assert run.answer == (False, 3)


def double(number: int) -> int:
    """Return twice a number."""
    return number * 2


class Counter:
    """Counts its calls, and cannot be sent to another process."""

    def __init__(self) -> None:
        self.calls = 0
        self.here = (step for step in range(3))

    def __call__(self, step: int = 1) -> int:
        """Count on."""
        self.calls += step
        return self.calls


@pytest.mark.parametrize(
    ("branch", "sub_tools", "children_have"),
    [
        ("fork", None, "double,rate"),
        ("fork", {}, ""),
        ("spawn", {"half": len}, "half"),
        ("kernel:python3", None, "double,rate"),
    ],
)
def test_engines_44_tools_work_wherever_cells_run(
    branch: str, sub_tools: dict[str, Any] | None, children_have: str
) -> None:
    """Also peers 50: with their docstrings in the prompt, and other ones for children if the caller says so."""
    tools = {"double": double, "rate": {"tool": 1.5, "description": "the rate of 2024"}, "count": Counter()}
    scripts = {
        "Root?": [cell("print(double(3), rate)\nFINAL((double(rate), count(2), count(), rlm_query('Child?')))")],
        "Child?": [cell("print(1)\nFINAL(','.join(n for n in ('double', 'rate', 'half') if n in globals()))")],
    }
    with Family(scripts) as server:
        run = solve_with(server, "abc", "Root?", branch=branch, tools=tools, sub_tools=sub_tools)
        root, child = (server.asked(question)[0]["messages"][0]["content"] for question in ("Root?", "Child?"))
    assert run.answer == (3.0, 2, 3, children_have)
    assert "Return twice a number" in root
    assert "the rate of 2024" in root
    assert ("Return twice a number" in child) is ("double" in children_have)


def test_peers_51_the_search_is_built_in_or_the_callers_own() -> None:
    documents = ["the cat sat on the mat", "a heron stood in the river", "nothing of note"]
    code = cell("found = search('heron river', k=1)\nprint(found)\nFINAL(found)")
    with ScriptedModel([code]) as server:
        [found] = solve_with(server, documents).answer
    assert "heron" in found["text"]
    assert "\n".join(documents).count("heron") == 1
    assert (type(found), type(found["start"]), type(found["end"])) == (dict, int, int)

    def own(query: str, k: int) -> list[dict[str, Any]]:
        return [{"text": f"{query} {k}", "start": 0, "end": 1}]

    with ScriptedModel([code]) as server:
        assert solve_with(server, documents, retriever=own).answer == own("heron river", 1)


@pytest.mark.parametrize(("mode", "calls"), [("off", 0), ("brief", 1), ("notes", 1), ("both", 2)])
def test_peers_47_the_context_engineer_has_four_modes(mode: str, calls: int) -> None:
    """Also its tokens: they are charged to the run, under its role."""
    text = "".join(f"Line {n} of the chronicle, in which he did this and that. " for n in range(300))
    code = cell("print(llm_query(context[4_000:4_400] + ' Who is he?'))\nFINAL(1)")
    with ScriptedModel([code], sub=lambda prompt: "written by the engineer") as server:
        run = solve_with(server, text, engineer=mode)
        asked, shown = said(server, 1), server.sub_prompts[-1]
    assert ("written by the engineer" in asked) is (mode in ("brief", "both"))
    assert ("written by the engineer" in shown) is (mode in ("notes", "both"))
    engineer = run.usage_by("role").get("engineer")
    assert (engineer.calls if engineer else 0) == calls
    assert run.usage.calls == 2 + calls
