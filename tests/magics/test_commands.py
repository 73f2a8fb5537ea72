"""`%rlm clean` and `%rlm runs`: one word instead of a question."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from rlm_kernel.errors import OptionError
from rlm_kernel.trajectory.run import Run
from rlm_magics import load_ipython_extension
from rlm_magics.commands import COMMANDS, find_command
from rlm_magics.usage import usage
from support import sample_runs
from support.fake_solver import FakeSolver
from support.shells import plain_shell


@pytest.fixture
def runs() -> list[Run]:
    return []


@pytest.fixture
def solver(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> FakeSolver:
    fake = FakeSolver()
    module = types.ModuleType("rlm_kernel.solver")
    vars(module).update(solve=fake, runs=runs)
    monkeypatch.setitem(sys.modules, "rlm_kernel.solver", module)
    return fake


@pytest.fixture
def shell(solver: FakeSolver) -> Iterator[InteractiveShell]:
    with plain_shell() as made:
        load_ipython_extension(made)
        yield made


def test_clean_says_how_many_and_how_much(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = [types.SimpleNamespace(count=3, bytes=240_000_000), types.SimpleNamespace(count=0, bytes=0)]
    monkeypatch.setattr("rlm_kernel.moments.clean", lambda: left.pop(0))
    assert shell.run_cell("%rlm clean").result is None
    assert capsys.readouterr().out == "Dropped 3 checkpoints, which took 240.0 MB of memory.\n"
    shell.run_cell(" %rlm   clean  ")
    assert capsys.readouterr().out == "There are no checkpoints to drop.\n"


def test_runs_are_listed(shell: InteractiveShell, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%rlm runs")
    assert capsys.readouterr().out == "There are no runs in this session yet.\n"
    runs += [sample_runs.solved(), sample_runs.offline()]
    shell.run_cell("%rlm runs")
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[0] == "0"
    assert "How many rows are there?" in second


@pytest.mark.parametrize(
    ("line", "column", "message", "hint"),
    [
        ("clean all", 6, "clean takes no options", "%rlm clean"),
        ("runs runs", 5, "runs takes no options", "%rlm runs"),
        (" claen", 1, "there is no command 'claen'", "did you mean %rlm clean?"),
        ("RUNS", 0, "there is no command 'RUNS'", "did you mean %rlm runs?"),
    ],
)
def test_nearly_a_command_is_refused_at_its_column(line: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        find_command(line)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.message == message
    assert hint in caught.value.hint


@pytest.mark.parametrize("line", ["", " ", "context=clean query=x", "clean=1", "--context", "something else", "zzz"])
def test_everything_else_is_left_to_the_options(line: str) -> None:
    assert find_command(line) is None


def test_a_question_may_be_a_command_s_name(shell: InteractiveShell, solver: FakeSolver) -> None:
    assert shell.run_cell("%%rlm context=[1]\nclean").result is solver.run
    assert solver.calls[0]["question"] == "clean"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_every_command(name: str) -> None:
    (row,) = [row for row in usage().splitlines() if row.split()[:2] == ["%rlm", name]]
    assert COMMANDS[name].doc in row
