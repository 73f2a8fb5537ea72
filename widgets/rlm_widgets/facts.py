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
    "AskedFacts",
    "BatchFacts",
    "CallFacts",
    "CellFacts",
    "ChangeFacts",
    "DisplayFacts",
    "Facts",
    "GuardFacts",
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
    """The answer as text, a `block` when it is long or has several lines; a draft is not `final`.

    `verified` says in words what a check of it came to, and is empty if there was none.
    """

    text: str
    block: bool
    type: str
    iteration: int
    final: bool
    verified: str


@dataclass(frozen=True, slots=True)
class GuardFacts:
    """A guard that acted: the setting it belongs to, and in one line what it did."""

    guard: str
    detail: str


@dataclass(frozen=True, slots=True)
class AskedFacts:
    """What the engine asked a model for itself: `what` in words, and the reply, or the error where `failed`."""

    what: str
    model: str
    tokens: str
    time: str
    prompt: str
    reply: str
    failed: bool


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
    """Sub-calls made together, or a single one; `time` is that of the slowest.

    `kinds` counts the steps of a query over a long text, such as `5 map, 1 reduce`; empty where there are none.
    """

    calls: Listed[CallFacts]
    kinds: str
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

    `given` says what it handed in, `trouble` is one line on why its last cell failed, empty if it did not.
    """

    number: int
    title: str
    title_is_code: bool
    mark: Mark
    given: Literal["", "answer", "draft"]
    time: str
    notes: str
    prose: str
    reasoning: str
    trouble: str
    cells: Listed[CellFacts]
    guards: Listed[GuardFacts]
    asked: Listed[AskedFacts]
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

    `strip` is the header as pairs of label and value, `spent` who used how many tokens and how much money, empty where
    it was the root alone. `reason` says why the run stopped, `guards` and `asked` are from before the first turn, and
    `changes` are what all its iterations together did to the variables of the branch.
    """

    status: Status
    reason: str
    strip: list[tuple[str, str]]
    spent: list[tuple[str, str]]
    offline: bool
    direct: bool
    question: str
    context: str
    card: str
    answer: AnswerFacts | None
    guards: Listed[GuardFacts]
    asked: Listed[AskedFacts]
    iterations: Listed[IterationFacts]
    changes: Listed[ChangeFacts]
    kept: Listed[NameFacts]
    refused: Listed[NameFacts]
