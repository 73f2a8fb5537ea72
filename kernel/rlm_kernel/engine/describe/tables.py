"""Cards of pandas tables, from the methods of the value itself: pandas is never imported here.

Columns are looked at through a sample of rows drawn with a fixed seed, so that a gigabyte costs what a megabyte
does and every process draws the same rows.
"""

from __future__ import annotations

import datetime
import random
from typing import TYPE_CHECKING, Any

from .card import amount
from .columns import FEW, Column, bounds
from .excerpts import type_name

if TYPE_CHECKING:
    from .card import Card

__all__ = ["categories", "frame", "row", "series"]

_ROWS = 100_000
_CELLS = 2_000_000
_SHOWN_COLUMNS = 100
_RANGED = ("period", "interval")


def frame(value: Any, card: Card) -> None:
    """Draw a pandas DataFrame: shape, one line per column, the first and last rows."""
    rows, columns = value.shape
    memory = value.memory_usage(index=False, deep=False).sum()
    about = "at least " if "object" in map(str, value.dtypes) else ""
    card.line(f"{type_name(value)}: {rows:,} rows x {columns:,} columns, {about}{amount(int(memory))}")
    if type(value.index).__name__ != "RangeIndex":
        card.line(_index(value.index, card))
    picked = _pick(rows, _CELLS // max(min(columns, _SHOWN_COLUMNS), 1))
    names = list(value.columns)
    lines = (_column(name, value.iloc[:, i], picked).line(card.pen) for i, name in enumerate(names))
    first, last = _ends(value, names, card)
    spare = min(sum(map(len, first + last)) + 100, card.room // 3) if first else 0
    card.rows(lines, columns, "columns", heading="columns:", spare=spare)
    card.ends(first, last, ", cells in the order of the columns")


def series(value: Any, card: Card) -> None:
    """Draw a pandas Series or Index: its one column, the first and last values."""
    if type(value).__name__ == "MultiIndex":
        card.line(f"MultiIndex: {len(value):,} entries of {', '.join(map(card.pen.name, value.names))}")
        return
    rows = len(value)
    is_index = hasattr(value, "to_series")
    card.line(f"{type_name(value)}: {rows:,} values")
    if not is_index and type(value.index).__name__ != "RangeIndex":
        card.line(_index(value.index, card))
    column = value.to_series() if is_index else value
    card.line(_column(value.name, column, _pick(rows, _ROWS)).line(card.pen))
    if card.pen.sample and not card.pen.rules.hides(value.name):
        card.line("first values: " + ", ".join(map(card.pen.short, column.iloc[:5].tolist())))
        if rows > 5:
            card.line("last values: " + ", ".join(map(card.pen.short, column.iloc[max(rows - 3, 5) :].tolist())))


def categories(value: Any, card: Card) -> None:
    """Draw a pandas array that belongs to no Series, such as a Categorical."""
    card.line(f"{type_name(value)}: {len(value):,} values of {str(value.dtype)[:40]}")
    if card.pen.sample:
        card.line("first values: " + ", ".join(map(card.pen.short, value[:10].tolist())))


def row(names: list[Any], cells: tuple[Any, ...], card: Card) -> str:
    """Return one row of a table as a line, at most a sixteenth of the card's room."""
    width = max(card.room // 16, 80)
    line = " | ".join(card.pen.cell(name, cell) for name, cell in zip(names, cells, strict=False))
    return line if len(line) <= width else f"{line[:width]}…"


def _index(index: Any, card: Card) -> str:
    if type(index).__name__ == "MultiIndex":
        return f"index: MultiIndex of {', '.join(map(card.pen.name, index.names))}"
    line = f"index: {card.pen.name(index.name)}, {type_name(index)} of {str(index.dtype)[:40]}"
    dated = getattr(index.dtype, "kind", "") == "M" or str(index.dtype).startswith("period")
    if not (dated and len(index) and card.pen.sample) or card.pen.rules.hides(index.name):
        return line
    return f"{line}; first {card.pen.short(index[0])}, last {card.pen.short(index[-1])}"


def _pick(rows: int, most: int) -> list[int] | None:
    """Return the rows to look at, `None` for all; at random, as a stride falls in step with periodic data."""
    most = min(most, _ROWS)
    return None if rows <= most else sorted(random.Random(0).sample(range(rows), most))


def _column(name: Any, column: Any, picked: list[int] | None) -> Column:
    sample = column if picked is None else column.take(picked)
    present = sample.dropna()
    kind = str(column.dtype)
    ordered = getattr(column.dtype, "kind", "O") in "iufmM" or kind.startswith(_RANGED)
    nulls = 1 - len(present) / len(sample) if len(sample) else 0.0
    try:
        distinct = list(present.unique())
    except TypeError:  # the cells are lists or dicts, which have no hash
        return Column(name, kind, nulls=nulls, sampled=picked is not None)
    low, high = (present.min(), present.max()) if ordered and len(present) else (None, None)
    if distinct and not ordered and isinstance(distinct[0], datetime.date):
        low, high = bounds(distinct)
    return Column(
        name,
        kind,
        nulls=nulls,
        distinct=len(distinct),
        values=distinct if not ordered and len(distinct) <= FEW and _is_plain(distinct) else (),
        low=low,
        high=high,
        sampled=picked is not None,
    )


def _is_plain(values: list[Any]) -> bool:
    """Tell whether values are worth listing: shapes of a map, say, are not."""
    homes = {type(value).__module__.partition(".")[0] for value in values}
    return homes <= {"builtins", "datetime", "decimal", "numpy", "pandas", "uuid"}


def _ends(value: Any, names: list[Any], card: Card) -> tuple[list[str], list[str]]:
    """Return the first three and the last two rows, none if the card is to show no data."""
    if not card.pen.sample:
        return [], []
    shown = value.iloc[:, :_SHOWN_COLUMNS]
    parts = shown.iloc[:3], shown.iloc[max(len(value) - 2, 3) :]
    first, last = ([row(names, cells, card) for cells in part.itertuples(index=False, name=None)] for part in parts)
    return first, last
