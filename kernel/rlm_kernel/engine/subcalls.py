"""Sub-calls: what code in a cell asks the sub model, a child, the budget or a tool, answered here, outside the branch.

    llm_query   guards → asked once per different question → engineer's note → leaf, or map and reduce over a long text
    rlm_query   guards → verifier → child trajectory
    budget      what is left
    tool        the caller's function, where it could not be sent into the session

The branch only carries JSON back and forth. The key, the connections and the limits stay in the notebook's process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import SubcallError
from ..models.windows import piece_size, tokens
from ..trajectory.events import Event
from .children import Children, Descend
from .engineer import with_note
from .leaves import Leaves, Query, Reply
from .log import Log
from .mapreduce import MapReduce
from .toolcalls import run_tool

if TYPE_CHECKING:
    from .tree import Tree

__all__ = ["Subcalls"]

_SHARE = 0.85
"""Of the window, for a prompt; the rest is for the reply and for what the estimate of tokens is wrong by."""

_RECENT = 8


@dataclass(frozen=True, slots=True)
class _Item:
    """One question of a call: a prompt, the text it is about where that came apart from it, and images."""

    prompt: str
    context: str | None
    images: tuple[str, ...]


class Subcalls:
    """Serves the sub-calls of one trajectory.

    Args:
        tree: the run's shared side.
        candidate: whose trajectory it is.
        depth: of that trajectory, 0 for the root.
        emit: records events.
        question: what the trajectory has to answer.
        descend: runs children.
        card: the description of the trajectory's own context, to know a child that gets all of it again.

    """

    def __init__(
        self,
        tree: Tree,
        *,
        candidate: int,
        depth: int,
        emit: Callable[[Event], None],
        question: str,
        descend: Descend,
        card: str = "",
    ) -> None:
        self._tree = tree
        self._depth = depth
        self._log = Log(candidate, depth, emit)
        self._leaves = Leaves(tree, self._log)
        self._mapreduce = MapReduce(tree, self._log, self._leaves)
        self._children = Children(tree, self._log, self._leaves, depth, question, card, descend)
        self._turns_left: int | None = None
        self._told: deque[str] = deque(maxlen=_RECENT)
        self._batches = 0

    @property
    def told(self) -> tuple[str, ...]:
        """The latest texts that cells got in the place of replies, by which an answer that repeats one is known."""
        return tuple(self._told)

    @property
    def made(self) -> int:
        """How many sub-calls were made so far."""
        return self._log.made

    def turn(self, iteration: int, left: int) -> None:
        """Note which turn is under way and how many follow, for the events and for `budget()`."""
        self._log.iteration = iteration
        self._turns_left = left

    async def serve(self, name: str, arguments: dict[str, Any]) -> Any:
        """Answer a call from a cell.

        `llm_query` gets for each prompt, in order, a reply (see `leaves`), `rlm_query` gets one; `budget` gets a dict,
        `tool` the function's result.

        Raises:
            SubcallError: the tool failed, or the cell asked for something that does not exist.

        """
        match name:
            case "llm_query":
                return self._noted(await self._queries(**arguments))
            case "rlm_query":
                return self._noted([await self._children.ask(**arguments)])[0]
            case "budget":
                return self._tree.budget.remaining(self._turns_left)
            case "tool":
                return await run_tool(self._tree.hooks, self._depth, **arguments)
        raise SubcallError(f"there is no call named {name!r}")

    def _noted(self, replies: list[Reply]) -> list[Reply]:
        self._told.extend(dict.fromkeys(reply["error"] for reply in replies if "error" in reply))
        return replies

    # ----- completions ---------------------------------------------------------------------------------------

    async def _queries(
        self,
        *,
        prompts: list[str],
        model: str | None = None,
        max_tokens: int | None = None,
        batched: bool = False,
        contexts: list[str] | None = None,
        reduce: str | None = None,
        schema: dict[str, Any] | None = None,
        images: list[list[str]] | None = None,
    ) -> list[Reply]:
        """Answer a batch; equal questions in it are asked once."""
        self._batches += batched
        batch = self._batches if batched else None
        if model is not None and (told := self._tree.client.references.allowed_for_cells(model)):
            return [{"error": told, "kind": "failed"} for _ in prompts]
        model = model or self._tree.endpoint.sub_model
        items = [
            _Item(prompt, contexts[at] if contexts else None, tuple(images[at]) if images else ())
            for at, prompt in enumerate(prompts)
        ]
        different = list(dict.fromkeys(items))
        queries = [Query(item.prompt, model, max_tokens, schema, item.images, batch=batch) for item in different]
        replies = await asyncio.gather(
            *(self._one(query, item.context, reduce) for query, item in zip(queries, different, strict=True))
        )
        answered = dict(zip(different, replies, strict=True))
        return [answered[item] for item in items]

    async def _one(self, query: Query, context: str | None, reduce: str | None) -> Reply:
        if context is not None:
            return self._self_delegated(context) or await self._mapreduce.answer(query, context, reduce)
        refusal = self._oversize(query) or self._leaves.refusal()
        if refusal is not None:
            return refusal
        noted = await with_note(self._tree, self._log, query.prompt)
        return await self._leaves.ask(replace(query, prompt=noted))

    def _self_delegated(self, context: str) -> Reply | None:
        """Refuse a question over the whole of the root's context where there are tools to get at what matters."""
        tree = self._tree
        if not tree.settings.reject_self_delegation or not tree.hooks.tools or context != tree.context_text:
            return None
        told = (
            "This sub-call is about the whole context. Find the parts that matter with code and with the tools "
            f"({', '.join(tree.hooks.tools)}) first, and give only those as context=."
        )
        self._log.guard("reject_self_delegation", "a sub-call over the whole context was refused")
        return {"error": told, "kind": "vetoed"}

    def _oversize(self, query: Query) -> Reply | None:
        window, size = self._tree.sub_window, tokens(query.prompt, query.model)
        if size <= _SHARE * window:
            return None
        told = (
            f"The prompt has {len(query.prompt):,} characters, about {size:,} tokens; the sub model takes {window:,}. "
            f"It was not sent. Give the text as llm_query(question, context=text), which reads it in parts, or cut it "
            f"into pieces of {piece_size(window):,} characters yourself."
        )
        self._log.guard("window", f"a prompt of about {size:,} tokens was not sent")
        return {"error": told, "kind": "oversize"}
