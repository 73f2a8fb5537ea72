"""`%%branch` in a real kernel: the user's own cell, kept if it succeeds, as if never run if not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.kernels import Executed, Kernel, start_kernel
from support.leftovers import nothing_left

pytestmark = pytest.mark.kernel

SETUP = """
import numpy as np, pandas as pd
class Point:
    def __init__(self, x): self.x = x
df = pd.DataFrame({"a": range(10), "b": ["x", "y"] * 5})
alias = df
numbers, goner, origin = [1, 2], "here", Point(0)
"""
STATE = "(list(df.columns), int(df.a.sum()), alias is df, numbers, goner, origin.x)"
UNTOUCHED = (["a", "b"], 45, True, [1, 2], "here", 0)
DAMAGE = """
del df['b']; df.loc[0, 'a'] = 1_000
numbers.append(3); origin.x = 9; fresh = 1
del goner
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with start_kernel("rlm", cwd=tmp_path_factory.mktemp("notebook")) as started:
        interrupt_one(started)  # the first branch and the first interrupt open what a kernel then holds on to
        yield started


@pytest.fixture
def kernel(running: Kernel) -> Iterator[Kernel]:
    """Start from the same variables each time, and demand that nothing is left once they are gone."""
    clear = "%reset -f\nimport gc\ngc.collect();"
    assert running.execute(f"{clear}\n{SETUP}").error is None
    with nothing_left(running.pid):
        yield running
        running.execute("1 / 0")  # a shell remembers the last exception, and so the frames it came through
        running.execute(clear)


def interrupt_one(kernel: Kernel, before: str = "") -> Executed:
    """Run a cell without an end on a branch and press stop; return what it showed."""
    cell = kernel.submit(f"%%branch timeout=60\n{before}\nprint('busy')\nwhile True: pass")
    cell.until(lambda seen: "busy" in seen.stdout)
    kernel.interrupt()
    return cell.finish()


def test_a_cell_that_succeeds_is_kept_whole(kernel: Kernel) -> None:
    done = kernel.execute(f"%%branch\n{DAMAGE}\npair = [origin, Point(4)]\ndouble = lambda v: v * factor\nfactor = 2")
    assert done.error is None, done.error
    assert kernel.value("(list(df.columns), int(df.a.sum()), numbers, origin.x, fresh)") == (
        ["a"],
        1_045,
        [1, 2, 3],
        9,
        1,
    )
    assert kernel.value("alias is df and pair[0] is origin and isinstance(pair[1], Point)")
    assert kernel.value("'goner' in globals()") is False
    kernel.execute("factor = 5")
    assert kernel.value("double(2)") == 10


def test_output_is_shown_as_in_any_cell(kernel: Kernel) -> None:
    code = "import sys, asyncio\nprint(1)\nprint(2, file=sys.stderr)\n!echo 3\nawait asyncio.sleep(0)\ndf.head(1)"
    done = kernel.execute(f"%%branch\n{code}")
    assert done.error is None, done.error
    assert done.stdout.splitlines() == ["1", "3"]
    assert done.stderr == "2\n"
    assert ["text/html" in bundle for bundle in done.displays] == [True]


def test_output_comes_while_the_cell_runs(kernel: Kernel, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = f"import pathlib\nprint('before')\nwhile not pathlib.Path({str(gate)!r}).exists(): pass\nprint('after')"
    cell = kernel.submit(f"%%branch timeout=60\n{code}")
    assert "after" not in cell.until(lambda seen: "before" in seen.stdout).stdout
    gate.touch()
    assert cell.finish().stdout == "before\nafter\n"


def test_an_exception_changes_nothing(kernel: Kernel) -> None:
    done = kernel.execute(f"%%branch\nprint('so far')\n{DAMAGE}\n1 / 0")
    assert done.stdout == "so far\n"
    assert done.stderr.startswith("Traceback")
    assert 'File "<cell 1>", line 7, in <module>' in done.stderr
    assert "rlm_kernel" not in done.stderr
    assert done.error is not None
    assert done.error.text == "BranchError: The cell raised ZeroDivisionError: division by zero. Nothing has changed."
    assert kernel.value(STATE) == UNTOUCHED
    assert kernel.value("'fresh' in globals()") is False


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        ("timeout=0.5", "while True: pass", "0.5 s"),
        ("timeout=0.5", "while True:\n  try:\n    while True: pass\n  except BaseException: pass", "0.5 s"),
        ("mem=100MB", "block = np.ones(50_000_000)\nwhile True: pass", "more memory"),
        ("", "import os; os._exit(3)", "code 3"),
        ("", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    ],
)
def test_a_cell_that_is_stopped_or_dies_changes_nothing(kernel: Kernel, options: str, code: str, reason: str) -> None:
    done = kernel.execute(f"%%branch {options}\nprint('so far')\n{DAMAGE}\n{code}")
    assert done.stdout == "so far\n"
    assert done.error is not None
    first = done.error.text.splitlines()[0]
    assert first.startswith("BranchError: ")
    assert reason in first
    assert "Nothing has changed" in first
    assert kernel.value(STATE) == UNTOUCHED


def test_an_interrupt_changes_nothing(kernel: Kernel) -> None:
    done = interrupt_one(kernel, DAMAGE)
    assert done.error is not None
    assert done.error.ename == "KeyboardInterrupt"
    assert kernel.value(STATE) == UNTOUCHED


def test_what_cannot_come_back_is_named(kernel: Kernel) -> None:
    done = kernel.execute(f"%%branch\n{DAMAGE}\nrows = (n for n in numbers)")
    assert done.error is not None
    assert "rows" in done.error.text
    assert "generator" in done.error.text
    assert kernel.value(STATE) == UNTOUCHED


@pytest.mark.parametrize(
    ("keep", "columns", "known"),
    [("none", ["a", "b"], (False, True)), ("new", ["a", "b"], (True, True)), ("fresh,df", ["a"], (True, True))],
)
def test_keep_decides_what_of_it_comes_back(
    kernel: Kernel, keep: str, columns: list[str], known: tuple[bool, bool]
) -> None:
    assert kernel.execute(f"%%branch keep={keep}\n{DAMAGE}").error is None
    assert kernel.value("list(df.columns)") == columns
    assert kernel.value("('fresh' in globals(), 'goner' in globals())") == known
    assert kernel.value("numbers") == [1, 2]


def test_the_model_s_names_are_not_there(kernel: Kernel) -> None:
    names = "{'answer', 'context', 'llm_query', 'llm_query_batched', 'rlm_query', 'FINAL'}"
    assert kernel.execute(f"%%branch\nfound = sorted({names} & set(globals()))").error is None
    assert kernel.value("found") == []


def test_commands_work_where_nothing_was_asked_yet(kernel: Kernel) -> None:
    assert kernel.execute("%rlm clean").stdout == "There are no checkpoints to drop.\n"
    assert kernel.execute("%rlm runs").stdout == "There are no runs in this session yet.\n"


def test_in_a_stock_kernel() -> None:
    with start_kernel("python3") as stock:
        assert stock.execute(f"%load_ext rlm_magics\n{SETUP}").error is None
        assert stock.execute("%%branch\nprint(1)\nx = df.a.sum()").stdout == "1\n"
        assert stock.value("int(x)") == 45
        assert stock.execute(f"%%branch timeout=0.5\n{DAMAGE}\nwhile True: pass").error is not None
        assert stock.value(STATE) == UNTOUCHED
