"""The list of a session's runs."""

from __future__ import annotations

from rlm_kernel.trajectory.run import Run
from rlm_widgets.listing import run_lines
from support import sample_runs


def test_a_line_per_run_in_columns() -> None:
    lines = run_lines([sample_runs.solved(), sample_runs.wrecked(), sample_runs.running()]).splitlines()
    assert len(lines) == 3
    words = ("0", "20260102-030405-a1b2c3", "answered", "4 iterations", "9.3 s", "Which region lost the most")
    assert [lines[0].index(word) for word in words] == sorted(lines[0].index(word) for word in words)
    assert lines[0].endswith("South lost most: 9,412 customers left a…")
    assert "stopped at a limit" in lines[1]
    places = {line.index("iterations") for line in lines}
    assert len(places) == 1
    assert "running" in lines[2]


def test_no_runs_are_no_lines() -> None:
    assert run_lines([]) == ""


def test_a_run_is_one_line_whatever_it_holds() -> None:
    lines = run_lines([sample_runs.hostile(), Run()]).splitlines()
    assert len(lines) == 2
    assert all(len(line) < 250 for line in lines)
    assert "\x1b" not in lines[0]
