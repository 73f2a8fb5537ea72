"""The magics in a stock ipykernel: errors, the progress line and the result as a notebook receives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.kernels import Kernel, start_kernel

pytestmark = pytest.mark.kernel

SETUP = """
import sys, types
from support.fake_solver import FakeSolver
solver = FakeSolver()
def slow(call):
    for elapsed in (0.1, 0.4, 0.5, 1.0):
        call["on_progress"](solver.run, elapsed)
solver.behave = slow
module = types.ModuleType("rlm_kernel.solver")
module.solve = solver
sys.modules["rlm_kernel.solver"] = module
%load_ext rlm_magics
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    tests = Path(__file__).parents[1]
    with start_kernel("python3", env={"PYTHONPATH": str(tests)}) as started:
        assert started.execute(SETUP).error is None
        yield started


def test_progress_is_one_line_that_is_gone_at_the_end(kernel: Kernel) -> None:
    done = kernel.execute("%%rlm context=[1] query=How many?")
    kinds = [m["msg_type"] for m in done.messages if m["msg_type"] not in ("status", "execute_input")]
    assert kinds == ["display_data", "update_display_data", "clear_output", "execute_result"]
    assert done.error is None
    assert done.displays == []
    assert "42" in done.result["text/plain"]


def test_line_magic_leaves_the_rest_of_the_output(kernel: Kernel) -> None:
    done = kernel.execute("print('mine'); a = 1\nrun = %rlm context=[1] query='How many?'")
    assert done.stdout == "mine\n"
    assert done.displays == [{"text/plain": ""}]


def test_static_view_draws_no_progress(kernel: Kernel) -> None:
    done = kernel.execute("%%rlm context=[1] view=static query=How many?")
    assert "display_data" not in [m["msg_type"] for m in done.messages]
    assert done.result


def test_error_is_a_few_lines_with_its_name(kernel: Kernel) -> None:
    done = kernel.execute("%%rlm context=dff query=x")
    assert done.error is not None
    assert done.error.ename == "ContextError"
    assert done.error.text == "ContextError: name 'dff' is not defined\nhint: run the cell that defines it first"
    assert (done.stdout, done.stderr) == ("", "")
    assert done.reply["status"] == "error"
