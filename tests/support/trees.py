"""A run's shared side without a run: a tree whose sub-calls go to a scripted model on loopback.

grown = grow(lambda g: g.ask("one", "two"), sub=str.upper, max_subcalls=1)
assert grown.result[0] == {"text": "ONE"}
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from rlm_kernel.branches.branch import Branch
from rlm_kernel.engine.budget import Budget
from rlm_kernel.engine.hooks import Hooks
from rlm_kernel.engine.subcalls import Subcalls
from rlm_kernel.engine.tree import Tree
from rlm_kernel.models.endpoint import endpoint_for
from rlm_kernel.models.models import Models
from rlm_kernel.settings import resolve
from rlm_kernel.trajectory.events import Event
from rlm_kernel.trajectory.redact import Redactor
from support.openai_server import Answer, ScriptedModel

__all__ = ["Grown", "grow", "no_child"]

Told = TypeVar("Told", bound=Event)


async def no_child(*_: Any) -> dict[str, Any]:
    """Stand for a child that answers at once."""
    return {"text": "CHILD", "value": "CHILD", "exact": True}


@dataclass
class Grown:
    """A tree, the sub-calls of its root, and what became of them.

    Attributes:
        tree: the run's shared side.
        server: plays the models.
        subcalls: of the root.
        events: what was recorded.
        result: what the steps returned.

    """

    tree: Tree
    server: ScriptedModel
    subcalls: Subcalls
    events: list[Event] = field(default_factory=list)
    result: Any = None

    async def ask(self, *prompts: str, **more: Any) -> list[dict[str, Any]]:
        """Ask the sub model, as a batch if there is more than one prompt."""
        arguments = {"prompts": list(prompts), "model": None, "batched": len(prompts) > 1, **more}
        return cast("list[dict[str, Any]]", await self.subcalls.serve("llm_query", arguments))

    async def ask_child(self, prompt: str, card: str = "", **more: Any) -> dict[str, Any]:
        """Ask a child; its branch is never touched."""
        arguments = {"prompt": prompt, "card": card, "branch": cast("Branch", None), **more}
        return cast("dict[str, Any]", await self.subcalls.serve("rlm_query", arguments))

    def of(self, kind: type[Told]) -> list[Told]:
        """Return the events of one type."""
        return [event for event in self.events if isinstance(event, kind)]


def grow(
    steps: Callable[[Grown], Awaitable[Any]],
    *,
    sub: Callable[[str], Answer] = lambda prompt: prompt,
    respond: Callable[[dict[str, Any]], Answer] | None = None,
    hooks: Hooks | None = None,
    context_text: str | None = None,
    question: str = "What?",
    card: str = "",
    depth: int = 0,
    descend: Callable[..., Awaitable[dict[str, Any]]] = no_child,
    environ: dict[str, str] | None = None,
    window: int = 100_000,
    **options: Any,
) -> Grown:
    """Take steps with a tree and return it afterwards; `options` are settings, the rest goes to where it is named."""

    async def run() -> Grown:
        with ScriptedModel(sub=sub, respond=respond) as server:
            settings = resolve({"model": "root", "sub_model": "small", "base_url": server.base_url, **options}, {})
            endpoint = endpoint_for(settings, {})
            client = Models(settings, endpoint, redactor=Redactor({}), environ={})
            tree = Tree(
                settings=settings,
                endpoint=endpoint,
                client=client,
                budget=Budget(settings),
                redactor=Redactor(environ or {}),
                window=window,
                sub_window=window,
                hooks=hooks or Hooks(),
                context_text=context_text,
            )
            events: list[Event] = []
            subcalls = Subcalls(
                tree, candidate=0, depth=depth, emit=events.append, question=question, descend=descend, card=card
            )
            grown = Grown(tree, server, subcalls, events)
            try:
                async with asyncio.timeout(60):
                    grown.result = await steps(grown)
            finally:
                await client.close()
        return grown

    return asyncio.run(run())
