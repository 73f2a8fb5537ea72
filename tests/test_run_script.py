"""`./run`: when it builds, what it refuses, what its checks may see."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "run"
NEEDED = (
    "pyproject.toml",
    "kernel/kernelspec/kernel.json",
    "requirements.lock",
    "requirements-ipykernel-7.3.lock",
)


@pytest.fixture
def run(tmp_path: Path) -> ModuleType:
    """Return the script, copied into a small tree with a blank in its path, as a module."""
    root = tmp_path / "a tree"
    for name in NEEDED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    copy = root / "run"
    copy.write_text(SCRIPT.read_text())
    loader = importlib.machinery.SourceFileLoader("run_script", str(copy))
    spec = importlib.util.spec_from_loader("run_script", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def pretend_built(run: ModuleType, environment: Path) -> None:
    (environment / "bin").mkdir(parents=True)
    run.python_of(environment).touch()
    (environment / run.STAMP).write_text(run.stamp_of(environment))


def test_an_environment_counts_as_built_only_when_complete(run: ModuleType) -> None:
    assert not run.is_built(run.HOME)
    pretend_built(run, run.HOME)
    assert run.is_built(run.HOME)
    (run.HOME / run.STAMP).unlink()
    assert not run.is_built(run.HOME)


@pytest.mark.parametrize("name", ["pyproject.toml", "kernel/kernelspec/kernel.json", "requirements.lock"])
def test_a_change_of_what_it_was_built_from_is_noticed(run: ModuleType, name: str) -> None:
    pretend_built(run, run.HOME)
    (run.ROOT / name).write_text("changed")
    assert not run.is_built(run.HOME)


def test_the_second_lock_matters_only_to_the_second_environment(run: ModuleType) -> None:
    for environment in (run.HOME, run.OLDER):
        pretend_built(run, environment)
    (run.ROOT / "requirements-ipykernel-7.3.lock").write_text("changed")
    assert (run.is_built(run.HOME), run.is_built(run.OLDER)) == (True, False)


@pytest.mark.parametrize("moved", ["sys.version", "ROOT"])
def test_another_python_or_another_place_is_noticed(
    run: ModuleType, moved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_built(run, run.HOME)
    if moved == "ROOT":
        monkeypatch.setattr(run, "ROOT", Path("/somewhere/else"))
    else:
        monkeypatch.setattr(sys, "version", "4.0")
    assert not run.is_built(run.HOME)


def test_building_installs_locks_then_project_and_stamps_last(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def record(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        assert not (run.OLDER / run.STAMP).exists()
        run.OLDER.mkdir(exist_ok=True)
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", record)
    run.build(run.OLDER)
    made, first, second, project = commands
    assert made[1:] == ["-m", "venv", "--clear", str(run.OLDER)]
    assert first[-3:] == ["--require-hashes", "--requirement", str(run.ROOT / "requirements.lock")]
    assert "--require-hashes" in second
    assert second[-2:] == [str(run.ROOT / "requirements-ipykernel-7.3.lock"), "--no-deps"]
    assert project[-2:] == ["--editable", str(run.ROOT)]
    assert (run.OLDER / run.STAMP).read_text() == run.stamp_of(run.OLDER)


def test_a_failed_installation_leaves_no_stamp(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    run.HOME.mkdir()
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(SystemExit, match=r"could not build \.venv"):
        run.build(run.HOME)
    assert not (run.HOME / run.STAMP).exists()


def test_a_python_without_ensurepip_is_told_in_one_line(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stopped:
        run.build(run.HOME)
    assert "python3-venv" in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_an_old_python_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    code = compile(SCRIPT.read_text(), "run", "exec", dont_inherit=True)
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    with pytest.raises(SystemExit) as stopped:
        exec(code, {"__name__": "run_script"})
    assert str(stopped.value) == "./run needs Python 3.11 or newer and this is 3.9; try python3.11 run"


@pytest.mark.parametrize("arguments", [[], ["dmeo"], ["demo", "more"]])
def test_what_it_does_not_know_gets_the_usage(
    run: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(arguments) == 2
    assert capsys.readouterr().out.strip() == run.USAGE
    assert not run.HOME.exists()


def test_checks_see_no_key_and_no_setting_of_the_user(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "RLM_MODEL", "PYTHONPATH"):
        monkeypatch.setenv(name, "mine")
    with run.clean_variables(run.HOME) as env:
        assert not {"OPENAI_API_KEY", "RLM_MODEL", "PYTHONPATH"} & env.keys()
        assert env["RLM_VIEW"] == "static"
        assert env["PATH"].startswith(str(run.HOME / "bin"))
        folder = Path(env["IPYTHONDIR"]).parent
        assert folder.exists()
    assert not folder.exists()
    assert run.variables(run.HOME)["OPENAI_API_KEY"] == "mine"


@pytest.fixture
def checks(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, int]], list[str]]:
    """Return a function that makes all checks with the given exit statuses and returns which modules ran."""
    ran: list[str] = []

    def make(statuses: dict[str, int]) -> list[str]:
        def module(environment: Path, command: list[str], env: dict[str, str]) -> int:
            ran.append(" ".join(command))
            return statuses.get(command[0], 0)

        monkeypatch.setattr(run, "module", module)
        monkeypatch.setattr(run, "is_built", lambda environment: True)
        return ran

    return make


def test_checks_stop_at_the_first_that_fails(
    run: ModuleType, checks: Callable[[dict[str, int]], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    ran = checks({"mypy": 3})
    assert run.test([]) == 3
    assert ran == ["ruff check", "ruff format --check", "mypy"]
    closing = capsys.readouterr().out.partition("== summary")[2].split("\n")
    assert [line.split()[0] for line in closing if line] == ["passed", "passed", "FAILED"]


def test_all_checks_are_made(run: ModuleType, checks: Callable[[dict[str, int]], list[str]]) -> None:
    ran = checks({})
    assert run.test([]) == 0
    assert len(ran) == len(run.CHECKS)
    assert ran[-1].startswith("pytest -m kernel -n")


def test_arguments_go_to_pytest_alone(run: ModuleType, checks: Callable[[dict[str, int]], list[str]]) -> None:
    ran = checks({})
    assert run.test(["-k", "something"]) == 0
    assert ran == ["pytest -k something"]
