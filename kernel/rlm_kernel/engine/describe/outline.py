"""The outline of nested values: which keys lie below which, of what type, how often.

- "users": list, 1,204 items
  each item: dict 1,204
    - "name": str; distinct ~980
    - "tags": list; nulls 2.0%
      each item: str ~4,100

Everything at one place of the tree, under whichever item of a list, is put together into one line. A place is looked
at through a bounded sample, and a card takes the deepest outline that fits.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from .columns import Column
from .excerpts import Pen, type_name
from .fields import fields

__all__ = ["DEPTHS", "inside", "kinds"]

DEPTHS = (5, 4, 3, 2, 1)
"""How deep an outline may go, the first choice first; 1 is a line per key."""

_VALUES = 500
_KEYS = 20


def inside(values: Sequence[Any], pen: Pen, depth: int, indent: str = "  ") -> Iterator[str]:
    """Yield the lines for what lies inside `values`, which were all found at one place; `depth` levels of it."""
    if depth <= 0:
        return
    records = [found for value in values[:_VALUES] if (found := fields(value))]
    yield from _keys(records, pen, depth, indent, sampled=len(values) > _VALUES)
    lists = [value for value in values[:_VALUES] if isinstance(value, (list, tuple, deque)) and fields(value) is None]
    items = list(islice(chain.from_iterable(lists), _VALUES))
    if any(isinstance(item, (dict, list, tuple, deque)) or fields(item) for item in items):
        sampled = len(lists) == _VALUES or sum(map(len, lists)) > len(items)
        yield f"{indent}each item: {kinds(items, sampled=sampled)}"
        yield from inside(items, pen, depth - 1, indent + "  ")


def kinds(values: Sequence[Any], *, sampled: bool) -> str:
    """Return the types of the values and how many there are of each: `dict ~500, str ~3`."""
    counted = sorted(Counter(map(type_name, values)).items())
    return ", ".join(f"{name} {'~' if sampled else ''}{n:,}" for name, n in counted[:_KEYS])


def _keys(records: Sequence[Mapping[Any, Any]], pen: Pen, depth: int, indent: str, *, sampled: bool) -> Iterator[str]:
    names = dict.fromkeys(chain.from_iterable(islice(record, 10 * _KEYS) for record in records))
    for name in islice(names, _KEYS):
        found = [record.get(name) for record in records]
        if len(records) == 1:
            yield f"{indent}- {pen.name(name)}: {pen.under(name, found[0])}"
        else:
            yield indent + Column.of(name, found, sampled=sampled).line(pen)
        if not pen.rules.hides(name):
            yield from inside(found, pen, depth - 1, indent + "  ")
    if len(names) > _KEYS:
        yield f"{indent}… and {len(names) - _KEYS:,} more keys"
