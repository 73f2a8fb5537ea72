"""`%%branch` in a plain IPython shell: what goes to the branch, what is shown, what is raised."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from rlm_kernel.branches.result import CellResult
from rlm_kernel.errors import BranchError
from rlm_kernel.settings import Settings
from rlm_magics import load_ipython_extension
from rlm_magics.options import BRANCH_OPTIONS
from rlm_magics.usage import branch_usage
from support.shells import plain_shell


class FakeBranch:
    """Stands in for `run_cell`: notes the calls, then does what the test sets as `behave`."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.behave: Callable[[dict[str, Any]], CellResult] = lambda call: CellResult("ok", 0.1)

    def __call__(self, code: str, **keywords: Any) -> CellResult:
        self.calls.append({"code": code, **keywords})
        return self.behave(self.calls[-1])


@pytest.fixture
def branch(monkeypatch: pytest.MonkeyPatch) -> FakeBranch:
    fake = FakeBranch()
    module = types.ModuleType("rlm_kernel.branching")
    vars(module)["run_cell"] = fake
    monkeypatch.setitem(sys.modules, "rlm_kernel.branching", module)
    return fake


@pytest.fixture
def shell(branch: FakeBranch) -> Iterator[InteractiveShell]:
    with plain_shell() as made:
        load_ipython_extension(made)
        yield made


def test_the_branch_gets_the_cell_as_typed(shell: InteractiveShell, branch: FakeBranch) -> None:
    shell.user_ns["x"] = 5
    result = shell.run_cell("%%branch timeout=2m mem=2GB keep=a,b branch=spawn ship=x\n!echo {x} $x\nawait f()\n")
    assert result.success
    assert result.result is None
    (call,) = branch.calls
    assert call["code"] == "!echo {x} $x\nawait f()\n"
    assert call["namespace"] is shell.user_ns
    assert call["settings"] == Settings(timeout=120.0, mem=2_000_000_000, keep="a,b", branch="spawn", ship="x")


def test_everything_the_cell_did_is_kept_unless_told_otherwise(shell: InteractiveShell, branch: FakeBranch) -> None:
    shell.run_cell("%%branch\nx = 1")
    shell.run_cell("%%branch keep=new\nx = 1")
    assert [call["settings"].keep for call in branch.calls] == ["all", "new"]


def test_output_comes_as_it_is_made(
    shell: InteractiveShell, branch: FakeBranch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def talk(call: dict[str, Any]) -> CellResult:
        call["on_output"]("stdout", "one\n")
        seen.append(capsys.readouterr())
        call["on_output"]("stderr", "two")
        seen.append(capsys.readouterr())
        call["on_display"]({"text/plain": "three", "text/html": "<b>3</b>"})
        seen.append(capsys.readouterr())
        return CellResult("ok", 0.1)

    branch.behave = talk
    assert shell.run_cell("%%branch\nx").success
    assert [tuple(shown) for shown in seen] == [("one\n", ""), ("", "two"), ("three\n", "")]


def test_an_exception_shows_its_traceback_and_the_line_that_nothing_was_kept(
    shell: InteractiveShell, branch: FakeBranch, capsys: pytest.CaptureFixture[str]
) -> None:
    traceback = 'Traceback (most recent call last):\n  File "<cell 1>", line 1, in <module>\nValueError: a\nb\n'
    branch.behave = lambda call: CellResult(
        "error", 0.1, error={"type": "ValueError", "message": "a\nb", "traceback": traceback}
    )
    result = shell.run_cell("%%branch\nboom()")
    assert isinstance(result.error_in_exec, BranchError)
    out, err = capsys.readouterr()
    assert err == traceback
    assert out == "BranchError: The cell raised ValueError: a b. Nothing has changed.\n"


def test_a_cell_that_was_stopped_is_one_line(
    shell: InteractiveShell, branch: FakeBranch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(call: dict[str, Any]) -> CellResult:
        raise BranchError("The cell was stopped: it ran longer than 30 s. Nothing has changed.")

    branch.behave = stop
    assert not shell.run_cell("%%branch\nwhile True: pass").success
    assert tuple(capsys.readouterr()) == (
        "BranchError: The cell was stopped: it ran longer than 30 s. Nothing has changed.\n",
        "",
    )


def test_an_interrupt_goes_through(shell: InteractiveShell, branch: FakeBranch) -> None:
    def interrupted(call: dict[str, Any]) -> CellResult:
        raise KeyboardInterrupt

    branch.behave = interrupted
    assert isinstance(shell.run_cell("%%branch\nx").error_in_exec, KeyboardInterrupt)


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("timeout=5x", 8, "timeout must be a number of seconds above 0"),
        ("mem=2", 4, "mem must be an amount of memory of at least 1MB"),
        ("timeout=5 tiemout=6", 10, "there is no option 'tiemout'"),
        ("model=m", 0, "there is no option 'model'"),
        ("query=x", 0, "there is no option 'query'"),
        ("30", 0, "'30' is not an option"),
    ],
)
def test_wrong_line_has_a_caret_and_runs_nothing(
    shell: InteractiveShell,
    branch: FakeBranch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    column: int,
    message: str,
) -> None:
    shell.run_cell(f"%%branch {line}\nx = 1")
    first, typed, caret, *hint = capsys.readouterr().out.splitlines()
    assert first.startswith(f"OptionError: {message}")
    assert (typed, caret) == (f"    {line}", f"    {' ' * column}^")
    assert "context" not in "".join(hint)
    assert branch.calls == []


def test_empty_cell_is_refused(shell: InteractiveShell, branch: FakeBranch, capsys: pytest.CaptureFixture[str]) -> None:
    assert not shell.run_cell("%%branch timeout=3").success
    assert "cell body is empty" in "".join(capsys.readouterr())
    assert branch.calls == []


def test_help_is_written_from_the_table(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%%branch?")
    shown = capsys.readouterr().out
    for name, option in BRANCH_OPTIONS.items():
        (row,) = [row for row in branch_usage().splitlines() if row.split()[:1] == [name]]
        assert option.doc in row
        assert option.doc in shown
    assert "default all" in branch_usage()


def test_loading_does_not_load_the_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rlm_kernel.branching", raising=False)
    with plain_shell() as bare:
        load_ipython_extension(bare)
    assert "rlm_kernel.branching" not in sys.modules
