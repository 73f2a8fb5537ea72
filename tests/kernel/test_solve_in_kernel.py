"""A question answered through the front door: our kernel, `%%rlm`, a model behind a real HTTP server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rlm_kernel.trajectory.journal import load
from support.kernels import Kernel
from support.openai_server import ScriptedModel

pytestmark = pytest.mark.kernel


def cell(code: str, prose: str = "Let me see.") -> str:
    return f"{prose}\n```repl\n{code}\n```"


def ask(kernel: Kernel, server: ScriptedModel, context: str = "df", **options: object) -> str:
    extra = " ".join(f"{name}={value}" for name, value in options.items())
    return f"%%rlm context={context} model=scripted base_url={server.base_url} out=run {extra}\nWhat is it?"


@pytest.fixture(scope="module", autouse=True)
def frame(kernel: Kernel) -> None:
    setup = """
    import pandas as pd
    df = pd.DataFrame({"region": ["north", "south"] * 100_000, "amount": range(200_000)})
    """
    assert kernel.execute(setup).error is None


def test_the_answer_is_the_object_itself(kernel: Kernel) -> None:
    script = [
        cell("print(context.shape)"),
        cell("by_region = df.groupby('region').amount.sum()\nhints = llm_query_batched(['a', 'b', 'c'])"),
        cell("answer['content'] = by_region\nanswer['ready'] = True"),
    ]
    with ScriptedModel(script) as server:
        done = kernel.execute(ask(kernel, server))
        assert done.error is None, done.error
        assert len(server.root_requests) == 3
        assert sorted(server.sub_prompts) == ["a", "b", "c"]
    assert kernel.value("run.status") == "answered"
    assert kernel.value("run.answer.equals(df.groupby('region').amount.sum())")
    assert kernel.value("run.answer is by_region and _ is run")
    assert kernel.value("[c.calls for c in [run.usage]]") == [6]
    assert kernel.value("(len(run.iterations), len(run.subcalls))") == (3, 3)


def test_the_journal_replays_to_the_same_run(kernel: Kernel) -> None:
    with ScriptedModel(
        [cell("print('x' * 50_000)\nllm_query('q')"), cell("FINAL({'total': [1, 2.5, None]})")]
    ) as server:
        assert kernel.execute(ask(kernel, server)).error is None
    assert kernel.value("__import__('rlm_kernel').load(run.journal_path) == run")
    folder = Path(kernel.value("__import__('os').path.abspath(run.journal_path)")).parent
    again = load(folder)
    assert again.answer == {"total": [1, 2.5, None]}
    assert again.iterations[0].cells[0].stdout.count("x") == 50_000
    assert any((folder / "texts").iterdir())


def test_the_context_is_in_no_request_outside_its_card(kernel: Kernel) -> None:
    # Only capital letters: a window of it would be a run of 200 capitals, of which nothing else has any.
    kernel.execute("import random\nblob = ''.join(random.Random(7).choices('ABCDEFGHIJKLMNOPQRSTUVWXYZ', k=1_000_000))")
    with ScriptedModel([cell("len(context)"), cell("context[500_000:500_010]"), cell("FINAL(len(context))")]) as server:
        assert kernel.execute(ask(kernel, server, "blob")).error is None
        sent = "\n".join(m["content"] for r in server.requests for m in r["messages"])
    assert kernel.value("run.card") in sent
    assert kernel.value("blob[:100]") in sent
    assert re.findall(r"[A-Z]{200,}", sent) == []
    assert kernel.value("run.answer") == 1_000_000


def test_what_the_model_does_to_the_frame_stays_with_it(kernel: Kernel) -> None:
    script = [
        cell("df.drop(columns='amount', inplace=True)\nprint(list(df.columns))"),
        cell("by_size = df.groupby('region').size()\nwalker = (i for i in range(3))\nFINAL(list(df.columns))"),
    ]
    with ScriptedModel(script) as server:
        done = kernel.execute(ask(kernel, server))
    assert kernel.value("run.answer") == ["region"]
    assert kernel.value("list(df.columns)") == ["region", "amount"]
    assert kernel.value("int(by_size['north'])") == 100_000
    refused = kernel.value("run.refused")
    assert [(r["name"], r["type"]) for r in refused] == [("walker", "generator")]
    assert "walker" in done.result["text/plain"]
    assert kernel.value("'walker' in globals()") is False


@pytest.mark.parametrize(
    ("keep", "expected"), [("none", (1, False)), ("new", (1, True)), ("all", (2, True)), ("old,fresh", (2, True))]
)
def test_keep_decides_what_comes_back(kernel: Kernel, keep: str, expected: tuple[int, bool]) -> None:
    kernel.execute("old = 1\nif 'fresh' in globals(): del fresh")
    with ScriptedModel([cell("old = 2\nfresh = [1]\nFINAL(old)")]) as server:
        assert kernel.execute(ask(kernel, server, keep=keep)).error is None
    assert kernel.value("(old, 'fresh' in globals())") == expected
    assert kernel.value("run.answer") == 2


def test_classes_aliases_and_functions_survive_the_way_back(kernel: Kernel) -> None:
    kernel.execute("class Point:\n    def __init__(self, x): self.x = x\nfactor = 10\norigin = Point(0)")
    script = [cell("p = Point(3)\npair = [p, p]\nsame = origin\ndef scaled(v): return v * factor\nFINAL(p)")]
    with ScriptedModel(script) as server:
        assert kernel.execute(ask(kernel, server)).error is None
    assert kernel.value("isinstance(p, Point) and pair[0] is pair[1] is p and run.answer is p")
    assert kernel.value("same is origin")
    kernel.execute("factor = 7")
    assert kernel.value("scaled(2)") == 14


@pytest.mark.parametrize(
    ("code", "outcome", "told"),
    [
        ("marker = 2\nwhile True: pass", "timeout", "ran longer than 1 s"),
        (
            "marker = 2\nwhile True:\n  try:\n    while True: pass\n  except BaseException: pass",
            "timeout",
            "ran longer",
        ),
        ("marker = 2\nimport os; os._exit(1)", "died", "exited with code 1"),
        ("marker = 2\nimport ctypes; ctypes.string_at(0)", "died", "SIGSEGV"),
        (
            "marker = 2\nimport subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)\nwhile 1: pass",
            "timeout",
            "",
        ),
    ],
)
def test_a_runaway_cell_costs_nothing_but_its_time(kernel: Kernel, code: str, outcome: str, told: str) -> None:
    kernel.execute("df['amount'] = range(200_000)")
    script = [
        cell("marker = 1\ndf.loc[0, 'amount'] = -1"),
        cell(f"print('before')\n{code}"),
        cell("FINAL((marker, int(df.amount[0])))"),
    ]
    with ScriptedModel(script) as server:
        assert kernel.execute(ask(kernel, server, timeout=1)).error is None
        reply = server.root_requests[2]["messages"][-1]["content"]
    assert f"[cell 1: {outcome}: " in reply
    assert told in reply
    assert "before" in reply
    undone = reply.partition("or undefined if they were: ")[2].partition(".")[0]
    assert "marker" in undone.split(", ")
    assert kernel.value("run.answer") == (1, -1)
    assert kernel.value("run.iterations[1].cells[0].outcome") == outcome
    assert kernel.value("int(df.amount[0])") == 0


def test_errors_come_with_the_output_before_them_and_line_numbers(kernel: Kernel) -> None:
    with ScriptedModel([cell("print('first')\nx = 1\nx / 0"), cell("FINAL(x)")]) as server:
        assert kernel.execute(ask(kernel, server)).error is None
        reply = server.root_requests[1]["messages"][-1]["content"]
    assert "first" in reply
    assert 'File "<cell 1>", line 3' in reply
    assert "ZeroDivisionError: division by zero" in reply
    assert "rlm_kernel" not in reply
    assert kernel.value("run.answer") == 1


def test_blocks_stop_at_the_first_error(kernel: Kernel) -> None:
    reply = "```python\na = 1\n```\nand\n~~~PY\nboom\n~~~\nthen\n```\na = 2\n```"
    with ScriptedModel([reply, cell("FINAL(a)")]) as server:
        assert kernel.execute(ask(kernel, server)).error is None
    assert kernel.value("run.answer") == 1
    assert kernel.value("[c.outcome for c in run.iterations[0].cells]") == ["ok", "error"]


def test_a_reply_without_code_is_told_so(kernel: Kernel) -> None:
    with ScriptedModel(["I think it is 4.", "```repl\nFINAL(1", cell("FINAL(5)")]) as server:
        assert kernel.execute(ask(kernel, server)).error is None
        told = [r["messages"][-1]["content"] for r in server.root_requests]
    assert "no code to run" in told[1]
    assert "not closed" in told[2]
    assert kernel.value("run.answer") == 5


def test_the_limit_gives_the_draft(kernel: Kernel) -> None:
    with ScriptedModel([cell("answer['content'] = [1, 2]"), cell("found = 3")]) as server:
        done = kernel.execute(ask(kernel, server, max_iterations=3))
        assert done.error is None
        assert len(server.requests) == 3
        assert "last turn" in server.requests[2]["messages"][-1]["content"]
    assert kernel.value("(run.status, run.answer)") == ("limit", [1, 2])
    assert "max_iterations=3" in kernel.value("run.stop_reason")
    assert kernel.value("found") == 3


def test_the_prompt_only_grows(kernel: Kernel) -> None:
    with ScriptedModel([cell("1"), cell("2"), cell("FINAL(3)")]) as server:
        kernel.execute(ask(kernel, server))
        first, second, third = (r["messages"] for r in server.root_requests)
    assert second[: len(first)] == first
    assert third[: len(second)] == second
    assert all("What is it?" in m["content"] for m in third if m["role"] == "user")


def test_overwritten_scaffold_is_put_back_and_the_model_told(kernel: Kernel) -> None:
    script = [
        cell("llm_query = 3\ncontext = 4\nanswer = 5"),
        cell("FINAL((llm_query('ping'), len(context), answer['content']))"),
    ]
    with ScriptedModel(script, sub=str.upper) as server:
        assert kernel.execute(ask(kernel, server)).error is None
        reply = server.root_requests[1]["messages"][-1]["content"]
    assert all(f"`{name}`" in reply for name in ("llm_query", "context", "answer"))
    assert kernel.value("run.answer") == ("PING", 200_000, 5)


def test_rich_output_await_and_shell_commands_work_in_a_cell(kernel: Kernel) -> None:
    code = "import asyncio\nawait asyncio.sleep(0)\n!echo from-shell\n%time 1\ndisplay(df.head(1))\ndf.head(2)"
    with ScriptedModel([cell(code), cell("FINAL(1)")]) as server:
        assert kernel.execute(ask(kernel, server)).error is None
        reply = server.root_requests[1]["messages"][-1]["content"]
    assert "from-shell" in reply
    assert "Wall time" in reply
    assert kernel.value("['text/html' in d for d in run.iterations[0].cells[0].displays][-2:]") == [True, True]


def test_input_is_refused_in_words(kernel: Kernel) -> None:
    with ScriptedModel([cell("input('name? ')"), cell("FINAL(1)")]) as server:
        assert kernel.execute(ask(kernel, server)).error is None
        assert "cannot ask for input" in server.root_requests[1]["messages"][-1]["content"]


def test_a_failing_sub_call_is_an_error_in_the_cell_and_a_value_in_a_batch(kernel: Kernel) -> None:
    from support.openai_server import Raw

    def sub(prompt: str) -> str | Raw:
        return Raw(400, '{"error": {"message": "too spicy"}}') if prompt == "bad" else prompt.upper()

    script = [
        cell("llm_query('bad')"),
        cell("r = llm_query_batched(['good', 'bad'])\nFINAL([str(r[0]), str(r[1]), bool(r[1])])"),
    ]
    with ScriptedModel(script, sub=sub) as server:
        assert kernel.execute(ask(kernel, server)).error is None
        assert "SubcallError" in server.root_requests[1]["messages"][-1]["content"]
    good, bad, truth = kernel.value("run.answer")
    assert good == "GOOD"
    assert "sub-call failed" in bad
    assert "too spicy" in bad
    assert truth is False


def test_the_cell_clock_stands_still_during_a_sub_call(kernel: Kernel) -> None:
    with ScriptedModel([cell("r = llm_query('slow')"), cell("FINAL(r)")]) as server:
        server.hold()
        running = kernel.submit(ask(kernel, server, timeout=0.3))
        server.held.set()
        assert server.arrived.acquire(timeout=30)  # the root's turn
        server.hold()
        assert server.arrived.acquire(timeout=30)  # the sub-call: it outlasts the cell's limit
        assert not server.held.wait(0.6)
        server.held.set()
        assert running.finish().error is None
    assert kernel.value("run.answer") == "slow"
    assert kernel.value("run.iterations[0].cells[0].outcome") == "ok"


def test_threads_of_a_cell_may_ask_at_once(kernel: Kernel) -> None:
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool: r = list(pool.map(llm_query, map(str, range(40))))\n"
        "FINAL(r)"
    )
    with ScriptedModel([cell(code)], sub=lambda p: p + "!") as server:
        assert kernel.execute(ask(kernel, server)).error is None
    assert kernel.value("run.answer") == [f"{n}!" for n in range(40)]
