"""A solver that only writes down what it is asked, for tests of what stands around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlm_kernel.trajectory import events as ev
from rlm_kernel.trajectory.run import Run

__all__ = ["FakeSolver"]

_EVENTS = (
    ev.CandidateStarted(0),
    ev.ModelCalled(0, 1, []),
    ev.AnswerGiven(0, 1, "42", "int", 42, True, "answer", True),
    ev.RunEnded("answered", "answered in turn 1", 0, "", 0.1),
)


class FakeSolver:
    """Stands in for `rlm_kernel.solver.solve`.

    Attributes:
        calls: the arguments of every call, `question` among them.
        run: what each call returns, a run whose answer is 42.
        behave: called with the arguments before that; may raise.

    """

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.run = Run.fold(_EVENTS)
        self.behave: Callable[[dict[str, Any]], object] = lambda call: None

    def __call__(self, question: str, **keywords: Any) -> Run:
        self.calls.append({"question": question, **keywords})
        self.behave(self.calls[-1])
        return self.run
