"""What the model is told after each turn, and what its session gets before the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..branches.result import CellResult, Update
from ..trajectory.events import Event, GuardActed
from . import feedback, prompt
from .conversation import Conversation
from .outputs import Outputs
from .repeats import Repeats
from .reply import Reply
from .tree import Tree

__all__ = ["Teller"]

_WRAP_UP = "Most of the {what} is used up. Stop searching: answer from what you have, and say what you could not find."
_DEFERRED = (
    "You also gave an answer outside the code. It was not taken, because you had not seen the output above. "
    "If it still holds, give it again."
)
_LOOPS = 2
"""Looping replies that were cut off, after which the model is told to wrap up."""


class Teller:
    """Tells the model of one trajectory.

    Args:
        tree: the run's shared side.
        question: is repeated every turn.
        emit: records events.
        candidate: whose trajectory it is.

    Attributes:
        repeats: watches for code that is sent again and again.

    """

    def __init__(self, tree: Tree, question: str, emit: Callable[[Event], None], candidate: int) -> None:
        self._tree = tree
        self._question = question
        self._emit = emit
        self._candidate = candidate
        self._outputs = Outputs(tree.settings.output_limit)
        self._changed = feedback.Changed()
        self._looped = False
        self.repeats = Repeats(tree.settings.max_repeats)

    def reminder(self, left: int) -> str:
        """Return the question, with how many turns are left."""
        return feedback.message([], self._question, turns=left)

    def tell(
        self,
        conversation: Conversation,
        said: str,
        reply: Reply,
        results: Sequence[CellResult],
        refusal: str,
        *,
        iteration: int,
        left: int,
        loops: int,
    ) -> Update:
        """Add a turn to the conversation, and return what the session is to get before the next cell.

        Args:
            conversation: is added to.
            said: the model's reply.
            reply: the same, parsed.
            results: what came of its cells.
            refusal: why its answer was not taken; empty if it gave none.
            iteration: the turn.
            left: turns that are left.
            loops: how many replies so far were cut off for repeating themselves.

        """
        parts = [feedback.told_of(results, self._outputs), _correction(reply, ran=bool(results)), refusal]
        if reply.prose is not None and reply.blocks:
            parts.append(_DEFERRED)
            self._acted(iteration, "look_first", "an answer beside output that was not seen yet was not taken")
        if again := self.repeats.note(reply.blocks, results):
            self._acted(iteration, "max_repeats", again)
        parts += [reply.note, again, self._changed.line(results, iteration), self._wrap_up(iteration, loops)]
        told = feedback.message(parts, self._question, turns=left)
        if results and results[-1].outcome != "ok" and self._tree.settings.clean_retry:
            self._acted(iteration, "clean_retry", "the failing turn was left out of the conversation")
            note = feedback.failure_note(results, again, self._question, turns=left)
            conversation.add_failed(said, told, note)
        else:
            conversation.add(said, told)
        return Update(self._outputs.take(), conversation.take_said(), clear_answer=bool(refusal))

    def _wrap_up(self, iteration: int, loops: int) -> str:
        what = self._tree.budget.soft(self)
        if what is None and loops >= _LOOPS and not self._looped:
            self._looped = True
            what = "patience with replies that repeat themselves"
        if what is None:
            return ""
        self._acted(iteration, "soft_limit", f"told to wrap up: {what}")
        return _WRAP_UP.replace("{what}", what)

    def _acted(self, iteration: int, guard: str, detail: str) -> None:
        self._emit(GuardActed(self._candidate, iteration, guard, detail))


def _correction(reply: Reply, *, ran: bool) -> str:
    """Return what to say about a reply of which nothing, or not all, ran."""
    if reply.cut:
        return prompt.cut()
    if reply.unclosed:
        return prompt.unclosed()
    if ran:
        return ""
    if reply.foreign:
        return prompt.foreign(reply.foreign)
    return prompt.no_code(reply.bare)
