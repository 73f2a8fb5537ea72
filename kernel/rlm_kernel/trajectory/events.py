"""Everything that can happen in a run, as plain records.

A run is a sequence of these events and nothing else: the journal stores them, a `Run` is a fold of them, the viewer
draws that fold. Each event knows its candidate; what it does not say again (the question, earlier messages) an earlier
event said. Fields hold JSON types only, so an event survives a round trip through the journal unchanged.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypedDict

__all__ = [
    "AnswerGiven",
    "CandidateEnded",
    "CandidateStarted",
    "CellEnded",
    "CellError",
    "CellStarted",
    "ChildEvent",
    "Event",
    "Kept",
    "KeptName",
    "Message",
    "ModelCalled",
    "ModelReplied",
    "Outcome",
    "RefusedName",
    "RunEnded",
    "RunStarted",
    "Status",
    "SubcallEnded",
    "SubcallStarted",
    "Usage",
    "event_from_json",
    "event_to_json",
]

Status = Literal["running", "answered", "limit", "interrupted", "failed"]
"""How a run or a candidate stands; `limit` means it stopped before it had a final answer."""

Outcome = Literal["ok", "error", "timeout", "killed", "died", "interrupted"]
"""How a cell ended. After anything but `ok` and `error` the branch was rolled back to before the cell."""


class Message(TypedDict):
    """One chat message as it was sent: `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


class CellError(TypedDict):
    """An exception that ended a cell, or the reason why the cell was stopped."""

    type: str
    message: str
    traceback: str


class KeptName(TypedDict):
    """A variable brought back to the notebook; `size` in bytes where it is known cheaply."""

    name: str
    type: str
    preview: str


class RefusedName(TypedDict):
    """A variable that stayed behind, and why."""

    name: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money of some model calls; `cost` is in USD, `None` where it is unknown."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        """Add up; an unknown cost of either side's calls makes the sum unknown."""
        known = [u.cost for u in (self, other) if u.calls]
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            None if not known or None in known else sum(c for c in known if c is not None),
        )


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events; `type` is the event's name in the journal."""

    type: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A question over a context; `started` is UTC in ISO 8601, `branch` is `fork` or `spawn` with its `reason`."""

    type: ClassVar[str] = "run_started"
    run_id: str
    started: str
    question: str
    context: str
    context_type: str
    card: str
    model: str
    sub_model: str
    base_url: str
    offline: bool
    settings: dict[str, Any]
    branch: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CandidateStarted(Event):
    """One trajectory begins; candidates count from 0."""

    type: ClassVar[str] = "candidate_started"
    candidate: int


@dataclass(frozen=True, slots=True)
class ModelCalled(Event):
    """The root model is asked; `messages` are only those it had not been sent before. Iterations count from 1."""

    type: ClassVar[str] = "model_called"
    candidate: int
    iteration: int
    messages: list[Message]


@dataclass(frozen=True, slots=True)
class ModelReplied(Event):
    """The root model's turn, with its reasoning kept apart where the server sends it."""

    type: ClassVar[str] = "model_replied"
    candidate: int
    iteration: int
    text: str
    reasoning: str
    finish_reason: str
    usage: Usage
    seconds: float


@dataclass(frozen=True, slots=True)
class CellStarted(Event):
    """A cell of the turn starts on the branch; cells of an iteration count from 1."""

    type: ClassVar[str] = "cell_started"
    candidate: int
    iteration: int
    cell: int
    code: str


@dataclass(frozen=True, slots=True)
class SubcallStarted(Event):
    """The running cell asks the sub model, or a child (`rlm_query`); `batch` groups one `llm_query_batched`."""

    type: ClassVar[str] = "subcall_started"
    candidate: int
    subcall: int
    batch: int | None
    model: str
    prompt: str
    kind: str = "llm_query"


@dataclass(frozen=True, slots=True)
class ChildEvent(Event):
    """Something that happened in the child trajectory of an `rlm_query`: its own event, as JSON."""

    type: ClassVar[str] = "child_event"
    candidate: int
    subcall: int
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SubcallEnded(Event):
    """The sub model's reply, or `error` in words when there is none."""

    type: ClassVar[str] = "subcall_ended"
    candidate: int
    subcall: int
    text: str
    error: str
    usage: Usage
    seconds: float


@dataclass(frozen=True, slots=True)
class CellEnded(Event):
    """What the cell left: streams, rich displays as MIME bundles, the names rolled back, and what it changed.

    `diff` holds lists `added`, `rebound`, `changed` (in place) and `removed` of `VariableChange`; see
    `branches.changes`.
    """

    type: ClassVar[str] = "cell_ended"
    candidate: int
    iteration: int
    cell: int
    outcome: Outcome
    stdout: str
    stderr: str
    displays: list[dict[str, Any]]
    error: CellError | None
    seconds: float
    rolled_back: list[str] = field(default_factory=list)
    diff: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnswerGiven(Event):
    """An answer, or if not `final` a draft. `value` holds it where JSON can (`exact`), else there is only `text`."""

    type: ClassVar[str] = "answer_given"
    candidate: int
    iteration: int
    text: str
    value_type: str
    value: Any
    exact: bool
    via: str
    final: bool


@dataclass(frozen=True, slots=True)
class CandidateEnded(Event):
    """A trajectory is over; `stop_reason` says in words what ended it."""

    type: ClassVar[str] = "candidate_ended"
    candidate: int
    status: Status
    stop_reason: str


@dataclass(frozen=True, slots=True)
class Kept(Event):
    """Variables brought back to the notebook, and those that could not be."""

    type: ClassVar[str] = "kept"
    kept: list[KeptName]
    refused: list[RefusedName]


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """The run is over; `winner` is the candidate whose answer it is, `why` the rule that decided."""

    type: ClassVar[str] = "run_ended"
    status: Status
    stop_reason: str
    winner: int | None
    why: str
    seconds: float


_TYPES: dict[str, type[Event]] = {cls.type: cls for cls in Event.__subclasses__()}


def event_to_json(event: Event) -> dict[str, Any]:
    """Return the event as a JSON-ready dict with its `type`."""
    return {"type": event.type, **dataclasses.asdict(event)}


def event_from_json(record: dict[str, Any]) -> Event | None:
    """Rebuild an event; `None` for a type this version does not know, so that newer journals still load."""
    cls = _TYPES.get(record["type"])
    if cls is None:
        return None
    known = {f.name: record[f.name] for f in dataclasses.fields(cls) if f.name in record}
    if isinstance(known.get("usage"), dict):
        known["usage"] = Usage(**known["usage"])
    return cls(**known)
