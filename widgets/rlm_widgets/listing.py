"""The runs of a session, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cleaning import one_line
from .words import counted, duration, status_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.trajectory.run import Run

__all__ = ["run_lines"]


def run_lines(runs: Iterable[Run]) -> str:
    """Return a line per run: its index in `rlm_kernel.runs`, id, how it stands, length, question and answer."""
    rows = [_row(index, run) for index, run in enumerate(runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(index: int, run: Run) -> tuple[str, ...]:
    return (
        f"{index:>3}",
        one_line(run.id),
        status_words(run.status),
        counted(len(run.iterations), "iteration"),
        "" if run.status == "running" else duration(run.seconds),
        one_line(run.question, 40),
        one_line(run.text, 40),
    )
