"""A model that plays a whole family: a root, its children and theirs, each by the question it was asked.

with Family({"Parent?": [cell("FINAL(rlm_query('Child?'))")], "Child?": [cell("FINAL(1)")]}) as server:
    run = solve_with(server, question="Parent?")
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlm_kernel import Run
from rlm_kernel.trajectory.steps import GuardNote
from support.openai_server import Answer, ScriptedModel

__all__ = ["Family", "children_of", "guards_of"]


class Family(ScriptedModel):
    """Replies to each question from a script of its own; the last reply of a script is repeated.

    Args:
        scripts: replies by question. A question that is asked by several starts its script again for each of them.
        sub: the reply to a sub-call's prompt.
        before: called with the question before each turn is answered; it may wait.

    """

    def __init__(
        self,
        scripts: Mapping[str, Sequence[Answer]],
        sub: Callable[[str], Answer] = lambda prompt: prompt,
        before: Callable[[str], object] = lambda question: None,
    ) -> None:
        super().__init__(sub=sub)
        self._scripts = scripts
        self._before = before
        self._turns: dict[str, int] = {}
        self._taking = threading.Lock()

    def reply_to(self, body: dict[str, Any]) -> Answer:
        """Return what the script of the question says."""
        messages = body["messages"]
        if messages[0]["role"] != "system":
            return super().reply_to(body)
        question = question_of(body)
        self._before(question)
        with self._taking:
            turn = 0 if len(messages) == 2 else self._turns[question] + 1
            self._turns[question] = turn
        script = self._scripts[question]
        return script[min(turn, len(script) - 1)]

    def asked(self, question: str) -> list[dict[str, Any]]:
        """Return the requests of who was asked this question."""
        return [request for request in self.root_requests if question_of(request) == question]


def question_of(request: Mapping[str, Any]) -> str:
    """Return the first line of the question that a root model or a child was asked."""
    opening: str = request["messages"][1]["content"]
    return opening.removeprefix("# Question\n").partition("\n")[0]


def children_of(run: Run) -> list[Run]:
    """Return the runs of all children, and of theirs, in order."""
    own = [call.child for call in run.subcalls if call.child is not None]
    return [one for child in own for one in (child, *children_of(child))]


def guards_of(run: Run) -> list[str]:
    """Return the names of the guards that acted in a run itself, in order."""
    notes: list[GuardNote] = [note for turn in run.iterations for note in turn.guards]
    return [note.guard for note in notes]
