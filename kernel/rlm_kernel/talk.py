"""Questions that follow each other: what a later question can still see of the earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .trajectory.records import Message

__all__ = ["Contexts", "Talk"]


class Contexts(dict[str, Any]):
    """Several values that one question is about, by name: `context=Contexts(flights=df, notes=docs)`.

    In the session they are `context_0`, `context_1` and so on, in order, and `context` is the first.
    """


@dataclass(frozen=True)
class Talk:
    """The questions so far.

    Attributes:
        contexts: all their contexts, in order.
        names: the user's expressions for them.
        histories: the messages of each question.

    """

    contexts: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    histories: tuple[list[Message], ...] = ()

    def then(self, contexts: Sequence[Any], names: Sequence[str], history: list[Message]) -> Talk:
        """Return the talk with one more question in it."""
        return Talk((*self.contexts, *contexts), (*self.names, *names), (*self.histories, history))
