"""One call of the sub model: admitted by the run's budget, within its time, paid for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..errors import LimitReached
from ..models.windows import tokens

if TYPE_CHECKING:
    from ..models.client import Completion
    from ..models.where import Where
    from ..trajectory.records import Message
    from .tree import Tree

__all__ = ["admitted", "complete"]


@asynccontextmanager
async def admitted(tree: Tree, prompt: str, model: str) -> AsyncIterator[None]:
    """Wait until a call with this prompt may be made, and hold its place while it is made.

    Raises:
        LimitReached: time, tokens or money of the run are used up.

    """
    async with tree.budget.call(tokens(prompt, model)):
        yield


async def complete(
    tree: Tree,
    messages: Sequence[Message],
    model: str,
    *,
    where: Where,
    max_tokens: int,
    schema: dict[str, Any] | None = None,
    images: Sequence[str] = (),
) -> Completion:
    """Return the model's reply to the call at `where`, and charge for it. `images` are data URLs for the last message.

    Raises:
        LimitReached: the time of the run was over before there was a reply.
        ModelError: there will be none, or none within `subcall_timeout`.

    """
    try:
        async with asyncio.timeout(tree.budget.seconds_left()):
            done = await tree.client.complete(
                messages,
                model,
                where=where,
                max_tokens=max_tokens,
                timeout=tree.settings.subcall_timeout,
                schema=schema,
                images=images,
            )
    except TimeoutError as error:
        spent = tree.budget.spent()
        raise LimitReached(spent.sentence if spent else "the time of the run is over") from error
    tree.budget.charge(done.usage)
    return done
