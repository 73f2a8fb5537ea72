"""What a `Run` is made of: candidates, their iterations, the cells and sub-calls in them, answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .records import CellError, Message, Outcome, Status, Usage

if TYPE_CHECKING:
    from .run import Run

__all__ = ["Answer", "Candidate", "Cell", "Consultation", "GuardNote", "Iteration", "SubCall"]


@dataclass
class SubCall:
    """One sub-call: prompt in, text or error out; an `rlm_query` also has the run of its `child`.

    `seconds` is `None` while it is pending.
    """

    index: int
    batch: int | None
    model: str
    prompt: str
    kind: str = "llm_query"
    text: str = ""
    error: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float | None = None
    child: Run | None = None


@dataclass
class Cell:
    """One code block the model wrote; `outcome` is `None` while it runs."""

    index: int
    code: str
    outcome: Outcome | None = None
    stdout: str = ""
    stderr: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    error: CellError | None = None
    seconds: float = 0.0
    rolled_back: list[str] = field(default_factory=list)
    diff: dict[str, Any] = field(default_factory=dict)
    subcalls: list[SubCall] = field(default_factory=list)


@dataclass
class Answer:
    """An answer as events can hold it: `value` is the object itself only where `exact`."""

    text: str
    value_type: str
    value: Any
    exact: bool
    via: str
    final: bool
    verified: bool | None = None


@dataclass
class Consultation:
    """The engine's own question to a model, and the reply; see `events.Consulted` for the roles."""

    role: str
    model: str
    prompt: str
    text: str
    error: str
    usage: Usage
    seconds: float


@dataclass
class GuardNote:
    """What a guard or a repair did; `guard` is the setting's name."""

    guard: str
    detail: str


@dataclass
class Iteration:
    """One model turn and the cells it made run; `index` counts from 1.

    `messages` are what was new in its request, `kept` how many earlier messages came before them (`None`: all).
    """

    index: int
    messages: list[Message]
    kept: int | None = None
    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float | None = None
    cells: list[Cell] = field(default_factory=list)
    guards: list[GuardNote] = field(default_factory=list)
    consultations: list[Consultation] = field(default_factory=list)
    answer: Answer | None = None


@dataclass
class Candidate:
    """One trajectory of a run; `limit` names the limit that ended it, if one did.

    Its own `guards` and `consultations` are those from before the first turn.
    """

    index: int
    status: Status = "running"
    stop_reason: str = ""
    limit: str = ""
    iterations: list[Iteration] = field(default_factory=list)
    guards: list[GuardNote] = field(default_factory=list)
    consultations: list[Consultation] = field(default_factory=list)

    @property
    def answer(self) -> Answer | None:
        """The final answer, else the latest draft, else `None`."""
        given = [i.answer for i in self.iterations if i.answer]
        return next((a for a in given if a.final), given[-1] if given else None)

    @property
    def subcalls(self) -> list[SubCall]:
        """All sub-calls in the order they were made."""
        return [s for i in self.iterations for c in i.cells for s in c.subcalls]

    @property
    def usage(self) -> Usage:
        """Tokens and money of the model turns, the engine's own questions, all sub-calls and their children."""
        total = sum((i.usage for i in self.iterations), Usage())
        total = sum((c.usage for c in self.consultations), total)
        total = sum((c.usage for i in self.iterations for c in i.consultations), total)
        total = sum((s.usage for s in self.subcalls), total)
        return sum((s.child.usage for s in self.subcalls if s.child), total)
