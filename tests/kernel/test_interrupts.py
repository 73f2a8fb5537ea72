"""Kernel → Interrupt, restart and SIGKILL in the middle of a run: a partial run, a usable kernel, nothing left over."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import psutil
import pytest

from support.kernels import Kernel, Running, start_kernel
from support.leftovers import nothing_left
from support.openai_server import ScriptedModel

pytestmark = pytest.mark.kernel

SPIN = (
    "print('spinning')\nllm_query('ready')\nimport subprocess\np = subprocess.Popen(['sleep', '600'])\nwhile True: pass"
)
IDLE_WITHIN = 30.0
"""Only a deadline against hanging: how fast the kernel is back is the business of the benchmarks."""


def cell(code: str) -> str:
    return f"```repl\n{code}\n```"


class Stage:
    """A run that is stopped at one place: during a model call, a sub-call, or a cell."""

    def __init__(self, kernel: Kernel, server: ScriptedModel) -> None:
        self.kernel = kernel
        self.server = server

    def at_model_call(self) -> Running:
        self.server.hold()
        running = self._start()
        self._await_request()
        return running

    def at_sub_call(self) -> Running:
        running = self.at_model_call()
        self._let_one_through()
        return running

    def at_cell(self) -> Running:
        running = self.at_sub_call()
        self.server.held.set()
        self._await_children(lambda names: "sleep" in names)
        return running

    def _start(self) -> Running:
        line = f"%%rlm context=[1,2] model=m base_url={self.server.base_url} timeout=300 out=run"
        return self.kernel.submit(f"{line}\nWhat?")

    def _await_request(self) -> None:
        assert self.server.arrived.acquire(timeout=30)

    def _let_one_through(self) -> None:
        """Release the request that waits and hold the next one: the server asks the gate once per request."""
        self.server.let_through()
        self._await_request()

    def _await_children(self, condition: Callable[[set[str]], bool]) -> None:
        kernel = psutil.Process(self.kernel.pid)
        while not condition({p.name() for p in kernel.children(recursive=True)}):
            assert self.kernel.alive


@pytest.fixture
def server() -> Iterator[ScriptedModel]:
    with ScriptedModel([cell("draft = 1\nanswer['content'] = 'a draft'\n" + SPIN)]) as started:
        yield started


@pytest.fixture(scope="module")
def warm(kernel: Kernel) -> Kernel:
    """The kernel after a first run, so that what every later run shares is there."""
    with ScriptedModel([cell("FINAL(llm_query('x'))")]) as first:
        done = kernel.execute(f"%%rlm context=[1] model=m base_url={first.base_url}\nWhat?")
        assert done.error is None, done.error
    kernel.execute("import rlm_kernel; rlm_kernel.clean()")
    running = kernel.submit("print('here')\nimport time\ntime.sleep(600)")
    running.until(lambda seen: "here" in seen.stdout)
    kernel.interrupt()
    assert running.finish().error.ename == "KeyboardInterrupt"  # type: ignore[union-attr]  # an error came
    return kernel


@pytest.mark.parametrize("moment", ["at_model_call", "at_sub_call", "at_cell"])
def test_interrupt_ends_the_run_and_leaves_nothing(warm: Kernel, server: ScriptedModel, moment: str) -> None:
    warm.execute("keepsake = [1, 2, 3]; draft = 0")
    with nothing_left(warm.pid):
        running = getattr(Stage(warm, server), moment)()
        warm.interrupt()
        done = running.finish(IDLE_WITHIN)
        server.held.set()
        assert done.error is None, done.error
        assert warm.value("(run.status, run.answer, keepsake, draft)") == ("interrupted", None, [1, 2, 3], 0)
    assert warm.execute("1 + 1").result["text/plain"] == "2"
    cells = warm.value("[c.outcome for i in run.iterations for c in i.cells]")
    assert cells == ([] if moment == "at_model_call" else ["interrupted"])
    if moment == "at_cell":
        assert "spinning" in warm.value("run.iterations[0].cells[0].stdout")


def test_the_draft_of_an_interrupted_run_is_its_partial_answer(warm: Kernel) -> None:
    script = [cell("answer['content'] = 'a draft'"), cell("import subprocess\nsubprocess.run(['sleep', '600'])")]
    with ScriptedModel(script) as server:
        stage = Stage(warm, server)
        running = stage._start()
        stage._await_children(lambda names: "sleep" in names)
        warm.interrupt()
        assert running.finish(IDLE_WITHIN).error is None
    assert warm.value("(run.status, run.answer)") == ("interrupted", "a draft")


def test_ten_runs_leave_nothing(warm: Kernel) -> None:
    with ScriptedModel([cell("x = llm_query('a')\nFINAL(x)")]) as server:
        line = f"%%rlm context=[1] model=m base_url={server.base_url} view=none out=run\nWhat?"
        with nothing_left(warm.pid):
            for _ in range(10):
                assert warm.execute(line).error is None
            warm.execute("import rlm_kernel; rlm_kernel.clean()")


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


@pytest.mark.parametrize("moment", ["at_model_call", "at_sub_call", "at_cell"])
@pytest.mark.parametrize("end", ["restart", "forced restart", "SIGKILL"])
def test_no_process_survives_the_kernel(server: ScriptedModel, moment: str, end: str, tmp_path: object) -> None:
    with start_kernel("rlm") as kernel:
        getattr(Stage(kernel, server), moment)()
        below = descendants(kernel.pid)
        assert {"rlm-nanny", "rlm-runner"} <= {p.name() for p in below}
        if end == "SIGKILL":
            os.kill(kernel.pid, signal.SIGKILL)
        else:
            kernel.restart(now=end == "forced restart")
            assert kernel.execute("1 + 1").result["text/plain"] == "2"
        server.held.set()
        _, alive = psutil.wait_procs(below, timeout=20)
        assert alive == []
