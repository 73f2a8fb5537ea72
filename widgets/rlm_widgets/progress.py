"""What a run is doing right now, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .words import counted, duration, status_words

if TYPE_CHECKING:
    from rlm_kernel.trajectory.run import Run
    from rlm_kernel.trajectory.steps import Iteration

__all__ = ["progress_line"]


def progress_line(run: Run, elapsed: float) -> str:
    """Return one line such as `iteration 3 of 20 · cell running · 12 sub-calls · 8.2 s`.

    Args:
        run: the run as far as its events have come.
        elapsed: seconds since it started.

    """
    turns = run.iterations
    if not turns:
        return " · ".join([_state(run, None), duration(elapsed)])
    most = run.settings.get("max_iterations")
    parts = [f"iteration {turns[-1].index}" + (f" of {most}" if most else ""), _state(run, turns[-1])]
    if run.subcalls:
        pending = sum(call.seconds is None for call in run.subcalls)
        parts.append(counted(len(run.subcalls), "sub-call") + (f", {pending:,} pending" if pending else ""))
    return " · ".join([*parts, duration(elapsed)])


def _state(run: Run, turn: Iteration | None) -> str:
    if run.status != "running":
        return status_words(run.status)
    if turn is None:
        return "starting"
    if turn.seconds is None:
        return "model writing"
    if turn.cells and turn.cells[-1].outcome is None:
        return "cell running" if len(turn.cells) == 1 else f"cell {len(turn.cells)} running"
    return "cell done" if turn.cells else "reply read"
