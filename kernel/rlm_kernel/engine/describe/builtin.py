"""Cards of Python's own types: text, containers, records, documents, and whatever is none of these."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from .card import PREVIEW, TITLE, Card, brief, one_line, quote, short, type_name
from .columns import FEW, Column

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["anything", "mapping", "sequence", "text", "unordered"]

_SAMPLE = 20_000
_CELLS = 200_000
_COUNTED = 100_000_000
_SORTED = 100_000
_ITEMS = 20


def text(value: str | bytes | bytearray, card: Card) -> None:
    """Draw one long text: its length, its lines, the first characters."""
    unit, newline = ("characters", "\n") if isinstance(value, str) else ("bytes", b"\n")
    lines = value.count(newline, 0, _COUNTED) + (not value.endswith(newline))  # type: ignore[arg-type]  # same kinds
    about = "~" if len(value) > _COUNTED else ""
    card.line(f"{type_name(value)}: {len(value):,} {unit}, {about}{lines:,} lines")
    card.line(f"begins: {short(value if isinstance(value, str) else bytes(value[: TITLE + 1]), TITLE)}")


def sequence(value: Sequence[Any], card: Card) -> None:
    """Draw a list or tuple: as records, as documents, or by its items."""
    sample = _sample(value)
    kinds = Counter(type_name(item) for item in sample)
    name = type_name(value)
    if sample and all(isinstance(item, dict) for item in sample):
        _records(value, sample, f"{name} of records", card)
    elif sample and all(isinstance(item, str) for item in sample):
        card.line(f"{name} of str: {len(value):,} documents, {_lengths(sample, len(value))}")
        card.rows((f"- [{i}] {brief(d)}" for i, d in enumerate(value[:_ITEMS])), len(value), "documents")
    else:
        card.line(f"{name}: {len(value):,} items")
        _types(kinds, len(sample) < len(value), card)
        _range(sample, len(sample) < len(value), card)
        first = (f"- [{i}] {brief(item)}" for i, item in enumerate(value[:_ITEMS]))
        card.rows(first, len(value), "items", heading="items:")


def mapping(value: dict[Any, Any], card: Card) -> None:
    """Draw a dict: as documents by name, or key by key."""
    sample = list(islice(value.values(), _SAMPLE))
    name = type_name(value)
    if sample and all(isinstance(item, str) for item in sample):
        card.line(f"{name} of str: {len(value):,} documents by key, {_lengths(sample, len(value))}")
    else:
        card.line(f"{name}: {len(value):,} keys")
        _types(Counter(type_name(item) for item in sample), len(sample) < len(value), card)
        _range(sample, len(sample) < len(value), card)
    lines = (f"- {short(key, PREVIEW)}: {brief(item)}" for key, item in value.items())
    card.rows(lines, len(value), "keys")


def unordered(value: set[Any] | frozenset[Any], card: Card) -> None:
    """Draw a set; the items shown are the first in the order of their text, as a set has none of its own."""
    card.line(f"{type_name(value)}: {len(value):,} items")
    if len(value) <= _SORTED:
        card.rows((f"- {item}" for item in sorted(map(brief, value))), len(value), "items")


def anything(value: Any, card: Card) -> None:
    """Draw a scalar by its value, another object by class and attributes; its `repr` is never asked for."""
    shown = short(value, TITLE)
    if shown != type_name(value):
        card.line(f"{type_name(value)}: {shown}")
        return
    card.line(f"object of class {one_line(f'{type(value).__module__}.{type(value).__qualname__}', TITLE)}")
    doc = type(value).__doc__
    if isinstance(doc, str) and doc.strip():
        card.line(f"its class says: {quote(doc.strip().partition(chr(10))[0], TITLE)}")
    if hasattr(type(value), "__len__"):
        card.line(f"length {len(value):,}")
    attributes = vars(value) if hasattr(value, "__dict__") else {}
    lines = (f"- {one_line(str(name), PREVIEW)}: {brief(item)}" for name, item in attributes.items())
    card.rows(lines, len(attributes), "attributes", heading="attributes:")


def _records(value: Sequence[Any], sample: Sequence[dict[Any, Any]], title: str, card: Card) -> None:
    names: dict[Any, None] = {}
    for record in sample:
        names.update(dict.fromkeys(islice(record, 1000)))
        if len(names) > 1000:
            break
    rows = sample[: max(_CELLS // max(len(names), 1), 100)]
    card.line(f"{title}: {len(value):,} dicts, {len(names):,} keys")
    partial = len(rows) < len(value)
    card.rows((_key(name, rows, partial).line() for name in names), len(names), "keys", heading="keys:")
    samples = ("{" + ", ".join(f"{short(k)}: {short(v)}" for k, v in islice(r.items(), 30)) + "}" for r in rows[:2])
    card.rows(samples, 2, "", heading="first records:")


def _key(name: Any, rows: Sequence[dict[Any, Any]], sampled: bool) -> Column:
    found = (row.get(name) for row in rows)
    present = [item for item in found if item is not None and not (isinstance(item, float) and item != item)]
    kinds = sorted({type_name(item) for item in present})
    simple = all(isinstance(item, (str, int, float)) for item in present)
    distinct = set(present) if simple else set()
    numbers = simple and not any(isinstance(item, (str, bool)) for item in present)
    listed = simple and not numbers and len(distinct) <= FEW
    return Column(
        name,
        "|".join(kinds) or "None",
        nulls=1 - len(present) / len(rows),
        distinct=len(distinct) if simple else None,
        values=list(distinct) if listed else (),
        low=min(present) if numbers and present else None,
        high=max(present) if numbers and present else None,
        sampled=sampled,
    )


def _sample(value: Sequence[Any]) -> Sequence[Any]:
    """Return all items of a small sequence, else the beginning and items spread over the rest."""
    if len(value) <= _SAMPLE:
        return value
    head = _SAMPLE // 2
    step = (len(value) - head) // head + 1
    return list(value[:head]) + list(value[head::step])


def _types(kinds: Counter[str], sampled: bool, card: Card) -> None:
    about = "~" if sampled else ""
    if kinds:
        card.line("types: " + ", ".join(f"{name} {about}{n:,}" for name, n in sorted(kinds.items())[:FEW]))


def _range(sample: Sequence[Any], sampled: bool, card: Card) -> None:
    if sample and all(type(item) in (int, float) for item in sample):
        card.line(f"range: {'~' if sampled else ''}{short(min(sample))} .. {short(max(sample))}")


def _lengths(sample: Sequence[str], total: int) -> str:
    lengths = [len(document) for document in sample]
    about, sum_ = ("~", sum(lengths) * total // len(lengths)) if len(lengths) < total else ("", sum(lengths))
    return f"{about}{sum_:,} characters, shortest {about}{min(lengths):,}, longest {about}{max(lengths):,}"
