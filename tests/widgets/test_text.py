"""The plain twin of the view: short, complete, fit for a terminal."""

from __future__ import annotations

from rlm_kernel.trajectory.run import Run
from rlm_widgets import plain_text
from support import sample_runs


def test_it_holds_answer_header_iterations_and_names() -> None:
    text = plain_text(sample_runs.solved())
    lines = text.splitlines()
    assert lines[0].startswith("Answer: South lost most")
    assert "answered" in lines
    assert "gpt-5-mini" in text
    assert [
        line.split()[0] for line in lines if "· " in line and line.endswith(" s") and line[:4].strip().isdigit()
    ] == [
        "1",
        "2",
        "3",
        "4",
    ]
    assert "Kept in the notebook: by_region (Series), reasons (list), change (datetime)" in lines
    assert "Stayed behind: rows (generator): a generator cannot leave its process" in lines


def test_draft_limit_and_offline_are_said() -> None:
    wrecked = plain_text(sample_runs.wrecked())
    assert wrecked.startswith("Draft:\n")
    assert "stopped at a limit: the limit of 4 iterations is reached" in wrecked
    assert "Not a language model" in plain_text(sample_runs.offline())
    assert plain_text(Run()).startswith("No answer")


def test_it_stays_short_whatever_the_run_holds() -> None:
    for run in (sample_runs.enormous(50, 100_000), sample_runs.hostile(), sample_runs.solved()):
        text = plain_text(run)
        assert text.count("\n") < 42
        assert len(text) < 10_000


def test_cells_however_many_cost_it_nothing() -> None:
    events = list(sample_runs.started())
    for number in range(1, 21):
        events += sample_runs.turn(number, "many cells")
        for index in range(1, 31):
            calls = [
                {"index": i, "batch": None, "prompt": "p" * 900, "text": "t" * 900, "seconds": 0.1} for i in range(20)
            ]
            events += sample_runs.cell(number, "x", index=index, subcalls=calls)
    assert "30 cells, 600 sub-calls" in plain_text(Run.fold(events))


def test_a_terminal_is_not_steered() -> None:
    text = plain_text(sample_runs.hostile())
    assert all(letter == "\n" or letter.isprintable() or letter in "\u200e\u200f" for letter in text)
