"""Time travel: the session after any iteration, looked at on a fork of its checkpoint."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.kernels import Kernel
from support.leftovers import nothing_left
from support.openai_server import ScriptedModel

pytestmark = pytest.mark.kernel


def cell(code: str) -> str:
    return f"```repl\n{code}\n```"


SCRIPT = [
    cell("steps = [1]\ntable = context.copy()"),
    cell("steps.append(2)\ntable['b'] = 0\nhelper = lambda v: v + len(steps)"),
    cell("while True: pass"),
    cell("steps.append(3)\nFINAL(sum(steps))"),
]


@pytest.fixture(scope="module", autouse=True)
def ran(kernel: Kernel) -> Iterator[None]:
    kernel.execute("import pandas as pd, rlm_kernel; df = pd.DataFrame({'a': [1, 2]}); steps = 'mine'")
    with ScriptedModel(SCRIPT) as server:
        done = kernel.execute(f"%%rlm context=df model=m base_url={server.base_url} timeout=0.5 out=run\nWhat?")
    assert done.error is None, done.error
    yield
    kernel.execute("rlm_kernel.clean()")


def test_every_iteration_can_be_visited(kernel: Kernel) -> None:
    assert kernel.value("[run.at(i).eval('steps') for i in (1, 2, 3, 4)]") == [[1], [1, 2], [1, 2], [1, 2, 3]]
    assert kernel.value("[list(run.at(i).eval('table').columns) for i in (1, 2)]") == [["a"], ["a", "b"]]
    assert kernel.value("run.at(0).eval('steps')") == "mine"
    assert kernel.value("steps") == "mine"


def test_the_checkpoint_never_changes(kernel: Kernel) -> None:
    assert (
        kernel.value("run.at(2).run('steps.clear(); table.drop(columns=\"a\", inplace=True); len(steps)').value_text")
        == "0"
    )
    assert kernel.value("run.at(2).eval('(steps, list(table.columns))')") == ([1, 2], ["a", "b"])
    assert kernel.value("run.at(2).run('while True: pass').outcome") == "timeout"
    assert kernel.value("run.at(2).run('1/0').error['type']") == "ZeroDivisionError"
    assert kernel.value("run.at(2).eval('steps')") == [1, 2]


def test_variables_of_that_time(kernel: Kernel) -> None:
    rows = kernel.value("[(v['name'], v['type']) for v in run.at(1).vars()]")
    assert ("steps", "list") in rows
    assert ("table", "DataFrame") in rows
    assert "helper" not in [name for name, _ in rows]


def test_keep_brings_back_from_then(kernel: Kernel) -> None:
    kernel.execute("run.at(2).keep('table', 'helper')")
    assert kernel.value("list(table.columns)") == ["a", "b"]
    kernel.execute("steps = [0] * 5")
    assert kernel.value("helper(1)") == 6
    kernel.execute("steps = 'mine'")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("run.at(2).eval('nosuch')", "NameError"),
        ("run.at(2).keep('nosuch')", "no variable 'nosuch'"),
        ("run.at(2).eval('(i for i in steps)')", "generator"),
        ("run.at(9)._visit(None)", "after iteration 9"),
        ("rlm_kernel.load(run.journal_path).at(1)", "no checkpoints"),
    ],
)
def test_what_is_not_there_is_said(kernel: Kernel, code: str, words: str) -> None:
    done = kernel.execute(code)
    assert done.error is not None
    assert words in done.error.text


def test_the_run_tells_what_changed_and_keeps_from_its_end(kernel: Kernel) -> None:
    names = "[sorted(v['name'] for v in part) for part in (run.diff.added, run.diff.rebound)]"
    assert kernel.value(names) == [["helper", "table"], ["steps"]]
    assert "columns" in kernel.value("next(v['card'] for v in run.at(1).vars() if v['name'] == 'table')")
    kernel.execute("run.keep('steps')")
    assert kernel.value("steps") == [1, 2, 3]
    kernel.execute("steps = 'mine'")


def test_a_look_leaves_nothing(kernel: Kernel) -> None:
    with nothing_left(kernel.pid):
        for _ in range(3):
            kernel.execute(
                "run.at(1).eval('steps'); run.at(2).run('import subprocess; subprocess.Popen([\"sleep\", \"600\"])')"
            )


def test_there_are_never_more_than_allowed(kernel: Kernel) -> None:
    from_settings = "rlm_kernel.Settings(model='m', base_url=url, checkpoints=3)"
    with ScriptedModel([cell("x = 1"), cell("x += 1"), cell("x += 1"), cell("FINAL(x)")]) as server:
        kernel.execute(f"url = {server.base_url!r}\nlast = rlm_kernel.solve('q', context=df, settings={from_settings})")
    assert kernel.value("[last.at(i).eval('x') for i in (3, 4)]") == [3, 3]
    done = kernel.execute("last.at(0).eval('1')")
    assert done.error is not None
    assert "made room" in done.error.text


def test_without_memory_all_of_them_go(kernel: Kernel) -> None:
    code = """
from rlm_kernel.background import Job
from rlm_kernel.branches import parking
async def pressed():
    parking.available = lambda: 0
    parking.lot._relieve()
there = parking.lot.count
Job(pressed()).wait(lambda: None)
from rlm_kernel.branches.meminfo import available as parking_available
parking.available = parking_available
"""
    with ScriptedModel([cell("FINAL(1)")]) as server:
        kernel.execute(f"short = rlm_kernel.solve('q', context=df, model='m', base_url={server.base_url!r})")
    kernel.execute(code)
    assert kernel.value("there > 0 and parking.lot.count == 0")
    done = kernel.execute("short.at(1).eval('1')")
    assert done.error is not None
    assert "memory ran low" in done.error.text


def test_a_run_without_checkpoints_holds_none_of_the_users_values(kernel: Kernel) -> None:
    with ScriptedModel([cell("FINAL(1)")]) as server:
        kernel.execute(f"""
import gc, weakref
class Big: pass
big = Big()
alive = weakref.ref(big)
held = rlm_kernel.solve('q', context=big, model='m', base_url={server.base_url!r})
parked = alive() is not None
del big
rlm_kernel.clean()
gc.collect()
""")
    assert kernel.value("(held.answer, parked, alive() is None)") == (1, True, True)


def test_clean_drops_all_and_says_so(kernel: Kernel) -> None:
    with ScriptedModel([cell("x = 1"), cell("FINAL(x)")]) as server:
        kernel.execute(f"last = rlm_kernel.solve('q', context=df, model='m', base_url={server.base_url!r})")
    assert kernel.value("rlm_kernel.clean().count") == 3
    done = kernel.execute("last.at(2).eval('x')")
    assert done.error is not None
    assert "clean" in done.error.text
    assert kernel.value("rlm_kernel.clean().count") == 0
