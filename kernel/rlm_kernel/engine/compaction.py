"""Compaction: near the served window the conversation is replaced by the model's own summary of it.

Variables stay as they are, and `history` in the session keeps every message, so nothing is lost that code cannot reach.
When to do it is decided by what the server counted for the last request, not by an estimate.
"""

from __future__ import annotations

from collections.abc import Callable

from ..trajectory.events import Event
from ..trajectory.records import Message, Usage
from .consult import consult
from .conversation import Conversation
from .tree import Tree

__all__ = ["alternating", "is_due", "sum_up"]

_ASK = """\
The conversation is about to be shortened. Sum up, in at most 500 words, what you need to go on:
- what you have found out so far, with exact numbers, names and quotations;
- which variables hold what, by name;
- what did not work, and what is still to do.
Write prose only, no code. Variables stay as they are."""

_CONTINUE = (
    "The earlier turns are gone from this conversation, but all your variables are still there, and the list `history` "
    "has every earlier message. Do not repeat work that is done; go on from the summary."
)

_SUMMARY = 2_000
"""Tokens of a summary at most."""

_LEAST_GAIN = 6
"""Messages that there must be for a summary to be worth its own call."""


def is_due(last: Usage, window: int, share: float, messages: int) -> bool:
    """Tell whether the next request would come too near the window.

    Args:
        last: the last request, as the server counted it.
        window: tokens the server takes.
        share: of the window, at which to compact; 0 for never.
        messages: how many the conversation has.

    """
    used = last.prompt_tokens + last.completion_tokens
    return share > 0 and messages >= _LEAST_GAIN and used >= share * window


async def sum_up(
    tree: Tree,
    conversation: Conversation,
    *,
    model: str,
    emit: Callable[[Event], None],
    candidate: int,
    iteration: int,
    reminder: str,
) -> bool:
    """Replace the conversation after its opening by the model's summary; false if there came none.

    Args:
        tree: the run's shared side.
        conversation: is changed.
        model: whose conversation it is.
        emit: records events.
        candidate: for whom.
        iteration: in which turn.
        reminder: the question, with how many turns are left.

    """
    request = [*conversation.messages, Message(role="user", content=_ASK)]
    summary = await consult(
        tree,
        alternating(request),
        role="compaction",
        model=model,
        emit=emit,
        candidate=candidate,
        iteration=iteration,
        max_tokens=_SUMMARY,
    )
    if not summary.strip():
        return False
    conversation.compact(summary.replace("```", "'''").strip(), f"{_CONTINUE}\n\n{reminder}")
    return True


def alternating(messages: list[Message]) -> list[Message]:
    """Join the last two messages if both are the user's: some servers insist on turns."""
    if len(messages) < 2 or messages[-2]["role"] != messages[-1]["role"]:
        return messages
    *before, last, asked = messages
    return [*before, Message(role=asked["role"], content=f"{last['content']}\n\n{asked['content']}")]
