"""`rlm-kernel install`: what it writes, where, and what it leaves alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rlm_kernel.errors import RLMError
from rlm_kernel.install import destination, install, main, packaged_spec, spec_for

LOGOS = {"logo-32x32.png", "logo-64x64.png", "logo-svg.svg"}


def written(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "kernel.json").read_text())
    return content


def test_the_package_brings_its_kernelspec() -> None:
    spec = written(packaged_spec())
    assert spec["argv"] == ["python", "-m", "rlm_kernel.app", "-f", "{connection_file}"]
    assert (spec["language"], spec["interrupt_mode"]) == ("python", "message")
    assert {file.name for file in packaged_spec().iterdir()} == LOGOS | {"kernel.json"}


def test_an_installed_copy_starts_this_python(tmp_path: Path) -> None:
    folder = install(prefix=tmp_path)
    assert folder == tmp_path / "share/jupyter/kernels/rlm"
    assert written(folder) == {**written(packaged_spec()), **spec_for()}
    assert written(folder)["argv"] == [sys.executable, "-m", "rlm_kernel.app", "-f", "{connection_file}"]
    assert {file.name for file in folder.iterdir()} >= LOGOS


def test_without_a_prefix_it_is_for_the_user(private_environment: Path) -> None:
    folder = install("mine", display_name="My questions")
    assert folder == private_environment / "jupyter_data_dir/kernels/mine"
    assert written(folder)["display_name"] == "My questions"


def test_installing_again_is_harmless(tmp_path: Path) -> None:
    install(prefix=tmp_path)
    assert written(install(prefix=tmp_path, display_name="Another"))["display_name"] == "Another"


@pytest.mark.parametrize(
    "other",
    [
        '{"argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]}',
        '{"argv": ["/elsewhere/bin/python", "-m", "rlm_kernel.app", "-f", "{connection_file}"]}',
        '{"argv": []}',
        "not json",
    ],
)
def test_somebody_elses_kernel_is_not_overwritten(tmp_path: Path, other: str) -> None:
    folder = destination("rlm", tmp_path)
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(other)
    with pytest.raises(RLMError, match="--replace"):
        install(prefix=tmp_path)
    assert (folder / "kernel.json").read_text() == other
    install(prefix=tmp_path, replace=True)
    assert written(folder)["argv"] == spec_for()["argv"]


@pytest.mark.parametrize("name", ["a b", "../../etc", "", "naïve"])
def test_a_name_jupyter_would_not_take(tmp_path: Path, name: str) -> None:
    with pytest.raises(RLMError, match="cannot be a kernel's name"):
        install(name, prefix=tmp_path / "env")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "share").write_text("a file where a folder has to be")
    assert main(["install", "--prefix", str(tmp_path)]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--dry-run", "--prefix", str(tmp_path), "--display-name", "Shown"]) == 0
    shown, _, where = capsys.readouterr().out.rpartition("}\n")
    assert json.loads(shown + "}") == spec_for("Shown")
    assert str(tmp_path / "share/jupyter/kernels/rlm") in where
    assert not list(tmp_path.iterdir())


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--prefix", str(tmp_path), "--name", "Other"]) == 0
    assert str(tmp_path / "share/jupyter/kernels/other") in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["install", "--user", "--sys-prefix"])
