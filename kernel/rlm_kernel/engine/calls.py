"""One call of the sub model: admitted by the run's slots and budget, within its time, paid for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..errors import LimitReached, ModelUnreachable
from ..models.windows import tokens

if TYPE_CHECKING:
    from ..models.client import Completion
    from ..trajectory.records import Message
    from .tree import Tree

__all__ = ["admitted", "complete"]


@asynccontextmanager
async def admitted(tree: Tree, prompt: str, model: str) -> AsyncIterator[None]:
    """Wait until a call with this prompt may be made, and hold its place while it is made.

    Raises:
        LimitReached: time, tokens or money of the run are used up.

    """
    async with tree.slots, tree.budget.call(tokens(prompt, model)):
        yield


async def complete(
    tree: Tree,
    messages: Sequence[Message],
    model: str,
    *,
    max_tokens: int,
    schema: dict[str, Any] | None = None,
    images: Sequence[str] = (),
) -> Completion:
    """Return the model's reply, and charge for it. `images` are data URLs for the last message.

    Raises:
        LimitReached: the time of the run was over before there was a reply.
        ModelError: there will be none, or none within `subcall_timeout`.

    """
    settings, left = tree.settings, tree.budget.seconds_left()
    limit = settings.subcall_timeout if left is None else min(settings.subcall_timeout, left)
    try:
        async with asyncio.timeout(limit):
            done = await tree.client.complete(
                messages, model, max_tokens=max_tokens, temperature=settings.temperature, schema=schema, images=images
            )
    except TimeoutError as error:
        if (spent := tree.budget.spent()) is not None:
            raise LimitReached(spent.sentence) from error
        raise ModelUnreachable(f"no reply within {limit:g} s", "raise subcall_timeout, or ask for less") from error
    tree.budget.charge(done.usage)
    return done
