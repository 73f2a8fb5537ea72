"""What came of one cell on a branch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..trajectory.records import CellError, Message, Outcome

__all__ = ["CellResult", "GivenAnswer", "Update"]


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer as the branch holds it; the object itself stays there until it is kept.

    `value` is the object where JSON can hold it exactly (`exact`), else `None`; `via` names the dialect, for example
    `answer` or `FINAL`; a draft is content without `ready`. `problem` says why a final answer is not
    accepted: it is not of the wanted type, or the user's check refused it.
    """

    text: str
    value_type: str
    value: Any
    exact: bool
    via: str
    final: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CellResult:
    """How a cell ended and what it showed.

    `displays` are MIME bundles of `display(...)` and of the last expression; `value_text` is the latter's text/plain;
    `notes` are remarks for the model (for example: scaffold names it had overwritten); `rolled_back` are the names
    that went back to their earlier state when the branch was rolled back; `diff` is what the cell changed;
    `allowance` is how many characters of output the cell asked to see in full, by `page` and the like.
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
    allowance: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """What the notebook's side changes in a session before the next cell.

    `variables` are texts to bind by name (`_result_3`), `history` messages to add to `history`; `clear_answer` forgets
    an answer that was sent back.
    """

    variables: dict[str, str] = field(default_factory=dict)
    history: list[Message] = field(default_factory=list)
    clear_answer: bool = False
