"""Cards of tables and arrays, from the methods of the value itself: pandas and numpy are never imported here.

Columns are looked at through a sample of rows drawn with a fixed seed, so that a gigabyte costs what a megabyte
does and every process draws the same rows.
"""

from __future__ import annotations

import random
from typing import Any

from .card import Card, amount, short, type_name
from .columns import FEW, Column

__all__ = ["array", "frame", "series"]

_ROWS = 100_000
_CELLS = 2_000_000
_SHOWN_COLUMNS = 100
_ARRAY_ITEMS = 200_000


def frame(value: Any, card: Card) -> None:
    """Draw a pandas DataFrame: shape, one line per column, the first and last rows."""
    rows, columns = value.shape
    memory = value.memory_usage(index=False, deep=False).sum()
    about = "at least " if "object" in map(str, value.dtypes) else ""
    card.line(f"{type_name(value)}: {rows:,} rows x {columns:,} columns, {about}{amount(int(memory))}")
    if type(value.index).__name__ != "RangeIndex":
        card.line(f"index: {short(value.index.name)}, {type_name(value.index)} of {value.index.dtype}")
    picked = _pick(rows, _CELLS // max(min(columns, _SHOWN_COLUMNS), 1))
    names = list(value.columns)
    lines = (_column(name, value.iloc[:, i], picked).line() for i, name in enumerate(names))
    card.rows(lines, columns, "columns", heading="columns:")
    _ends(value, rows, card)


def series(value: Any, card: Card) -> None:
    """Draw a pandas Series or Index: its one column, the first and last values."""
    rows = len(value)
    card.line(f"{type_name(value)}: {rows:,} values")
    card.line(
        _column(value.name, value.to_series() if hasattr(value, "to_series") else value, _pick(rows, _ROWS)).line()
    )
    shown = value[:5] if hasattr(value, "to_series") else value.iloc[:5]
    card.line("first values: " + ", ".join(short(item) for item in shown.tolist()))


def array(value: Any, card: Card) -> None:
    """Draw a numpy array: shape, dtype, range and the first values."""
    card.line(f"{type_name(value)}: shape {value.shape}, {short(str(value.dtype))[1:-1]}, {amount(value.nbytes)}")
    sample = _thin(value)
    if value.dtype.kind in "iufmM" and sample.size:
        finite = sample[sample == sample]  # a NaN (or NaT) is the one value that differs from itself
        if finite.size:
            about = "~" if sample.size < value.size else ""
            card.line(f"range: {about}{short(finite.min())} .. {short(finite.max())}")
        if finite.size < sample.size:
            card.line(f"nulls: {1 - finite.size / sample.size:.1%}")
    first = [value.flat[i] for i in range(min(value.size, 10))]
    card.line("first values: " + ", ".join(short(item) for item in first))


def _pick(rows: int, most: int) -> list[int] | None:
    """Return the rows to look at, `None` for all; at random, as a stride falls in step with periodic data."""
    most = min(most, _ROWS)
    return None if rows <= most else sorted(random.Random(0).sample(range(rows), most))


def _column(name: Any, column: Any, picked: list[int] | None) -> Column:
    sample = column if picked is None else column.take(picked)
    present = sample.dropna()
    kind = str(column.dtype)
    numeric = getattr(column.dtype, "kind", "O") in "iufmM"
    try:
        distinct = present.unique()
    except TypeError:  # the cells are lists or dicts, which have no hash
        return Column(name, kind, nulls=_nulls(sample, present), sampled=picked is not None)
    listed = not numeric and len(distinct) <= FEW
    ranged = numeric and len(present) > 0
    return Column(
        name,
        kind,
        nulls=_nulls(sample, present),
        distinct=len(distinct),
        values=list(distinct) if listed else (),
        low=present.min() if ranged else None,
        high=present.max() if ranged else None,
        sampled=picked is not None,
    )


def _nulls(sample: Any, present: Any) -> float:
    return 1 - len(present) / len(sample) if len(sample) else 0.0


def _ends(value: Any, rows: int, card: Card) -> None:
    shown = value.iloc[:, :_SHOWN_COLUMNS]
    first = [_row(row) for row in shown.iloc[:3].itertuples(index=False, name=None)]
    last = [_row(row) for row in shown.iloc[max(rows - 2, 3) :].itertuples(index=False, name=None)]
    card.rows(first, len(first), "of them", heading="first rows, cells in the order of the columns:")
    card.rows(last, len(last), "of them", heading="last rows:")


def _row(cells: tuple[Any, ...]) -> str:
    return " | ".join(short(cell) for cell in cells)


def _thin(value: Any) -> Any:
    """Return a view of at most about `_ARRAY_ITEMS` items, thinned along the longest axes."""
    while value.size > _ARRAY_ITEMS:
        axis = max(range(value.ndim), key=value.shape.__getitem__)
        step = min(value.shape[axis], -(-value.size // _ARRAY_ITEMS))
        value = value[(slice(None),) * axis + (slice(None, None, step),)]
    return value
