"""Solving on a spawned branch: asked for, or chosen because the notebook's process cannot be forked."""

from __future__ import annotations

import pytest

from support.kernels import Kernel
from support.openai_server import ScriptedModel

pytestmark = pytest.mark.kernel


def cell(code: str) -> str:
    return f"```repl\n{code}\n```"


@pytest.fixture(scope="module", autouse=True)
def frame(kernel: Kernel) -> None:
    setup = """
import pandas as pd
df = pd.DataFrame({"region": ["north", "south"] * 50_000, "amount": range(100_000)})
class Tax:
    def __init__(self, rate): self.rate = rate
    def of(self, amount): return amount * self.rate
import os
tax, secret = Tax(2), "not shipped"
"""
    assert kernel.execute(setup).error is None


def solve(kernel: Kernel, script: list[str], options: str) -> None:
    with ScriptedModel(script, sub=str.upper) as server:
        done = kernel.execute(f"%%rlm context=df model=m base_url={server.base_url} out=run {options}\nWhat?")
    assert done.error is None, done.error


def test_the_whole_journey_in_a_fresh_process(kernel: Kernel) -> None:
    script = [
        cell("import os\nalone = 'secret' not in globals()\ndf2 = context\ndf2['twice'] = df2.amount.map(tax.of)"),
        cell("while True: pass"),
        cell(
            "by_region = context.groupby('region').twice.sum()\nFINAL((alone, llm_query('hi'), list(context.columns)))"
        ),
    ]
    solve(kernel, script, "branch=spawn ship=tax timeout=1")
    assert kernel.value("(run.branch, run.branch_reason)") == ("spawn", "as asked")
    assert kernel.value("run.answer") == (True, "HI", ["region", "amount", "twice"])
    assert kernel.value("[i.cells[0].outcome for i in run.iterations]") == ["ok", "timeout", "ok"]
    assert kernel.value("int(by_region['south'])") == sum(range(1, 100_000, 2)) * 2
    assert kernel.value("list(df.columns)") == ["region", "amount"]


def test_any_jupyter_kernel_can_be_the_process(kernel: Kernel) -> None:
    script = [
        cell("import os\nelsewhere = os.getpid()\ntotal = sum(context)"),
        cell("while True: pass"),
        cell("found = {'total': total}\nFINAL((llm_query('hi'), total, 'secret' in globals()))"),
    ]
    with ScriptedModel(script, sub=str.upper) as server:
        line = (
            f"%%rlm context=list(range(100)) model=m base_url={server.base_url} out=run branch=kernel:python3 timeout=2"
        )
        done = kernel.execute(f"{line}\nWhat?", timeout=100)
        assert len(server.sub_prompts) == 1
    assert done.error is None, done.error
    assert kernel.value("run.branch") == "kernel:python3"
    assert kernel.value("(run.answer, found, elsewhere != os.getpid())") == (("HI", 4950, False), {"total": 4950}, True)
    assert kernel.value("[i.cells[0].outcome for i in run.iterations]") == ["ok", "timeout", "ok"]


def test_time_travel_there_too(kernel: Kernel) -> None:
    solve(kernel, [cell("n = 1"), cell("n = 2"), cell("FINAL(n)")], "branch=spawn")
    assert kernel.value("[run.at(i).eval('n') for i in (1, 2, 3)]") == [1, 2, 2]
    kernel.execute("import rlm_kernel; rlm_kernel.clean()")


def test_a_users_thread_makes_it_spawn_and_says_so(kernel: Kernel) -> None:
    kernel.execute(
        "import threading\nstop = threading.Event()\nthread = threading.Thread(target=stop.wait)\nthread.start()"
    )
    solve(kernel, [cell("FINAL(len(context))")], "")
    kernel.execute("stop.set(); thread.join()")
    assert kernel.value("(run.branch, run.answer)") == ("spawn", 100_000)
    assert "thread" in kernel.value("run.branch_reason")


def test_solving_off_the_main_thread(kernel: Kernel) -> None:
    with ScriptedModel([cell("FINAL(len(context))")]) as server:
        code = f"""
import threading
from rlm_kernel import solve
said = []
def work():
    said.append(solve("How many?", context=df, model="m", base_url={server.base_url!r}))
thread = threading.Thread(target=work); thread.start(); thread.join()
"""
        done = kernel.execute(code)
    assert done.error is None, done.error
    assert kernel.value("(said[0].answer, said[0].branch)") == (100_000, "spawn")


@pytest.mark.parametrize(
    ("options", "words"),
    [("branch=spawn ship=nosuch", "nosuch"), ("branch=spawn ship=walker", "generator"), ("branch=sideways", "branch")],
)
def test_what_cannot_be_shipped_is_named(kernel: Kernel, options: str, words: str) -> None:
    kernel.execute("walker = (i for i in range(3))")
    done = kernel.execute(f"%%rlm context=df {options} query=How many rows are there?")
    assert done.error is not None
    assert words in done.error.text
    assert len(done.error.text.splitlines()) <= 5
