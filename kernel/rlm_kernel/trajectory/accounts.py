"""Who spent what: every model call of a run, with the model, the role and the depth it was made at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .records import Usage

if TYPE_CHECKING:
    from .run import Run
    from .steps import Candidate, SubCall

__all__ = ["Charge", "charges", "usage_by"]


@dataclass(frozen=True, slots=True)
class Charge:
    """One model call: `role` is `root`, `child`, the kind of a sub-call, or what the engine asked for itself."""

    model: str
    role: str
    depth: int
    usage: Usage


def charges(run: Run, depth: int = 0, model: str = "") -> Iterator[Charge]:
    """Yield every call of a run and of the children in it; `model` is the one that takes the turns."""
    for candidate in run.candidates:
        yield from _of(candidate, depth, model or run.model, run.sub_model or model)


def usage_by(run: Run, key: Literal["model", "role", "depth"]) -> dict[str | int, Usage]:
    """Return what a run spent, summed up by model, role or depth. The sums of each are the run's `usage`."""
    sums: dict[str | int, Usage] = {}
    for charge in charges(run):
        name = getattr(charge, key)
        sums[name] = sums.get(name, Usage()) + charge.usage
    return sums


def _of(candidate: Candidate, depth: int, model: str, sub_model: str) -> Iterator[Charge]:
    for asked in candidate.consultations:
        yield Charge(asked.model, asked.role, depth, asked.usage)
    for turn in candidate.iterations:
        yield Charge(model, "child" if depth else "root", depth, turn.usage)
        for asked in turn.consultations:
            yield Charge(asked.model, asked.role, depth, asked.usage)
        for cell in turn.cells:
            for call in cell.subcalls:
                yield from _of_call(call, depth, sub_model)


def _of_call(call: SubCall, depth: int, sub_model: str) -> Iterator[Charge]:
    if call.child is None:
        yield Charge(call.model, call.kind, depth + 1, call.usage)
    else:
        yield from charges(call.child, depth + 1, sub_model)
