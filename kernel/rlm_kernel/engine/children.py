"""Children: what `rlm_query` asks, reviewed before it costs anything, then run as a trajectory on its own branch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..branches.branch import Branch
from ..errors import BranchError, LimitReached, ModelError, SubcallError
from ..trajectory.events import ChildEvent, Consulted, Event, event_to_json
from .leaves import Reply, failure
from .verdicts import Proposal
from .verify import make_verifier

if TYPE_CHECKING:
    from .leaves import Leaves
    from .log import Log
    from .tree import Tree

__all__ = ["Children", "Descend"]

Descend = Callable[[str, str, Branch, Callable[[Event], None], int | None], Awaitable[Reply]]
"""Runs a child: (question, card of its context, its branch, where its events go, turns) → `text`, `value`, `exact`."""

_SHAPE = "\n\nThe answer must fit this JSON schema: "


class Children:
    """Asks the children of one trajectory.

    Args:
        tree: the run's shared side.
        log: of the trajectory.
        leaves: knows whether one more sub-call may be made.
        depth: of the trajectory, 0 for the root.
        question: what it has to answer.
        card: the description of its context; empty if that is not known.
        descend: runs a child.

    """

    def __init__(
        self, tree: Tree, log: Log, leaves: Leaves, depth: int, question: str, card: str, descend: Descend
    ) -> None:
        self._tree = tree
        self._log = log
        self._leaves = leaves
        self._depth = depth
        self._question = question
        self._card = card
        self._descend = descend
        self._slots = asyncio.Semaphore(tree.settings.max_children)
        if tree.verifier is None:
            tree.verifier = make_verifier(tree)

    async def ask(
        self,
        *,
        prompt: str,
        card: str,
        branch: Branch,
        schema: dict[str, Any] | None = None,
        max_iterations: int | None = None,
    ) -> Reply:
        """Run a child to its end, if nobody objects.

        Args:
            prompt: its question.
            card: the description of its context.
            branch: its session, not started yet. There the answer is checked against `schema`.
            schema: a JSON schema that the answer must fit.
            max_iterations: turns; `None` for what the settings say.

        """
        async with self._slots:
            refusal = await self._vetoed(prompt, card) or self._leaves.refusal()
            if refusal is not None:
                return refusal
            question = prompt if schema is None else prompt + _SHAPE + json.dumps(schema)
            model = self._tree.endpoint.sub_model
            try:
                with self._log.subcall("rlm_query", model, self._tree.redactor.text(prompt), None) as call:
                    reply = await self._within(self._run(call.number, question, card, branch, max_iterations))
                    call.text = str(reply["text"])
                    return reply
            except (ModelError, BranchError, SubcallError, LimitReached) as error:
                return failure(error)

    async def _run(self, number: int, question: str, card: str, branch: Branch, max_iterations: int | None) -> Reply:
        def emit(event: Event) -> None:
            self._log.emit(ChildEvent(self._log.candidate, number, event_to_json(event)))

        return await self._descend(question, card, branch, emit, max_iterations)

    async def _within(self, child: Awaitable[Reply]) -> Reply:
        """Wait for a child as long as `child_timeout` and the run's own time allow."""
        settings, left = self._tree.settings, self._tree.budget.seconds_left()
        limits = [seconds for seconds in (settings.child_timeout, left) if seconds is not None]
        try:
            async with asyncio.timeout(min(limits, default=None)):
                return await child
        except TimeoutError as error:
            spent = self._tree.budget.spent()
            why = spent.sentence if spent else f"it took longer than child_timeout={settings.child_timeout} s"
            raise LimitReached(f"The child was stopped: {why}. Ask for less, or go on without it.") from error

    async def _vetoed(self, prompt: str, card: str) -> Reply | None:
        """Have the question reviewed; return why it must not be asked."""
        verifier, log = self._tree.verifier, self._log
        if verifier is None:
            return None
        whole = not self._card or not card or card in self._card
        verdict = await verifier.review(Proposal("rlm_query", prompt, self._question, self._depth, card, whole))
        if (seen := verdict.review) is not None:
            facts = (seen.model, seen.prompt, seen.text, seen.error, seen.usage, seen.seconds)
            log.emit(Consulted(log.candidate, log.iteration, "verifier", *facts))
        if verdict.unsure:
            log.guard("verify_subcalls", f"let through without a verdict: {verdict.unsure}")
        if verdict.approved:
            return None
        log.guard("verify_subcalls", verdict.reason)
        return {"error": f"Not asked: {verdict.reason}", "kind": "vetoed"}
