"""Cards of polars and Arrow tables: read by slices, and never by a method that computes.

A computation would start the library's own threads in the notebook's process, and a process with those cannot be forked
any more. For the same reason, and because it may be large, nothing lazy is collected: its card is its schema.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .card import amount
from .columns import Column
from .tables import row

if TYPE_CHECKING:
    from .card import Card

__all__ = ["arrow_array", "arrow_dataset", "arrow_table", "polars_frame", "polars_lazy", "polars_series"]

Read = Callable[[int, int, int], list[Any]]
"""(column, first row, rows) → cells as Python values."""

_CELLS = 200_000
_ROWS = 10_000
_BYTES = 50_000_000
_BLOCKS = 20


def polars_frame(value: Any, card: Card) -> None:
    """Draw a polars DataFrame: shape, one line per column, the first and last rows."""
    kinds = [_polars_kind(kind) for kind in value.dtypes]
    _table(
        "polars DataFrame", value.height, value.columns, kinds, value.estimated_size(), _polars(value.to_series), card
    )


def polars_series(value: Any, card: Card) -> None:
    """Draw a polars Series: its one column, the first and last values."""
    kinds, read = [_polars_kind(value.dtype)], _polars(lambda _: value)
    _single("polars Series", len(value), value.name, kinds[0], value.estimated_size(), read, card)


def polars_lazy(value: Any, card: Card) -> None:
    """Draw a polars LazyFrame: its schema."""
    schema = value.collect_schema()
    card.line(f"polars LazyFrame: {len(schema):,} columns; nothing of it is computed yet")
    _schema({name: _polars_kind(kind) for name, kind in schema.items()}, card)
    card.line("filter and select first, then collect()")


def arrow_table(value: Any, card: Card) -> None:
    """Draw a pyarrow Table or RecordBatch: shape, one line per column, the first and last rows."""
    kinds = [str(field.type) for field in value.schema]
    title = f"pyarrow {type(value).__name__}"
    _table(title, value.num_rows, value.schema.names, kinds, value.nbytes, _arrow(value.column), card)


def arrow_array(value: Any, card: Card) -> None:
    """Draw a pyarrow Array or ChunkedArray: its one column, the first and last values."""
    title = f"pyarrow {type(value).__name__}"
    _single(title, len(value), "values", str(value.type), value.nbytes, _arrow(lambda _: value), card)


def arrow_dataset(value: Any, card: Card) -> None:
    """Draw a pyarrow Dataset: its schema; its rows are neither read nor counted."""
    files = getattr(value, "files", None)
    where = f" in {len(files):,} files" if isinstance(files, list) else ""
    card.line(f"pyarrow {type(value).__name__}: {len(value.schema.names):,} columns{where}; nothing of it is read yet")
    _schema({field.name: str(field.type) for field in value.schema}, card)
    card.line("read what is needed: context.to_table(columns=[…], filter=…), or context.head(10)")


def _polars(column: Callable[[int], Any]) -> Read:
    return lambda i, start, count: list(column(i).slice(start, count).to_list())


def _arrow(column: Callable[[int], Any]) -> Read:
    return lambda i, start, count: list(column(i).slice(start, count).to_pylist())


def _polars_kind(kind: Any) -> str:
    """Return the name of a type; that of an Enum would go on to list the values."""
    name = str(kind)
    return "Enum" if name.startswith("Enum(") else name


def _table(
    title: str, rows: int, names: Sequence[str], kinds: Sequence[str], size: float, read: Read, card: Card
) -> None:
    card.line(f"{title}: {rows:,} rows x {len(names):,} columns, {amount(size)}")
    blocks = _blocks(rows, size, len(names))
    first, last = _ends(rows, list(names), read, card)
    spare = min(sum(map(len, first + last)) + 100, card.room // 3) if first else 0
    lines = (_column(i, name, kinds[i], rows, blocks, read).line(card.pen) for i, name in enumerate(names))
    card.rows(lines, len(names), "columns", heading="columns:", spare=spare)
    card.ends(first, last, ", cells in the order of the columns")


def _single(title: str, rows: int, name: str, kind: str, size: float, read: Read, card: Card) -> None:
    card.line(f"{title}: {rows:,} values, {amount(size)}")
    card.line(_column(0, name, kind, rows, _blocks(rows, size, 1), read).line(card.pen))
    if card.pen.sample and not card.pen.rules.hides(name):
        card.line("first values: " + ", ".join(map(card.pen.short, read(0, 0, 5))))
        if rows > 5:
            card.line("last values: " + ", ".join(map(card.pen.short, read(0, max(rows - 3, 5), 3))))


def _schema(kinds: dict[str, str], card: Card) -> None:
    lines = (Column(name, kind).line(card.pen) for name, kind in kinds.items())
    card.rows(lines, len(kinds), "columns", heading="columns:")


def _column(i: int, name: str, kind: str, rows: int, blocks: Sequence[tuple[int, int]], read: Read) -> Column:
    try:
        cells = [cell for start, count in blocks for cell in read(i, start, count)]
    except (NotImplementedError, TypeError, ValueError):  # the type has no Python values
        return Column(name, kind)
    return Column.of(name, cells, kind=kind, sampled=len(cells) < rows)


def _ends(rows: int, names: list[str], read: Read, card: Card) -> tuple[list[str], list[str]]:
    """Return the first three and the last two rows, none if the card is to show no data."""
    if not card.pen.sample or not names:
        return [], []
    names = names[: max(card.room // 3, 1)]

    def lines(start: int, count: int) -> Iterator[str]:
        cells = [read(i, start, count) for i in range(len(names))]
        return (row(names, line, card) for line in zip(*cells, strict=True))

    last = max(rows - 2, 3)
    return list(lines(0, 3)), list(lines(last, rows - last)) if rows > last else []


def _blocks(rows: int, size: float, columns: int) -> list[tuple[int, int]]:
    """Return what to read, as (first row, rows): all, or blocks at random places, bounded in cells and in bytes."""
    most = min(_ROWS, _CELLS // max(columns, 1), int(_BYTES // max(size / max(rows, 1), 1)))
    if rows <= max(most, _BLOCKS):
        return [(0, rows)]
    count = max(most // _BLOCKS, 1)
    starts = sorted(random.Random(0).sample(range(rows // count), _BLOCKS))
    return [(start * count, count) for start in starts]
