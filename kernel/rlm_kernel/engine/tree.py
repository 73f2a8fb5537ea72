"""What root, children, leaves and candidates of one run share: settings, endpoint, budget, guards.

There is one object and it is handed down whole, so a limit or a guard cannot be forgotten on the way.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..models.where import Where
from .hooks import Hooks
from .memo import Memo

if TYPE_CHECKING:
    from ..models.endpoint import Endpoint
    from ..models.models import Models
    from ..settings import Settings
    from ..trajectory.redact import Redactor
    from .budget import Budget

__all__ = ["Tree"]

_PRIORITIES = {"root": 2, "direct": 2, "final": 2, "compaction": 2, "verifier": 2}
_USUAL = 3
"""1 is first, 5 is last: whole trajectories wait for a turn, but only a cell waits for its sub-calls."""


@dataclass
class Tree:
    """One run's shared side.

    Attributes:
        settings: all settings.
        endpoint: the server and the models asked there.
        client: asks them, in turn, and again if need be.
        budget: what may still be spent, over everything.
        redactor: masks secrets in whatever is sent.
        window: tokens that the root model takes in one request.
        sub_window: tokens that the sub model takes, in sub-calls and as a child.
        hooks: the caller's own Python.
        context_text: the root's context where it is one text, for guards that compare with it.
        mapped: what the map step made of parts of long texts.
        verifier: who vetoes sub-calls, made by the first that needs it.

    """

    settings: Settings
    endpoint: Endpoint
    client: Models
    budget: Budget
    redactor: Redactor
    window: int
    sub_window: int
    hooks: Hooks = field(default_factory=Hooks)
    context_text: str | None = None
    mapped: Memo = field(default_factory=Memo)
    verifier: Any = None

    def where(self, role: str, *, candidate: int, iteration: int, depth: int = 0) -> Where:
        """Return the place of a call; its deadline is the run's."""
        left = self.budget.seconds_left()
        deadline = None if left is None else asyncio.get_running_loop().time() + left
        return Where(role, candidate, iteration, depth, _PRIORITIES.get(role, _USUAL), deadline)
