"""The engine's own questions to a model: a summary, a last word. Each is charged, and is an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ..errors import LimitReached, ModelError
from ..trajectory.events import Consulted, Event
from ..trajectory.records import Message, Usage
from .tree import Tree

__all__ = ["consult"]


async def consult(
    tree: Tree,
    messages: Sequence[Message],
    *,
    role: str,
    model: str,
    emit: Callable[[Event], None],
    candidate: int,
    iteration: int,
    max_tokens: int,
    depth: int = 0,
) -> str:
    """Return the model's reply, empty if there is none.

    Args:
        tree: the run's shared side.
        messages: the whole request; the last is what is asked.
        role: what for, see `Consulted`.
        model: who is asked.
        emit: records events.
        candidate: for whom.
        iteration: in which turn.
        max_tokens: length of the reply.
        depth: of the trajectory, 0 for the root.

    """
    masked = [Message(role=m["role"], content=tree.redactor.text(m["content"])) for m in messages]
    asked, started = masked[-1]["content"], asyncio.get_running_loop().time()
    where = tree.where(role, candidate=candidate, iteration=iteration, depth=depth)
    try:
        async with asyncio.timeout(tree.budget.seconds_left()), tree.budget.call(sum(map(_length, masked)) // 4):
            done = await tree.client.complete(masked, model, where=where, max_tokens=max_tokens)
            tree.budget.charge(done.usage)
    except (TimeoutError, ModelError, LimitReached) as error:
        seconds = asyncio.get_running_loop().time() - started
        reason = "the time of the run was over" if isinstance(error, TimeoutError) else error.message
        emit(Consulted(candidate, iteration, role, model, asked, "", reason, Usage(), seconds))
        return ""
    emit(Consulted(candidate, iteration, role, model, asked, done.text, "", done.usage, done.seconds))
    return done.text


def _length(message: Message) -> int:
    return len(message["content"])
