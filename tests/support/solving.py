"""Questions solved through the front door, against a scripted model on loopback, outside any notebook."""

from __future__ import annotations

from typing import Any

from rlm_kernel import RLM, Run
from support.openai_server import ScriptedModel

__all__ = ["cell", "said", "solve_with"]


def cell(code: str) -> str:
    """Return a reply that makes a cell run."""
    return f"```repl\n{code}\n```"


def solve_with(
    server: ScriptedModel,
    context: Any = "some context",
    question: str = "What?",
    *,
    namespace: dict[str, Any] | None = None,
    **options: Any,
) -> Run:
    """Solve a question with the model that `server` plays."""
    options = {"model": "scripted", "base_url": server.base_url, "window": 100_000, **options}
    return RLM(namespace={} if namespace is None else namespace, **options).solve(question, context)


def said(server: ScriptedModel, turn: int) -> str:
    """Return the last message of the root model's request number `turn` (from 1)."""
    text: str = server.root_requests[turn - 1]["messages"][-1]["content"]
    return text
