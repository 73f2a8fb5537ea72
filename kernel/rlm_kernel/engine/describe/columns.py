"""One column, or one key of many records, in one line: the form that tables and records share.

- "origin": str; nulls 2.0%; distinct 3; values "EWR", "JFK", "LGA"
- "distance": int64; distinct ~214; range 17 .. 4983
- "salary": float64; nulls 0.1%; values hidden
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .excerpts import CELL, Pen, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FEW", "Column", "bounds"]

FEW = 20
"""Up to so many distinct values are listed."""
_LISTED = 320


@dataclass(frozen=True, slots=True)
class Column:
    """What a card knows of one column; `nulls` is a share of the rows, `low` and `high` a range of numbers or dates."""

    name: Any
    kind: str
    nulls: float = 0.0
    distinct: int | None = None
    values: Sequence[Any] = ()
    low: Any = None
    high: Any = None
    sampled: bool = False

    @classmethod
    def of(cls, name: Any, cells: Sequence[Any], *, kind: str = "", sampled: bool = False) -> Column:
        """Return the column of these Python values, `kind` being its type where that is more than theirs."""
        present = [cell for cell in cells if cell is not None and not (isinstance(cell, float) and cell != cell)]
        simple = all(isinstance(cell, (str, int, float, datetime.date)) for cell in present)
        distinct = set(present) if simple else set()
        numbers = simple and not any(isinstance(cell, (str, bool, datetime.date)) for cell in present)
        low, high = bounds(present) if simple else (None, None)
        return cls(
            name,
            kind or "|".join(sorted({type_name(cell) for cell in present})) or "None",
            nulls=1 - len(present) / len(cells) if cells else 0.0,
            distinct=len(distinct) if simple else None,
            values=list(distinct) if not numbers and len(distinct) <= FEW else (),
            low=low,
            high=high,
            sampled=sampled,
        )

    def line(self, pen: Pen) -> str:
        """Return the column as one line of a card."""
        about = "~" if self.sampled else ""
        facts = [self.kind[:CELL]]
        if self.nulls:
            facts.append(f"nulls {about}{self.nulls:.1%}" if self.nulls >= 0.0005 else f"nulls {about}<0.1%")
        if pen.rules.hides(self.name):
            facts.append("values hidden")
        else:
            facts += self._values(pen, about)
        return f"- {pen.name(self.name)}: {'; '.join(facts)}"

    def _values(self, pen: Pen, about: str) -> Iterable[str]:
        if self.distinct is not None:
            yield f"distinct {about}{self.distinct:,}"
        if not pen.sample:
            return
        if self.values:
            yield f"values {_listed(self.values, pen)}"
        elif self.low is not None:
            yield f"range {about}{pen.short(self.low)} .. {pen.short(self.high)}"


def bounds(cells: Sequence[Any]) -> tuple[Any, Any]:
    """Return the smallest and the largest of numbers, or of dates; `None` for anything else."""
    kinds = {type(cell) for cell in cells}
    numbers = all(issubclass(kind, (int, float)) and kind is not bool for kind in kinds)
    ordered = numbers or (len(kinds) == 1 and all(issubclass(kind, datetime.date) for kind in kinds))
    if not kinds or not ordered:
        return None, None
    known = [cell for cell in cells if cell == cell]  # a NaN (or NaT) is the one value that differs from itself
    try:
        return (min(known), max(known)) if known else (None, None)
    except TypeError:  # some of the times have a zone, and some have none
        return None, None


def _listed(values: Iterable[Any], pen: Pen) -> str:
    """List values in the order of their text, which no hash seed changes, as far as there is room."""
    room, listed = _LISTED, []
    for text in sorted({pen.short(value) for value in values}):
        room -= len(text) + 2
        if room < 0:
            listed.append("…")
            break
        listed.append(text)
    return ", ".join(listed)
