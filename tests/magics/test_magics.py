"""`%%rlm` and `%rlm` in a plain IPython shell, typed as a user types them."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from rlm_kernel.errors import ModelUnreachable
from rlm_kernel.settings import Settings
from rlm_kernel.trajectory.run import Run
from rlm_magics import load_ipython_extension, unload_ipython_extension
from support.fake_solver import FakeSolver
from support.shells import plain_shell


@pytest.fixture
def solver(monkeypatch: pytest.MonkeyPatch) -> FakeSolver:
    fake = FakeSolver()
    module = types.ModuleType("rlm_kernel.solver")
    vars(module)["solve"] = fake
    monkeypatch.setitem(sys.modules, "rlm_kernel.solver", module)
    return fake


@pytest.fixture
def bare_shell() -> Iterator[InteractiveShell]:
    with plain_shell() as made:
        yield made


@pytest.fixture
def shell(bare_shell: InteractiveShell, solver: FakeSolver) -> InteractiveShell:
    load_ipython_extension(bare_shell)
    return bare_shell


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    return capsys


def fails(shell: InteractiveShell, said: pytest.CaptureFixture[str], cell: str) -> list[str]:
    """Run a cell that must fail, and return the lines it shows."""
    said.readouterr()
    result = shell.run_cell(cell)
    assert not result.success
    out, err = said.readouterr()
    assert err == ""
    return out.splitlines()


def test_the_solver_gets_what_was_typed(shell: InteractiveShell, solver: FakeSolver) -> None:
    frame = pd.DataFrame({"a b": [1, 2, 3]})
    shell.user_ns["df"] = frame
    shell.run_cell('%%rlm context=df.loc[0:1, ["a b"]] timeout=2m model="x y" keep=none\nWhich one\nis it?\n')
    (call,) = solver.calls
    assert call["question"] == "Which one\nis it?"
    assert call["context"].equals(frame.loc[0:1, ["a b"]])
    assert call["context_name"] == 'df.loc[0:1, ["a b"]]'
    assert call["namespace"] is shell.user_ns
    assert call["settings"] == Settings(timeout=120.0, model="x y", keep="none")
    assert callable(call["on_progress"])


def test_context_is_the_very_object(shell: InteractiveShell, solver: FakeSolver) -> None:
    shell.user_ns["df"] = value = [object()]
    shell.run_cell("%%rlm context=df query=x")
    assert solver.calls[0]["context"] is value


def test_braces_and_dollars_are_not_expanded(shell: InteractiveShell, solver: FakeSolver) -> None:
    shell.run_cell("x = 5\n")
    shell.run_cell("%%rlm context=[x] query=what is {x} or $x?")
    assert solver.calls[0]["question"] == "what is {x} or $x?"
    assert solver.calls[0]["context"] == [5]


def test_question_on_the_line_alone(shell: InteractiveShell, solver: FakeSolver) -> None:
    assert shell.run_cell("%%rlm context=[1] query=How many rows are there?").success
    assert solver.calls[0]["question"] == "How many rows are there?"


@pytest.mark.parametrize("option", ["out=run", "-o run", "--out=run"])
def test_run_is_bound_and_is_the_value_of_the_cell(shell: InteractiveShell, solver: FakeSolver, option: str) -> None:
    result = shell.run_cell(f"%%rlm context=[1] {option}\nquestion", store_history=True)
    assert result.result is solver.run
    assert shell.user_ns["run"] is solver.run
    assert shell.user_ns["_"] is solver.run


def test_nothing_but_out_is_written_to_the_namespace(shell: InteractiveShell, solver: FakeSolver) -> None:
    before = set(shell.user_ns)
    shell.run_cell("%%rlm context=[1] out=run query=x", silent=True)
    assert set(shell.user_ns) - before == {"run"}


def test_line_magic_returns_the_run(shell: InteractiveShell, solver: FakeSolver) -> None:
    shell.run_cell('answer = %rlm context=[1] query="How many?"')
    assert shell.user_ns["answer"] is solver.run


def test_view_none_shows_the_text_or_with_out_nothing(shell: InteractiveShell, solver: FakeSolver) -> None:
    assert shell.run_cell("%%rlm context=[1] view=none query=x").result == "42"
    assert shell.run_cell("%%rlm context=[1] view=none out=run query=x").result is None
    assert shell.user_ns["run"] is solver.run


def test_environment_is_a_layer(shell: InteractiveShell, solver: FakeSolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLM_MODEL", "from-env")
    shell.run_cell("%%rlm context=[1] query=x")
    assert solver.calls[0]["settings"].model == "from-env"


# ----- errors: a few lines, and the solver is never asked ----------------------------------------------------


def test_missing_name(shell: InteractiveShell, solver: FakeSolver, said: pytest.CaptureFixture[str]) -> None:
    shell.user_ns["df"] = 1
    assert fails(shell, said, "%%rlm context=dff query=x") == [
        "ContextError: name 'dff' is not defined",
        "hint: did you mean df?",
    ]
    assert "run the cell" in fails(shell, said, "%%rlm context=unheard_of query=x")[1]
    assert solver.calls == []


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("[1][9]", "context=[1][9] raises IndexError: list index out of range"),
        ("1/0", "context=1/0 raises ZeroDivisionError: division by zero"),
        ("blow(AssertionError())", "context=blow(AssertionError()) raises AssertionError"),
        ("blow(ValueError('a\\nb'))", "context=blow(ValueError('a\\nb')) raises ValueError: a b"),
        ("blow(ExceptionGroup('two',[OSError(),KeyError()]))", "raises ExceptionGroup: two (2 sub-exceptions)"),
        ("df.", "context=df. is not a Python expression: invalid syntax"),
        ("x:=", "is not a Python expression"),
    ],
)
def test_failing_expression(
    shell: InteractiveShell, solver: FakeSolver, said: pytest.CaptureFixture[str], expression: str, message: str
) -> None:
    shell.run_cell("def blow(error):\n    raise error\n")
    first, second = fails(shell, said, f"%%rlm context={expression} query=x")
    assert first.startswith("ContextError: context=")
    assert message in first
    assert second.startswith("hint: ")
    assert solver.calls == []


def test_endless_message_is_cut(shell: InteractiveShell, said: pytest.CaptureFixture[str]) -> None:
    first, _ = fails(shell, said, "%%rlm context={}['x'*10**6] query=x")
    assert len(first) < 400


def test_no_context_names_what_there_is(shell: InteractiveShell, said: pytest.CaptureFixture[str]) -> None:
    assert fails(shell, said, "%%rlm\nquestion") == [
        "ContextError: there is no context",
        "hint: say what the question is about: context=df",
    ]
    shell.user_ns.update(a="text", b=[1], c=3, _d="hidden", e="x", frame=pd.DataFrame())
    assert fails(shell, said, "%%rlm\nquestion")[1] == (
        "hint: say what the question is about: context=frame or context=e or context=b"
    )


@pytest.mark.parametrize("cell", ["%%rlm context=df", "%%rlm context=df\n\n", "%rlm context=df"])
def test_no_question(shell: InteractiveShell, said: pytest.CaptureFixture[str], cell: str) -> None:
    first, second = fails(shell, said, cell)
    assert first == "QuestionError: there is no question"
    assert "query=" in second


def test_typo_has_a_caret(shell: InteractiveShell, said: pytest.CaptureFixture[str]) -> None:
    assert fails(shell, said, "%%rlm context=df timout=3 query=x") == [
        "OptionError: there is no option 'timout'",
        "    context=df timout=3 query=x",
        "               ^",
        "hint: did you mean timeout?",
    ]


def test_failed_solve_still_binds_its_partial_run(
    shell: InteractiveShell, solver: FakeSolver, said: pytest.CaptureFixture[str]
) -> None:
    partial = Run(id="partial", status="failed")

    def fail(call: object) -> None:
        error = ModelUnreachable("no server answers at http://h", "start it")
        vars(error)["run"] = partial
        raise error

    solver.behave = fail
    assert fails(shell, said, "%%rlm context=[1] out=run query=x") == [
        "ModelUnreachable: no server answers at http://h",
        "hint: start it",
    ]
    assert shell.user_ns["run"] is partial


def test_failure_without_a_run_leaves_out_alone(shell: InteractiveShell, solver: FakeSolver) -> None:
    def fail(call: object) -> None:
        raise ModelUnreachable("no server")

    solver.behave = fail
    shell.user_ns["run"] = "mine"
    shell.run_cell("%%rlm context=[1] out=run query=x")
    assert shell.user_ns["run"] == "mine"


# ----- the extension -----------------------------------------------------------------------------------------


def footprint(shell: InteractiveShell) -> object:
    manager = shell.input_transformer_manager
    return (
        {kind: set(magics) for kind, magics in shell.magics_manager.lsmagic().items()},
        set(shell.magics_manager.registry),
        list(shell.configurables),
        [*manager.cleanup_transforms, *manager.line_transforms, *manager.token_transformers],
        {name: list(callbacks) for name, callbacks in shell.events.callbacks.items()},
        set(shell.user_ns),
    )


def test_unloading_leaves_the_shell_as_it_was(bare_shell: InteractiveShell) -> None:
    before = footprint(bare_shell)
    for _ in range(2):
        load_ipython_extension(bare_shell)
        assert bare_shell.find_cell_magic("rlm") is not None
        assert bare_shell.find_line_magic("rlm") is not None
        assert footprint(bare_shell) != before
        unload_ipython_extension(bare_shell)
        assert footprint(bare_shell) == before


def test_loading_or_unloading_twice_is_harmless(bare_shell: InteractiveShell) -> None:
    before = footprint(bare_shell)
    load_ipython_extension(bare_shell)
    once = footprint(bare_shell)
    load_ipython_extension(bare_shell)
    assert footprint(bare_shell) == once
    unload_ipython_extension(bare_shell)
    unload_ipython_extension(bare_shell)
    assert footprint(bare_shell) == before


def test_loaded_reloaded_and_unloaded_by_name(bare_shell: InteractiveShell, solver: FakeSolver) -> None:
    for magic in ("load_ext", "reload_ext"):
        bare_shell.run_line_magic(magic, "rlm_magics")
        assert bare_shell.run_cell("%%rlm context=[1] query=x").result is solver.run
    bare_shell.run_line_magic("unload_ext", "rlm_magics")
    assert bare_shell.find_magic("rlm", "cell") is None


def test_help_is_the_docstring(shell: InteractiveShell, said: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%%rlm?")
    shown = said.readouterr().out
    assert "time limit of one cell" in shown
    assert "%%rlm context=df" in shown


def test_loading_does_not_load_the_solver(bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rlm_kernel.solver", raising=False)
    bare_shell.run_line_magic("load_ext", "rlm_magics")
    assert "rlm_kernel.solver" not in sys.modules
