"""Whether a final answer counts: the guards, the type, the caller's check, the verifier model.

An answer that is refused goes back to the model with the reason. Conditions on the way to it (look first, ask
somebody) may be missed any number of times; what is wrong with the answer itself is sent back `max_answer_retries`
times, and then the run ends at that limit with the answer marked as not verified. A refused answer never passes for an
accepted one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..branches.result import CellResult, GivenAnswer
from ..trajectory.events import Consulted, Event, GuardActed
from .budget import Limit
from .guards import AnswerFacts, judge
from .profiles import PROFILES
from .reviewer import AnswerVerifier
from .tree import Tree

__all__ = ["Judge", "Verdict"]

_RECENT = 20
"""Refusals that an answer is compared with."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an answer; `feedback` is empty if it counts, `limit` is set if there are no more retries."""

    feedback: str = ""
    verified: bool | None = None
    limit: Limit | None = None


class Judge:
    """Judges the answers of one trajectory.

    Args:
        tree: the run's shared side.
        question: what is to be answered.
        emit: records events.
        candidate: whose answers they are.
        depth: 0 for the root.

    """

    def __init__(self, tree: Tree, question: str, emit: Callable[[Event], None], candidate: int, depth: int) -> None:
        self._tree = tree
        self._question = question
        self._emit = emit
        self._candidate = candidate
        self._sent_back = 0
        self._told: list[str] = []
        profile = PROFILES[tree.settings.profile]
        self._require_subcall = tree.settings.require_subcall or (profile.require_subcall and depth == 0)
        wanted = depth == 0 and (tree.settings.verify_answer or profile.verify)
        self._verifier = AnswerVerifier(tree) if wanted else None

    async def judge(
        self,
        given: GivenAnswer,
        results: Sequence[CellResult],
        iteration: int,
        *,
        cells_ok: int,
        subcalls: int,
        told: Sequence[str] = (),
    ) -> Verdict:
        """Judge a final answer.

        Args:
            given: the answer.
            results: the cells of the turn that gave it.
            iteration: that turn.
            cells_ok: how many cells have run without error so far.
            subcalls: how many sub-calls were made so far.
            told: what cells were told when sub-calls were refused.

        """
        facts = AnswerFacts(
            given.text, given.value_type, given.via, iteration, cells_ok, subcalls, (*self._told[-_RECENT:], *told)
        )
        refusal = judge(facts, self._tree.settings, require_subcall=self._require_subcall)
        if refusal is not None:
            self._emit(GuardActed(self._candidate, iteration, refusal.guard, refusal.feedback))
            self._told.append(refusal.feedback)
            return self._send_back(refusal.feedback) if refusal.counts else Verdict(refusal.feedback)
        if given.problem:
            guard = "answer_type" if self._tree.settings.answer_type is not None else "answer_check"
            self._emit(GuardActed(self._candidate, iteration, guard, given.problem))
            return self._send_back(given.problem)
        checked = self._tree.hooks.answer_check is not None
        if self._verifier is None:
            return Verdict(verified=True if checked else None)
        return await self._verify(self._verifier, given, results, iteration)

    async def _verify(
        self, verifier: AnswerVerifier, given: GivenAnswer, results: Sequence[CellResult], iteration: int
    ) -> Verdict:
        shown = "\n".join(result.stdout + result.value_text for result in results)
        review = await verifier.review(self._question, given.text, shown)
        self._emit(
            Consulted(
                self._candidate,
                iteration,
                "verifier",
                review.model,
                review.prompt,
                review.text,
                review.error,
                review.usage,
                review.seconds,
            )
        )
        if review.error:
            self._emit(GuardActed(self._candidate, iteration, "verify_answer", f"no verdict: {review.error}"))
            return Verdict()
        if review.accepted:
            return Verdict(verified=True)
        self._emit(GuardActed(self._candidate, iteration, "verify_answer", review.feedback))
        return self._send_back(f"A reviewer did not accept your answer: {review.feedback}")

    def _send_back(self, feedback: str) -> Verdict:
        retries = self._tree.settings.max_answer_retries
        self._sent_back += 1
        if self._sent_back <= retries:
            return Verdict(f"{feedback}\nYour answer was not taken; give a better one.")
        sentence = f"the answer was refused {self._sent_back} times: {feedback}"
        return Verdict(feedback, verified=False, limit=Limit("max_answer_retries", retries, self._sent_back, sentence))
