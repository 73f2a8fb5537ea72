"""What it means to claim words of a question, and the condition that claimed words state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .words import Token

__all__ = ["Filter", "claim", "claim_alternatives", "column_of", "step_back"]

_LINKING = frozenset({"=", "==", "a", "an", "are", "equals", "in", "is", "of", "the", "was", "were", "with"})


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one column; `relation` is a comparison, `in`, `between`, `missing`, `true` or `false`."""

    column: str
    relation: str
    values: tuple[str | int | float, ...] = ()


def column_of(token: Token) -> str | None:
    """Return the column a token names."""
    return token.role.removeprefix("column:") if token.role.startswith("column:") else None


def claim(found: Sequence[Token], start: int, end: int, role: str) -> None:
    """Give a stretch of tokens its role."""
    for token in found[start:end]:
        token.role = role


def claim_alternatives(found: Sequence[Token]) -> None:
    """Claim `or` between two values of one column."""
    for before, token, after in zip(found, found[1:], found[2:], strict=False):
        if token.low == "or" and before.role.startswith(("value:", "number:")) and before.role == after.role:
            token.role = "or"


def step_back(found: Sequence[Token], index: int) -> int:
    """Step back over small words that may stand between a column and what is said of it."""
    while index >= 0 and (found[index].role == "part" or _links(found[index])):
        index -= 1
    return index


def _links(token: Token) -> bool:
    return not token.role and token.low in _LINKING
