"""A `Run`: one question over one context, folded from its events.

The fold is pure: the same events give an equal `Run`, whether they arrive live or from a journal. Only one thing is
not in the events: the answer *object* itself when JSON cannot hold it; it lives in `Run.answer` of the session that
computed it, and a run loaded from its journal has its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ..errors import BranchError
from .accounts import usage_by
from .dialects import Dialects
from .events import Event
from .records import KeptName, RefusedName, Status, Usage
from .steps import Candidate, Iteration, SubCall

if TYPE_CHECKING:
    from ..branches.changes import NamespaceDiff
    from ..talk import Talk

__all__ = ["Run", "TimeTravel"]


class TimeTravel(Protocol):
    """Where the states of a run can be visited."""

    def at(self, iteration: int, candidate: int) -> Any:
        """Return the state after an iteration of a candidate."""


@dataclass
class Run(Dialects):
    """One question over one context, from the call to the answer.

    Attributes:
        id: names the run and its folder, for example `20260102-030405-a1b2c3`.
        started: UTC, ISO 8601.
        context: the expression the user gave, as typed.
        card: the bounded description the model was shown instead of the value.
        offline: true when the rule-based solver answered, not a language model.
        branch: how the cells were kept apart from the notebook (`fork`), and `branch_reason` why so.
        status: `answered`, `limit`, `interrupted` or `failed`; `running` until then.
        stop_reason: what ended the run, in words; `limit` names the limit if it was one, such as `max_tokens`.
        method: `rlm`, or `direct` for one call with the context in it; `route` says why in words.
        winner: index of the candidate whose answer this is; `why` states the rule that chose it.
        seconds: wall time.
        kept: variables brought back to the notebook; `refused` names those that could not be, with the reason.

    """

    id: str = ""
    started: str = ""
    question: str = ""
    context: str = ""
    context_type: str = ""
    card: str = ""
    model: str = ""
    sub_model: str = ""
    base_url: str = ""
    offline: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    branch: str = ""
    branch_reason: str = ""
    method: str = "rlm"
    route: str = ""
    status: Status = "running"
    stop_reason: str = ""
    limit: str = ""
    candidates: list[Candidate] = field(default_factory=list)
    winner: int | None = None
    why: str = ""
    seconds: float = 0.0
    kept: list[KeptName] = field(default_factory=list)
    refused: list[RefusedName] = field(default_factory=list)
    answer_object: tuple[Any] | None = field(default=None, compare=False, repr=False)
    journal_path: str = field(default="", compare=False)
    moments: TimeTravel | None = field(default=None, compare=False, repr=False)
    talk: Talk | None = field(default=None, compare=False, repr=False)
    control: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def fold(cls, happened: Iterable[Event]) -> Run:
        """Fold events into a run."""
        run = cls()
        for event in happened:
            run.apply(event)
        return run

    def apply(self, event: Event) -> None:
        """Add one event; events of unknown types change nothing."""
        from .fold import apply  # it builds what is defined here

        apply(event, self)

    @property
    def chosen(self) -> Candidate | None:
        """The winning candidate; while there is none, the first."""
        if self.winner is not None:
            return self.candidates[self.winner]
        return self.candidates[0] if self.candidates else None

    @property
    def answer(self) -> Any:
        """The answer object itself; a draft if no final answer came (see `status`), `None` if nothing did.

        In a run loaded from a journal an object that JSON cannot hold is represented by its text.
        """
        if self.answer_object is not None:
            return self.answer_object[0]
        given = self.chosen.answer if self.chosen else None
        if given is None:
            return None
        return given.value if given.exact else given.text

    @property
    def text(self) -> str:
        """The answer as text, empty if there is none."""
        given = self.chosen.answer if self.chosen else None
        return given.text if given else ""

    @property
    def iterations(self) -> list[Iteration]:
        """Iterations of the winning candidate."""
        return self.chosen.iterations if self.chosen else []

    @property
    def subcalls(self) -> list[SubCall]:
        """Sub-calls of the winning candidate."""
        return self.chosen.subcalls if self.chosen else []

    @property
    def usage(self) -> Usage:
        """Tokens and money of all candidates, winners and losers."""
        return sum((c.usage for c in self.candidates), Usage())

    def usage_by(self, key: Literal["model", "role", "depth"]) -> dict[str | int, Usage]:
        """Return tokens and money of everything, summed up by model, role or depth."""
        return usage_by(self, key)

    def stop(self) -> None:
        """Stop the run, from any thread; it ends with what there is, `interrupted`. Harmless when it is over."""
        if self.control is not None:
            self.control()

    def at(self, iteration: int, candidate: int | None = None) -> Any:
        """Return the session as it was after `iteration` (0: before the first), to look at and try things in.

        The result, a `moments.Moment`, has `vars()`, `eval(expression)`, `run(code)` and `keep(*names)`.

        Args:
            iteration: whose end is meant.
            candidate: by default the winner.

        Raises:
            BranchError: this run has no checkpoints, for example because it was loaded from a journal.

        """
        if self.moments is None:
            raise BranchError("This run has no checkpoints.", "they last as long as the kernel; run the question again")
        return self.moments.at(iteration, (self.winner or 0) if candidate is None else candidate)

    def keep(self, *names: str) -> list[str]:
        """Bind variables of the winner's last state in the notebook; return their names.

        Raises:
            BranchError, KeepError: see `at` and `moments.Moment.keep`.

        """
        kept: list[str] = self.at(len(self.iterations)).keep(*names)
        return kept

    @property
    def diff(self) -> NamespaceDiff:
        """What the winner's cells did together to the session's variables."""
        from ..branches.changes import NamespaceDiff

        reports = [c.diff for i in self.iterations for c in i.cells if c.diff]
        return NamespaceDiff.total(map(NamespaceDiff.from_json, reports))

    def __repr__(self) -> str:
        answer = self.text if len(self.text) <= 200 else f"{self.text[:200]}…"
        return f"<Run {self.id} {self.status}: {answer or self.stop_reason}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Show the run in a notebook through the installed view (entry point group `rlm_kernel.views`)."""
        for view in entry_points(group="rlm_kernel.views", name="notebook"):
            bundle: dict[str, str] = view.load()(self)
            return bundle
        return {"text/plain": repr(self)}
