"""One column, or one key of many records, in one line: the form that tables and records share.

- "origin": str; nulls 2.0%; distinct 3; values "EWR", "JFK", "LGA"
- "distance": int64; distinct ~214; range 17 .. 4983
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .card import CELL, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FEW", "Column"]

FEW = 20
"""Up to so many distinct values are listed."""
_LISTED = 320


@dataclass(frozen=True, slots=True)
class Column:
    """What a card knows of one column; `nulls` is a share of the rows, `low` and `high` the range of numbers."""

    name: Any
    kind: str
    nulls: float = 0.0
    distinct: int | None = None
    values: Sequence[Any] = ()
    low: Any = None
    high: Any = None
    sampled: bool = False

    def line(self) -> str:
        """Return the column as one line of a card."""
        about = "~" if self.sampled else ""
        facts = [self.kind[:CELL]]
        if self.nulls:
            facts.append(f"nulls {about}{self.nulls:.1%}")
        if self.distinct is not None:
            facts.append(f"distinct {about}{self.distinct:,}")
        if self.values:
            facts.append(f"values {_listed(self.values)}")
        elif self.low is not None:
            facts.append(f"range {about}{short(self.low)} .. {short(self.high)}")
        return f"- {short(self.name, 2 * CELL)}: {'; '.join(facts)}"


def _listed(values: Iterable[Any]) -> str:
    """List values in the order of their text, which no hash seed changes, as far as there is room."""
    room, listed = _LISTED, []
    for text in sorted({short(value) for value in values}):
        room -= len(text) + 2
        if room < 0:
            listed.append("…")
            break
        listed.append(text)
    return ", ".join(listed)
