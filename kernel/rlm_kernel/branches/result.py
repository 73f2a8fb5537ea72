"""What came of one cell on a branch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..trajectory.events import CellError, Outcome

__all__ = ["CellResult", "GivenAnswer"]


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer as the branch holds it; the object itself stays there until it is kept.

    `value` is the object where JSON can hold it exactly (`exact`), else `None`; `via` names the dialect, for example
    `answer` or `FINAL`; a draft is content without `ready`.
    """

    text: str
    value_type: str
    value: Any
    exact: bool
    via: str
    final: bool


@dataclass(frozen=True, slots=True)
class CellResult:
    """How a cell ended and what it showed.

    `displays` are MIME bundles of `display(...)` and of the last expression; `value_text` is the latter's text/plain;
    `notes` are remarks for the model (for example: scaffold names it had overwritten); `rolled_back` are the names
    that went back to their earlier state when the branch was rolled back; `diff` is what the cell changed.
    """

    outcome: Outcome
    seconds: float
    stdout: str = ""
    stderr: str = ""
    value_text: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    error: CellError | None = None
    answer: GivenAnswer | None = None
    rolled_back: list[str] = field(default_factory=list)
    diff: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
