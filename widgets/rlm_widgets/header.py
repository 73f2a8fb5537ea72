"""The header of a run: who was asked, how much was done, what was spent, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.trajectory.records import Usage

from .cleaning import one_line
from .words import duration, money, tokens

if TYPE_CHECKING:
    from rlm_kernel.trajectory.run import Run

__all__ = ["spent", "strip"]

_ENGINE = ("compaction", "verifier", "engineer", "final")


def strip(run: Run) -> list[tuple[str, str]]:
    """Return label and value of each figure; what a run does not have (a price, a limit it ran into) is not in it."""
    cells = sum(len(turn.cells) for turn in run.iterations)
    failed = sum(bool(call.error) for call in run.subcalls)
    usage = run.usage
    model = one_line(run.model, 60)
    if run.sub_model and run.sub_model != run.model:
        model += f" + {one_line(run.sub_model, 60)}"
    pairs = [
        ("model", model),
        ("method", f"direct: {one_line(run.route, 200)}" if run.method == "direct" else ""),
        ("iterations", f"{len(run.iterations):,}"),
        ("cells", f"{cells:,}" if run.method != "direct" else ""),
        ("sub-calls", f"{len(run.subcalls):,}" + (f" ({failed:,} failed)" if failed else "")),
        ("tokens", tokens(usage) if usage.calls else ""),
        ("cost", "" if run.offline else money(usage)),
        ("time", "" if run.status == "running" else duration(run.seconds)),
        ("limit", one_line(run.limit)),
        ("branch", ": ".join(filter(None, (one_line(run.branch), one_line(run.branch_reason, 200))))),
    ]
    return [(label, value) for label, value in pairs if value]


def spent(run: Run) -> list[tuple[str, str]]:
    """Return who used how many tokens and how much money; nothing if the root did it all."""
    sums: dict[str, Usage] = {}
    for role, usage in run.usage_by("role").items():
        who = "root" if role == "root" else "engine" if role in _ENGINE else "sub-calls"
        sums[who] = sums.get(who, Usage()) + usage
    if not sums.keys() - {"root"}:
        return []
    priced = not run.offline and any(usage.cost is not None for usage in sums.values())
    order = ("root", "sub-calls", "engine")
    return [(who, _used(sums[who], priced=priced)) for who in order if who in sums]


def _used(usage: Usage, *, priced: bool) -> str:
    cost = money(usage) if priced else ""
    return ", ".join(filter(None, [tokens(usage), "cost unknown" if cost == "unknown" else cost]))
