"""What a word of the vocabulary can reach beyond its own session, and what comes back when that fails.

The words know nothing of sockets and kernels: they see a `Reach`, which each kind of branch supplies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from .kit import Kit

__all__ = ["Child", "Reach", "SubcallFailure"]


@dataclass(frozen=True)
class Child:
    """A question for a child session, which starts as a copy of this one.

    Attributes:
        prompt: the question.
        kit: what the child starts with; its context is `kit.context`.
        schema: the JSON schema of the answer; `None` for anything.
        max_iterations: turns the child may take; `None` for the setting's.

    """

    prompt: str
    kit: Kit
    schema: dict[str, Any] | None = None
    max_iterations: int | None = None


class SubcallFailure(str):
    """What stands in the place of a reply that did not come: text that says why, and is false in an `if`.

    Attributes:
        kind: `failed`, or why nothing was sent: `limit`, `vetoed` or `oversize`.

    """

    __slots__ = ("kind",)
    kind: str

    def __new__(cls, text: str, kind: str = "failed") -> SubcallFailure:
        """Return the text with its kind."""
        self = super().__new__(cls, text)
        self.kind = kind
        return self

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)  # outside the session it is just that text


class Reach(Protocol):
    """The session as its words see it.

    Attributes:
        kit: what the question brought along.
        namespace: the session's variables.
        notes: remarks for the model about the cell that runs.
        error: what a failed call raises in the cell.

    """

    kit: Kit
    namespace: dict[str, Any]
    notes: list[str]
    error: ClassVar[type[Exception]]

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Ask the notebook's side; both ways it is JSON. Raises `error`."""

    def children(self, tasks: list[Child]) -> list[dict[str, Any]]:
        """Have children answer, at most `kit.max_children` at once; return a reply for each, in order."""

    def made_here(self, name: str) -> bool:
        """Tell whether a cell made the variable `name`, rather than the user."""

    def is_users(self, name: str, value: Any) -> bool:
        """Tell whether a variable is worth showing: no module, not private, none of the session's own."""
