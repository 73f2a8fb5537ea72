"""What one trajectory has to do."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings import Settings

__all__ = ["Task"]


@dataclass(frozen=True, slots=True)
class Task:
    """A question and what is known of its context.

    Attributes:
        question: as it was asked.
        cards: the descriptions of the contexts.
        earlier: how many questions of the same conversation came before.
        max_iterations: turns; `None` for what the settings say.

    """

    question: str
    cards: str
    earlier: int = 0
    max_iterations: int | None = None

    def turns(self, settings: Settings, depth: int) -> int:
        """Return how many turns there are for it at this depth."""
        own = settings.max_iterations if depth == 0 else settings.child_max_iterations or settings.max_iterations
        return self.max_iterations or own
