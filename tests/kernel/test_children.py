"""`rlm_query`: a child trajectory on a branch forked from the running cell."""

from __future__ import annotations

import json

import pytest

from support.kernels import Kernel
from support.openai_server import Raw, ScriptedModel

pytestmark = pytest.mark.kernel


def cell(code: str) -> str:
    return f"```repl\n{code}\n```"


class Family(ScriptedModel):
    """Replies to each question from a script of its own: parents and children share one endpoint."""

    def __init__(self, scripts: dict[str, list[str]]) -> None:
        super().__init__()
        self._scripts = {question: list(replies) for question, replies in scripts.items()}

    def reply_to(self, body: dict[str, object]) -> str | Raw:
        opening = json.dumps(body["messages"])
        question = next((q for q in self._scripts if f"# Question\\n{q}\\n" in opening), None)
        return self._scripts[question].pop(0) if question else "SUB"


def ask(kernel: Kernel, server: ScriptedModel, **options: object) -> None:
    extra = " ".join(f"{name}={value}" for name, value in options.items())
    done = kernel.execute(f"%%rlm context=big model=root base_url={server.base_url} out=run {extra}\nParent?")
    assert done.error is None, done.error


@pytest.fixture(scope="module", autouse=True)
def big(kernel: Kernel) -> None:
    kernel.execute("big = {'rows': list(range(1000)), 'lock': __import__('threading').Lock()}")


def test_a_child_gets_its_context_without_a_copy(kernel: Kernel) -> None:
    scripts = {
        "Parent?": [
            cell("part = {'inner': big['rows'], 'open': big['lock']}\nFINAL(rlm_query('Child?', context=part))")
        ],
        "Child?": [
            cell("print(type(context['open']).__name__, len(context['inner']), part is context)\nbig['rows'].clear()"),
            cell("FINAL(llm_query('x') + str(len(context['inner'])))"),
        ],
    }
    with Family(scripts) as server:
        ask(kernel, server)
    assert kernel.value("(run.answer, len(big['rows']))") == ("SUB0", 1000)
    child = "run.iterations[0].cells[0].subcalls[0].child"
    assert kernel.value(f"{child}.iterations[0].cells[0].stdout") == "lock 1000 True\n"
    assert kernel.value(f"({child}.candidates[0].status, len({child}.iterations))") == ("answered", 2)
    assert kernel.value("run.usage.calls") == 4
    assert kernel.value("__import__('rlm_kernel').load(run.journal_path) == run")


def test_a_runaway_child_cell_costs_only_itself(kernel: Kernel) -> None:
    scripts = {
        "Parent?": [cell("kept = 1\nFINAL((rlm_query('Child?'), kept))")],
        "Child?": [cell("mine = 2\nprint(kept)"), cell("mine = 3\nwhile True: pass"), cell("FINAL(mine + kept)")],
    }
    with Family(scripts) as server:
        ask(kernel, server, timeout=1)
    assert kernel.value("run.answer") == ("3", 1)


def test_a_child_dies_with_its_parents_cell(kernel: Kernel) -> None:
    scripts = {
        "Parent?": [
            cell("import threading, os\nthreading.Timer(0.5, os._exit, [7]).start()\nrlm_query('Child?')"),
            cell("FINAL('on')"),
        ],
        "Child?": [cell("import time\ntime.sleep(600)")],
    }
    with Family(scripts) as server:
        ask(kernel, server)
    assert kernel.value("[i.cells[0].outcome for i in run.iterations]") == ["died", "ok"]
    assert kernel.value("run.iterations[0].cells[0].subcalls[0].error") == "cancelled"
    assert kernel.value("run.answer") == "on"


def test_where_it_goes_no_deeper_a_sub_call_answers(kernel: Kernel) -> None:
    """Also peers 10."""
    scripts = {
        "Parent?": [cell("FINAL(rlm_query('Child?', context=['text']))")],
        "Child?": [cell("FINAL(rlm_query('Grandchild?'))")],
    }
    with Family(scripts) as server:
        ask(kernel, server)
        prompts = server.sub_prompts
    assert kernel.value("run.answer") == "SUB"
    assert len(prompts) == 1
    assert "Grandchild?" in prompts[0]


def test_three_generations(kernel: Kernel) -> None:
    scripts = {
        "Parent?": [cell("FINAL(rlm_query('Child?', context=[1]))")],
        "Child?": [cell("FINAL(rlm_query('Grandchild?', context=context * 2))")],
        "Grandchild?": [cell("FINAL(len(context))")],
    }
    with Family(scripts) as server:
        kernel.execute(
            "import rlm_kernel\nrun = rlm_kernel.solve('Parent?', context=big, model='root', max_depth=2, "
            f"base_url={server.base_url!r})"
        )
    assert kernel.value("(run.status, run.answer)") == ("answered", "2")
