"""What root, children, leaves and candidates of one run share: settings, endpoint, budget, guards.

There is one object and it is handed down whole, so a limit or a guard cannot be forgotten on the way.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .hooks import Hooks
from .memo import Memo

if TYPE_CHECKING:
    from ..models.client import ModelClient
    from ..models.endpoint import Endpoint
    from ..settings import Settings
    from ..trajectory.redact import Redactor
    from .budget import Budget

__all__ = ["Tree"]


@dataclass
class Tree:
    """One run's shared side.

    Attributes:
        settings: all settings.
        endpoint: the server and the models asked there.
        client: asks them.
        budget: what may still be spent, over everything.
        redactor: masks secrets in whatever is sent.
        window: tokens that the server takes in one request.
        hooks: the caller's own Python.
        context_text: the root's context where it is one text, for guards that compare with it.
        slots: sub-calls in flight.
        mapped: what the map step made of parts of long texts.
        verifier: who vetoes sub-calls, made by the first that needs it.

    """

    settings: Settings
    endpoint: Endpoint
    client: ModelClient
    budget: Budget
    redactor: Redactor
    window: int
    hooks: Hooks = field(default_factory=Hooks)
    context_text: str | None = None
    slots: asyncio.Semaphore = field(init=False)
    mapped: Memo = field(default_factory=Memo)
    verifier: Any = None

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.settings.max_concurrency)
