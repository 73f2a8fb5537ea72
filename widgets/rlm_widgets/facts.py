"""The one view model: what every view of a run shows, already bounded, cleaned and counted.

A `Run` may hold gigabytes; its `Facts` hold what fits on a page. Views only lay out what is
here: they measure nothing, cut nothing and look nothing up, so the HTML and the text agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from rlm_kernel.trajectory.records import Status

__all__ = [
    "AnswerFacts",
    "BatchFacts",
    "CallFacts",
    "CellFacts",
    "ChangeFacts",
    "DisplayFacts",
    "Facts",
    "IterationFacts",
    "Listed",
    "Mark",
    "NameFacts",
]

T = TypeVar("T")

Mark = Literal["ok", "error", "timeout", "killed", "died", "interrupted", "running", "no code"]
"""How a cell or an iteration ended, in one word."""


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A list of which the first and the last things are shown; `left_out` in the middle are not."""

    head: list[T]
    left_out: int
    tail: list[T]

    @property
    def count(self) -> int:
        """How many there are, shown or not."""
        return len(self.head) + self.left_out + len(self.tail)


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """The answer as text, a `block` when it is long or has several lines; a draft is not `final`."""

    text: str
    block: bool
    type: str
    iteration: int
    final: bool


@dataclass(frozen=True, slots=True)
class CallFacts:
    """One sub-call: `reply` is the error in words where `failed`, empty while it is pending.

    `iterations` are those of the child trajectory that answered it; `None` where a single completion did.
    """

    number: int
    prompt: str
    reply: str
    failed: bool
    time: str
    iterations: Listed[IterationFacts] | None


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """Sub-calls made together, or a single one; `time` is that of the slowest."""

    calls: Listed[CallFacts]
    model: str
    failed: int
    time: str


@dataclass(frozen=True, slots=True)
class DisplayFacts:
    """A rich display: `image` is a data URI or empty, `text` its text form or why there is no image."""

    image: str
    text: str


@dataclass(frozen=True, slots=True)
class CellFacts:
    """One cell: its code and everything it left behind; `trouble` is the error or why it was stopped."""

    code: str
    mark: Mark
    time: str
    stdout: str
    stderr: str
    trouble: str
    displays: Listed[DisplayFacts]
    rolled_back: Listed[str]
    batches: Listed[BatchFacts]


@dataclass(frozen=True, slots=True)
class ChangeFacts:
    """What became of a variable of the branch: `sign` is plus, tilde or minus, `how` says it in words."""

    sign: str
    how: str
    name: str
    type: str
    size: str
    preview: str


@dataclass(frozen=True, slots=True)
class IterationFacts:
    """One model turn; `prose` is its text without the code that ran and empty if `title` is all of it.

    `trouble` is one line on why its last cell failed, empty if it did not.
    """

    number: int
    title: str
    title_is_code: bool
    mark: Mark
    answered: bool
    time: str
    notes: str
    prose: str
    reasoning: str
    trouble: str
    cells: Listed[CellFacts]
    changes: Listed[ChangeFacts]


@dataclass(frozen=True, slots=True)
class NameFacts:
    """A variable that came back with its preview, or one that stayed behind with the reason."""

    name: str
    type: str
    detail: str


@dataclass(frozen=True, slots=True)
class Facts:
    """A whole run.

    `strip` is the header as pairs of label and value, `reason` says why the run stopped, and `changes` are what all
    its iterations together did to the variables of the branch.
    """

    status: Status
    reason: str
    strip: list[tuple[str, str]]
    offline: bool
    question: str
    context: str
    card: str
    answer: AnswerFacts | None
    iterations: Listed[IterationFacts]
    changes: Listed[ChangeFacts]
    kept: Listed[NameFacts]
    refused: Listed[NameFacts]
