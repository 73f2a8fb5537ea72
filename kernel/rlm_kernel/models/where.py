"""From where in a run a model is asked: what scheduling, recording and accounts need to know of a call."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Where"]


@dataclass(frozen=True, slots=True)
class Where:
    """The place of a call.

    Attributes:
        role: `root`, `child`, the kind of a sub-call (`llm_query`, `map`, `reduce`), or what the engine itself asks for
            (`compaction`, `final`, `verifier`, `engineer`, `direct`).
        candidate: whose trajectory it is.
        iteration: the turn, from 1; 0 before the first.
        depth: 0 for the root.
        priority: 1 (first) to 5 (last).
        deadline: on the event loop's clock, in seconds, when the reply is of no use any more; `None` for never.

    """

    role: str = "root"
    candidate: int = 0
    iteration: int = 0
    depth: int = 0
    priority: int = 3
    deadline: float | None = None
