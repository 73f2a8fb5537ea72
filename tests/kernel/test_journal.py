"""The journal gives back the run it was written for, whatever happened to its end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pytest

from rlm_kernel.errors import JournalError
from rlm_kernel.trajectory.events import Event
from rlm_kernel.trajectory.journal import Recorder, load, read_events
from rlm_kernel.trajectory.records import Usage
from rlm_kernel.trajectory.redact import Redactor
from rlm_kernel.trajectory.run import Run
from support import sample_runs


def recorded(folder: Path, events: Iterable[Event]) -> Recorder:
    """Record `events` as the run `r` in `folder`."""
    record = Recorder(folder, "r")
    for event in events:
        record(event)
    record.close()
    return record


def test_each_line_is_an_event_in_order(tmp_path: Path) -> None:
    record = recorded(tmp_path, sample_runs.solved_events())
    lines = [json.loads(line) for line in Path(record.path).read_text().splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert {line["v"] for line in lines} == {1}
    assert all("type" in line and "t" in line for line in lines)
    assert load(record.path) == record.run == Run.fold(read_events(record.path))


def test_long_texts_are_stored_once(tmp_path: Path) -> None:
    loud = [sample_runs.cell(1, "print('x' * 10**6)", index=n, stdout="x" * 1_000_000) for n in range(1, 6)]
    record = recorded(tmp_path, chain(sample_runs.started(), sample_runs.turn(1, "Go."), *loud))
    assert Path(record.path).stat().st_size < 20_000
    assert len(list((tmp_path / "r" / "texts").iterdir())) == 1
    assert load(tmp_path / "r") == record.run


def test_a_line_cut_off_by_a_crash_ends_the_journal(tmp_path: Path) -> None:
    record = recorded(tmp_path, sample_runs.solved_events())
    path = Path(record.path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    events = list(read_events(path))
    assert len(events) == len(whole.splitlines()) - 1
    path.write_bytes(b"{broken\n" + whole)
    with pytest.raises(JournalError, match="Line 1"):
        load(path)
    with pytest.raises(JournalError, match="no journal"):
        load(tmp_path / "nowhere")


def test_events_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    record = recorded(tmp_path, sample_runs.solved_events())
    with Path(record.path).open("a") as file:
        file.write('{"v": 2, "seq": 99, "t": 1, "type": "teleported", "to": "mars"}\n')
    assert load(record.path) == record.run


def test_secrets_are_masked_wherever_they_stand() -> None:
    redact = Redactor({"MY_API_KEY": "hunter2-hunter2", "SHORT_KEY": "ab", "HOME": "/home/somebody"})
    record = {"a": ["x hunter2-hunter2 y", {"b": "sk-proj-" + "A1" * 20}], "n": 3, "home": "/home/somebody"}
    masked = json.dumps(redact.record(record))
    assert "hunter2" not in masked
    assert "A1A1" not in masked
    assert "/home/somebody" in masked
    assert redact.text("absolute") == "absolute"


def test_money_is_unknown_as_soon_as_one_call_is() -> None:
    known, unknown = Usage(1, 10, 5, 0.25), Usage(1, 10, 5, None)
    assert (known + known).cost == 0.5
    assert (known + unknown).cost is None
    assert (Usage() + known).cost == 0.25
    assert sum([known, known], Usage()) == Usage(2, 20, 10, 0.5)
