"""The plain twin of the view: short, complete, fit for a terminal."""

from __future__ import annotations

from itertools import pairwise

from rlm_kernel.trajectory.run import Run
from rlm_widgets import plain_text
from support import branch_runs, sample_runs
from support.branch_runs import diff, entry


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


def test_failures_and_changes_stand_below_their_iteration() -> None:
    lines = plain_text(branch_runs.branched()).splitlines()
    below = {line[:4].strip(): after.strip() for line, after in pairwise(lines) if line[:4].strip().isdigit()}
    assert below["1"].startswith("+ by_region DataFrame 164 B · + frame DataFrame 21.4 MB · + tmp DataFrame 1 KB")
    assert below["2"] == "it took 2.1 GB more than the session has, and 2.0 GB are allowed (mem=2GB)"
    assert below["3"] == "+ part list · ~ df DataFrame 23.0 MB · \N{MINUS SIGN} tmp DataFrame 1 KB"
    assert below["4"] == ""
    assert "KeyError: 'pirce'" in plain_text(sample_runs.wrecked())


def test_changes_of_the_run_are_what_is_left_at_its_end() -> None:
    lines = plain_text(branch_runs.branched()).splitlines()
    (line,) = [line for line in lines if line.startswith("Changed on the branch: ")]
    assert "+ by_region" in line
    assert "~ df DataFrame" in line
    assert "tmp" not in line


def test_of_many_changes_some_are_named() -> None:
    run = sample_runs.solved()
    run.iterations[0].cells[0].diff = diff(added=[entry(f"v{n}") for n in range(1_000, 2_000)])
    assert "+ v1005 int · 994 more" in plain_text(run)


def test_it_stays_short_whatever_the_run_holds() -> None:
    busy = sample_runs.enormous(50, 100_000)
    for turn in busy.iterations:
        turn.cells[0].diff = diff(added=[entry(f"{'v' * 500}{n}", "t" * 500) for n in range(100)])
    for run in (busy, sample_runs.hostile(), sample_runs.solved(), branch_runs.hostile_branch()):
        text = plain_text(run)
        assert text.count("\n") < 50
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
    text = plain_text(sample_runs.hostile()) + plain_text(branch_runs.hostile_branch())
    assert all(letter == "\n" or letter.isprintable() or letter in "\u200e\u200f" for letter in text)
