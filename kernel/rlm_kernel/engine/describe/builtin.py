"""Cards of Python's own types: containers, records, documents, and whatever is none of these."""

from __future__ import annotations

from collections import deque
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from .columns import Column, bounds
from .excerpts import PREVIEW, TITLE, one_line, type_name
from .fields import fields
from .outline import DEPTHS, inside, kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .card import Card

__all__ = ["anything", "interval", "mapping", "sequence", "unordered"]

_SAMPLE = 20_000
_CELLS = 200_000
_SORTED = 100_000
_ITEMS = 20
_DOCUMENTS = 10
"""Texts of a list that are previewed: the card is sent with every turn, and more of them tell little more."""
_KEYS = 200
_ALIKE = 20
_ATTRIBUTES = "attributes"


def sequence(value: Sequence[Any], card: Card) -> None:
    """Draw a list, a tuple or a deque: as records, as documents, or by its items."""
    if fields(value) is not None:  # a named tuple
        anything(value, card)
        return
    sample = _sample(value)
    name, sampled = type_name(value), len(sample) < len(value)
    if sample and fields(sample[0]) is not None and all(type(item) is type(sample[0]) for item in sample):
        _records(value, sample, card)
    elif sample and all(isinstance(item, str) for item in sample):
        card.line(f"{name} of str: {len(value):,} documents, {_lengths(sample, len(value))}")
        previews = (f"- [{i}] {card.pen.brief(item)}" for i, item in enumerate(islice(value, _DOCUMENTS)))
        card.rows(previews, len(value), "documents")
    else:
        card.line(f"{name}: {len(value):,} items")
        _types(sample, card, sampled=sampled)
        _range(sample, card, sampled=sampled)
        nested = card.deepest(lambda depth: inside(sample, card.pen, depth), DEPTHS, spare=card.room // 3)
        card.rows(nested, len(nested), "")
        if card.pen.sample:
            items = (f"- [{i}] {card.pen.brief(item)}" for i, item in enumerate(islice(value, _ITEMS)))
            card.rows(items, len(value), "items", heading="items:")


def mapping(value: Mapping[Any, Any], card: Card) -> None:
    """Draw a dict: as documents by name, or key by key, and what lies below each key."""
    pen = card.pen
    shown = [item for key, item in islice(value.items(), _SAMPLE) if not pen.rules.hides(key)]
    sample = list(islice(value.values(), _SAMPLE))
    sampled = len(sample) < len(value)
    name = type_name(value)
    if sample and all(isinstance(item, str) for item in sample):
        card.line(f"{name} of str: {len(value):,} documents by key, {_lengths(sample, len(value))}")
    else:
        card.line(f"{name}: {len(value):,} keys")
        _types(sample, card, sampled=sampled)
        _range(shown, card, sampled=sampled)
    if len(value) > _ALIKE and all(isinstance(item, dict) for item in sample):
        alike = card.deepest(lambda depth: inside(shown, pen, depth), DEPTHS, spare=card.room // 2)
        card.rows(alike, len(alike), "", heading="each value has some of these keys:")
    _tree(value.items(), len(value), "keys", card)


def unordered(value: set[Any] | frozenset[Any], card: Card) -> None:
    """Draw a set; the items shown are the first in the order of their text, as a set has none of its own."""
    card.line(f"{type_name(value)}: {len(value):,} items")
    if card.pen.sample and len(value) <= _SORTED:
        card.rows((f"- {item}" for item in sorted(map(card.pen.brief, value))), len(value), "items")


def interval(value: range, card: Card) -> None:
    """Draw a range by what made it."""
    step = f" in steps of {value.step:,}" if value.step != 1 else ""
    ends = f", {card.pen.short(value[0])} .. {card.pen.short(value[-1])}{step}" if value and card.pen.sample else ""
    card.line(f"range: {len(value):,} items{ends}")


def anything(value: Any, card: Card) -> None:
    """Draw a scalar by its value, another object by class and attributes; its `repr` is never asked for."""
    shown = card.pen.short(value, TITLE)
    named = fields(value)
    if named is None and shown != type_name(value):
        card.line(f"{type_name(value)}: {shown}")
        return
    card.line(f"object of class {one_line(f'{type(value).__module__}.{type(value).__qualname__}', TITLE)}")
    doc = type(value).__doc__
    if isinstance(doc, str) and doc.strip():
        card.line(f"its class says: {card.pen.name(doc.strip().partition(chr(10))[0])}")
    if hasattr(type(value), "__len__"):
        card.line(f"length {len(value):,}")
    attributes = named if named is not None else vars(value) if hasattr(value, "__dict__") else {}
    if attributes:
        _tree(attributes.items(), len(attributes), _ATTRIBUTES, card, heading="attributes:")


def _tree(pairs: Iterable[tuple[Any, Any]], total: int, noun: str, card: Card, *, heading: str = "") -> None:
    """Draw names with their values, and below them as much of what is inside as there is room for."""
    pen = card.pen

    def one(name: Any, item: Any) -> str:
        shown = one_line(str(name), PREVIEW) if noun == _ATTRIBUTES else pen.name(name)
        return f"- {shown}: {pen.under(name, item)}"

    def outline(few: Sequence[tuple[Any, Any]], depth: int) -> Iterator[str]:
        for name, item in few:
            yield one(name, item)
            if not pen.rules.hides(name):
                yield from inside([item], pen, depth - 1)

    if total <= _KEYS:
        pairs = list(pairs)
        lines = card.deepest(partial(outline, pairs), DEPTHS, spare=len(heading) + PREVIEW)
        if lines:
            card.rows(lines, len(lines), noun, heading=heading)
            return
    card.rows((one(name, item) for name, item in pairs), total, noun, heading=heading)


def _records(value: Sequence[Any], sample: Sequence[Any], card: Card) -> None:
    pen = card.pen
    rows: list[Mapping[Any, Any]] = []
    names: dict[Any, None] = {}
    for item in sample:
        record = fields(item) or {}
        names.update(dict.fromkeys(islice(record, 1000)))
        rows.append(record)
        if len(names) > 1000:
            break
    plain = isinstance(sample[0], dict)
    title = f"{type_name(value)} of {'records' if plain else type_name(sample[0])}"
    rows = rows[: max(_CELLS // max(len(names), 1), 100)]
    sampled = len(rows) < len(value)
    card.line(
        f"{title}: {len(value):,} {'dicts' if plain else 'records'}, {len(names):,} {'keys' if plain else 'fields'}"
    )

    def outline(depth: int) -> Iterator[str]:
        for name in names:
            cells = [row.get(name) for row in rows]
            yield Column.of(name, cells, sampled=sampled).line(pen)
            if depth > 1 and not pen.rules.hides(name):
                yield from inside(cells, pen, depth - 1)

    first = ["{" + _pairs(row, card) + "}" for row in rows[:2]] if pen.sample else []
    spare = min(sum(map(len, first)) + PREVIEW, card.room // 2)
    nested = card.deepest(outline, DEPTHS, spare=spare) if len(names) <= _KEYS else []
    if nested:
        card.rows(nested, len(nested), "", heading="keys:")
    else:
        card.rows(outline(1), len(names), "keys", heading="keys:", spare=spare if len(names) <= _KEYS else 0)
    card.rows(first, len(first), "", heading="first records:")


def _pairs(row: Mapping[Any, Any], card: Card) -> str:
    return ", ".join(f"{card.pen.name(name)}: {card.pen.cell(name, item)}" for name, item in islice(row.items(), 30))


def _sample(value: Sequence[Any]) -> Sequence[Any]:
    """Return all items of a small sequence, else the beginning and items spread over the rest."""
    if len(value) <= _SAMPLE:
        return value if isinstance(value, (list, tuple)) else list(value)
    head = _SAMPLE // 2
    if isinstance(value, deque):  # its middle is far from both ends
        return list(islice(value, head)) + list(islice(reversed(value), head))[::-1]
    step = (len(value) - head) // head + 1
    return list(value[:head]) + list(value[head::step])


def _types(sample: Sequence[Any], card: Card, *, sampled: bool) -> None:
    if sample:
        card.line(f"types: {kinds(sample, sampled=sampled)}")


def _range(sample: Sequence[Any], card: Card, *, sampled: bool) -> None:
    low, high = bounds(sample)
    if low is not None and card.pen.sample:
        card.line(f"range: {'~' if sampled else ''}{card.pen.short(low)} .. {card.pen.short(high)}")


def _lengths(sample: Sequence[str], total: int) -> str:
    lengths = [len(document) for document in sample]
    about, sum_ = ("~", sum(lengths) * total // len(lengths)) if len(lengths) < total else ("", sum(lengths))
    return f"{about}{sum_:,} characters, shortest {about}{min(lengths):,}, longest {about}{max(lengths):,}"
