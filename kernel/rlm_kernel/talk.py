"""Questions that follow each other: what a later question can still see of the earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .trajectory.records import Message

__all__ = ["Contexts", "Talk"]


class Contexts(dict[str, Any]):
    """Several values that one question is about, by name: `context=Contexts(flights=df, notes=docs)`.

    In the session they are `context_0`, `context_1` and so on, in order, and `context` is the first.
    """


@dataclass(frozen=True)
class _Variable:
    """A context that the user has in a variable: only its name is held, so that they can let go of it."""

    name: str

    def value(self, namespace: Mapping[str, Any]) -> Any:
        return namespace.get(self.name, f"(the variable {self.name} is gone)")


@dataclass(frozen=True)
class Talk:
    """The questions so far.

    Attributes:
        contexts: all their contexts, in order: the value, or the variable that holds it.
        names: the user's expressions for them.
        histories: the messages of each question.

    """

    contexts: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    histories: tuple[list[Message], ...] = ()

    def values(self, namespace: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return all contexts; one whose variable is gone is represented by a text that says so."""
        return tuple(held.value(namespace) if isinstance(held, _Variable) else held for held in self.contexts)

    def then(
        self, contexts: Sequence[Any], names: Sequence[str], history: list[Message], namespace: Mapping[str, Any]
    ) -> Talk:
        """Return the talk with one more question in it."""
        variables = {id(value): name for name, value in namespace.items() if not name.startswith("_")}
        held = [_Variable(variables[id(value)]) if id(value) in variables else value for value in contexts]
        return Talk((*self.contexts, *held), (*self.names, *names), (*self.histories, history))
