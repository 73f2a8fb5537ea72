"""Asking the root model for its next turn, within the run's time and the server's window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..errors import LimitReached, ModelOverflow
from ..models.client import Completion
from ..trajectory.events import Event, GuardActed, ModelCalled, ModelReplied
from ..trajectory.records import Message, Usage
from .compaction import is_due, sum_up
from .conversation import Conversation
from .tree import Tree

__all__ = ["Asker"]

_STOPPED = {
    "repeat_guard": "the reply repeated itself and was cut off",
    "reasoning_only": "the reply was empty, and the end of its reasoning taken",
}

_DROPPED = (
    "The turns before this were dropped, because the conversation got too long for the server. Your variables are all "
    "there, and the list `history` has every earlier message."
)


class Asker:
    """Asks for one trajectory.

    Args:
        tree: the run's shared side.
        conversation: what is sent.
        model: who is asked.
        emit: records events.
        candidate: for whom.
        depth: of the trajectory, 0 for the root.

    Attributes:
        loops: how many replies repeated themselves and were cut off.

    """

    def __init__(
        self,
        tree: Tree,
        conversation: Conversation,
        model: str,
        emit: Callable[[Event], None],
        candidate: int,
        depth: int = 0,
    ) -> None:
        self._tree = tree
        self._conversation = conversation
        self._model = model
        self._emit = emit
        self._candidate = candidate
        self._depth = depth
        self._last = Usage()
        self.loops = 0

    async def ask(self, iteration: int, reminder: str) -> Completion | None:
        """Return the model's turn; `None` if the time of the run is over before it comes.

        Args:
            iteration: its number.
            reminder: the question, with how many turns are left, for after a summary.

        Raises:
            ModelError: there will be no reply.

        """
        await self._make_room(iteration, reminder)
        try:
            done = await self._within_limits(iteration)
        except ModelOverflow as error:
            if not self._conversation.drop_middle(_DROPPED):
                raise
            self._emit(GuardActed(self._candidate, iteration, "window", f"earlier turns were dropped: {error.message}"))
            done = await self._within_limits(iteration)
        if done is None:
            return None
        self._last = done.counted
        self._emit(
            ModelReplied(
                self._candidate, iteration, done.text, done.reasoning, done.finish_reason, done.usage, done.seconds
            )
        )
        for guard, detail in (
            (done.stopped, _STOPPED.get(done.stopped, "")),
            *(("model", note) for note in done.notes),
        ):
            if guard:
                self._emit(GuardActed(self._candidate, iteration, guard, detail))
        self.loops += done.stopped == "repeat_guard"
        return done

    async def _within_limits(self, iteration: int) -> Completion | None:
        """Send the conversation and charge for it; `None` if time, tokens or money are used up before the reply."""
        settings, budget, mask = self._tree.settings, self._tree.budget, self._tree.redactor.text
        kept, news = self._conversation.news()
        self._emit(ModelCalled(self._candidate, iteration, news, kept))
        role = "child" if self._depth else "root"
        where = self._tree.where(role, candidate=self._candidate, iteration=iteration, depth=self._depth)
        sent = [Message(role=m["role"], content=mask(m["content"])) for m in self._conversation.messages]
        try:
            async with asyncio.timeout(budget.seconds_left()), budget.call(self._conversation.characters // 4):
                done = await self._tree.client.complete(sent, self._model, where=where, max_tokens=settings.reply_limit)
                budget.charge(done.usage)
                return done
        except (TimeoutError, LimitReached):
            return None

    async def _make_room(self, iteration: int, reminder: str) -> None:
        tree, conversation = self._tree, self._conversation
        window = tree.sub_window if self._depth else tree.window
        if not is_due(self._last, window, tree.settings.compaction, len(conversation.messages)):
            return
        done = await sum_up(
            tree,
            conversation,
            model=self._model,
            emit=self._emit,
            candidate=self._candidate,
            iteration=iteration - 1,
            reminder=reminder,
        )
        if done:
            detail = f"the conversation was summed up at {self._last.prompt_tokens:,} tokens"
            self._emit(GuardActed(self._candidate, iteration - 1, "compaction", detail))
