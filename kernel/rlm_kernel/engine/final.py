"""The last word: at a limit, without a draft, the model is asked once for an answer in plain words.

What it says is not an ordinary answer: the run still ends at the limit. It goes through the same session as any other
answer, so it has to be of the wanted type and to pass the caller's check; code is no answer.
"""

from __future__ import annotations

from collections.abc import Callable

from ..branches.result import GivenAnswer
from ..trajectory.events import Event, GuardActed
from ..trajectory.records import Message
from .cells import Cells
from .compaction import alternating
from .consult import consult
from .conversation import Conversation
from .guards import is_code_shaped, strip_echo
from .prose import ProseAnswer, as_cell
from .reply import parse_reply
from .tree import Tree

__all__ = ["FORCE", "answer_in_words"]

FORCE = (
    "That was the last turn: no more code will run. Give your answer now in plain words, from what you have seen; "
    "only the answer, without code. If you do not know it, say so."
)
_TIMEOUT = 10.0


async def answer_in_words(
    tree: Tree,
    conversation: Conversation,
    cells: Cells,
    *,
    model: str,
    emit: Callable[[Event], None],
    candidate: int,
    iteration: int,
) -> GivenAnswer | None:
    """Return the answer that the model gives in words; `None` if it gives none, or one that cannot be accepted."""
    request = [*conversation.messages, Message(role="user", content=FORCE)]
    text = await consult(
        tree,
        alternating(request),
        role="final",
        model=model,
        emit=emit,
        candidate=candidate,
        iteration=iteration,
        max_tokens=tree.settings.reply_limit,
    )
    conversation.end(text, asked=FORCE)
    said = strip_echo(text, FORCE).strip()
    reply = parse_reply(said)
    if not said or reply.blocks or reply.unclosed or (reply.prose is None and is_code_shaped(said)):
        return None
    answer = reply.prose or ProseAnswer("value", said)
    [result] = await cells.run([as_cell(answer)], iteration, lambda: _TIMEOUT)
    given = result.answer
    if given is None or not given.final:
        return None
    if given.problem:
        emit(GuardActed(candidate, iteration, "final_turn", f"the answer in words was refused: {given.problem}"))
        return None
    return given
