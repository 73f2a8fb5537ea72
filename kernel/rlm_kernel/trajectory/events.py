"""Everything that can happen in a run, as plain records.

A run is a sequence of these events and nothing else: the journal stores them, a `Run` is a fold of them, the viewer
draws that fold. Each event knows its candidate; what it does not say again (the question, earlier messages) an earlier
event said. Fields hold JSON types only, so an event survives a round trip through the journal unchanged.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .records import CellError, KeptName, Message, Outcome, RefusedName, Status, Usage

__all__ = [
    "AnswerGiven",
    "CandidateEnded",
    "CandidateStarted",
    "CellEnded",
    "CellStarted",
    "ChildEvent",
    "Consulted",
    "Event",
    "GuardActed",
    "Kept",
    "ModelCalled",
    "ModelReplied",
    "RunEnded",
    "RunStarted",
    "SubcallEnded",
    "SubcallStarted",
    "event_from_json",
    "event_to_json",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events; `type` is the event's name in the journal."""

    type: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A question over a context; `started` is UTC in ISO 8601, `branch` is `fork` or `spawn` with its `reason`.

    `method` is `rlm`, or `direct` for one call with the context in it; `route` says why in words.
    """

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
    method: str = "rlm"
    route: str = ""


@dataclass(frozen=True, slots=True)
class CandidateStarted(Event):
    """One trajectory begins; candidates count from 0."""

    type: ClassVar[str] = "candidate_started"
    candidate: int


@dataclass(frozen=True, slots=True)
class ModelCalled(Event):
    """The root model is asked; `messages` are only those it had not been sent before. Iterations count from 1.

    `kept` is how many of the earlier messages it is sent again, before these; `None` for all of them.
    """

    type: ClassVar[str] = "model_called"
    candidate: int
    iteration: int
    messages: list[Message]
    kept: int | None = None


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
    """The running cell asks the sub model, or a child; `batch` groups what was asked together.

    `kind` is `llm_query`, `rlm_query`, or `map` and `reduce` for the parts of a query over a long text.
    """

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
class Consulted(Event):
    """The engine itself asked a model: `role` is `compaction`, `verifier`, `engineer`, `direct` or `final`."""

    type: ClassVar[str] = "consulted"
    candidate: int
    iteration: int
    role: str
    model: str
    prompt: str
    text: str
    error: str
    usage: Usage
    seconds: float


@dataclass(frozen=True, slots=True)
class GuardActed(Event):
    """A guard or a repair did something: its name as the setting is called, and what it did in words."""

    type: ClassVar[str] = "guard_acted"
    candidate: int
    iteration: int
    guard: str
    detail: str


@dataclass(frozen=True, slots=True)
class AnswerGiven(Event):
    """An answer, or if not `final` a draft. `value` holds it where JSON can (`exact`), else there is only `text`.

    An answer that was sent back is not final. `verified` is true if a verifier accepted it, false if one did not and
    there were no more retries, `None` if none was asked.
    """

    type: ClassVar[str] = "answer_given"
    candidate: int
    iteration: int
    text: str
    value_type: str
    value: Any
    exact: bool
    via: str
    final: bool
    verified: bool | None = None


@dataclass(frozen=True, slots=True)
class CandidateEnded(Event):
    """A trajectory is over; `stop_reason` says in words what ended it, `limit` names the limit if it was one."""

    type: ClassVar[str] = "candidate_ended"
    candidate: int
    status: Status
    stop_reason: str
    limit: str = ""


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
    limit: str = ""


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
