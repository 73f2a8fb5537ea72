"""When a progress line is drawn, where, and that nothing of it stays."""

from __future__ import annotations

import io
import types
from typing import Any

import pytest

from rlm_kernel.trajectory.run import Run
from rlm_magics import progress as module
from rlm_magics.progress import NotebookLine, Progress, TerminalLine, surface_for


class Recorder:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def show(self, text: str) -> None:
        self.seen.append(text)

    def clear(self) -> None:
        self.seen.append("cleared")


class Publisher:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def publish(self, data: dict[str, str], *, transient: dict[str, str], update: bool) -> None:
        self.seen.append((data["text/plain"], transient["display_id"], update))

    def clear_output(self, wait: bool) -> None:
        self.seen.append(f"clear wait={wait}")


@pytest.fixture(autouse=True)
def line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "progress_line", lambda run, elapsed: f"{run.id} {elapsed:.1f}")


def test_first_after_a_moment_then_at_most_twice_a_second() -> None:
    surface = Recorder()
    with Progress(surface) as progress:
        for tenth in range(16):
            progress(Run(id="r"), tenth / 10)
    assert surface.seen == ["r 0.3", "r 0.8", "r 1.3", "cleared"]


def test_a_quick_solve_draws_and_clears_nothing() -> None:
    surface = Recorder()
    with Progress(surface) as progress:
        progress(Run(), 0.29)
    assert surface.seen == []


def test_cleared_when_the_solve_fails() -> None:
    surface = Recorder()
    progress = Progress(surface)

    def stopped_solve() -> None:
        with progress:
            progress(Run(id="r"), 1.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_solve()
    assert surface.seen == ["r 1.0", "cleared"]


def test_no_surface_no_line() -> None:
    with Progress(None) as progress:
        progress(Run(), 5.0)


def test_notebook_line_is_one_display_cleared_with_the_cell() -> None:
    publisher: Any = Publisher()
    surface = NotebookLine(publisher, whole_cell=True)
    surface.show("a")
    surface.show("b")
    surface.clear()
    (_, display_id, _), *_ = publisher.seen
    assert publisher.seen == [("a", display_id, False), ("b", display_id, True), "clear wait=True"]


def test_beside_other_output_only_the_line_itself_is_emptied() -> None:
    publisher: Any = Publisher()
    surface = NotebookLine(publisher, whole_cell=False)
    surface.show("a")
    surface.clear()
    assert [(text, update) for text, _, update in publisher.seen] == [("a", False), ("", True)]


def test_terminal_line_is_cut_and_erased(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    surface = TerminalLine()
    surface.show("x" * 50)
    surface.clear()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"\r\x1b[2K{'x' * 9}\r\x1b[2K"


@pytest.mark.parametrize("view", ["static", "none"])
def test_these_views_have_no_progress(view: str) -> None:
    shell: Any = types.SimpleNamespace(kernel=object(), display_pub=Publisher())
    assert surface_for(shell, view, whole_cell=True) is None


def test_kernel_terminal_and_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_shell: Any = types.SimpleNamespace(kernel=object(), display_pub=Publisher())
    plain: Any = types.SimpleNamespace()
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    assert isinstance(surface_for(kernel_shell, "auto", whole_cell=True), NotebookLine)
    assert surface_for(plain, "auto", whole_cell=True) is None
    monkeypatch.setattr(stream, "isatty", lambda: True)
    assert isinstance(surface_for(plain, "auto", whole_cell=True), TerminalLine)
