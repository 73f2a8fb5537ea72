"""The one line shown while a run is under way."""

from __future__ import annotations

import pytest

from rlm_kernel.trajectory import events as ev
from rlm_kernel.trajectory.run import Run
from rlm_widgets import progress_line
from support import sample_runs
from support.sample_runs import cell, started, turn

CALLED = ev.ModelCalled(0, 1, [])
CELL = ev.CellStarted(0, 1, 1, "x")


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([], "starting · 8.2 s"),
        ([*started()], "starting · 8.2 s"),
        ([*started(), CALLED], "iteration 1 of 20 · model writing · 8.2 s"),
        ([*started(), *turn(1, "x")], "iteration 1 of 20 · reply read · 8.2 s"),
        ([*started(settings={}), *turn(1, "x"), CELL], "iteration 1 · cell running · 8.2 s"),
        ([*started(), *turn(1, "x"), *cell(1, "x")], "iteration 1 of 20 · cell done · 8.2 s"),
        (
            [*started(), *turn(1, "x"), *cell(1, "x"), ev.CellStarted(0, 1, 2, "y")],
            "iteration 1 of 20 · cell 2 running · 8.2 s",
        ),
    ],
)
def test_each_state_has_its_words(events: list[ev.Event], line: str) -> None:
    assert progress_line(Run.fold(events), 8.24) == line


def test_sub_calls_are_counted_and_pending_ones_named() -> None:
    line = progress_line(sample_runs.running(), 125.0)
    assert line == "iteration 3 of 20 · cell running · 12 sub-calls, 4 pending · 2 min 05 s"


def test_a_run_that_ended_says_how() -> None:
    assert progress_line(sample_runs.wrecked(), 41.7) == "iteration 4 of 20 · stopped at a limit · 41.7 s"
