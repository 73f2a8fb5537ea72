"""A value as text and as documents: what the words that read text see of a context.

A text is one document, a list has one per item, a dict of texts one per key. What is no text is written out: a table
as CSV, other data as JSON, a list of records as a line of JSON for each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .plain import text_of

__all__ = ["CONVERTED", "GAP", "RULE", "as_text", "heads", "joined", "parts_of"]

CONVERTED = 50_000_000
"""Characters of text that a value may become; what is text already may be longer, except in a sub-call."""

GAP = "\n\n"
RULE = f"{GAP}---{GAP}"
"""What stands between the documents of a list when they are one text."""

_NAME_KEYS = ("name", "title", "path")


def as_text(value: Any) -> str:
    """Return the whole value as text, for a sub-call.

    Raises:
        ValueError: it has more than 50 million characters; the message says what to do.

    """
    parts = parts_of(value)
    if sum(map(len, parts.values())) > CONVERTED:
        raise _too_long()
    return joined(value, parts)


def joined(value: Any, parts: Mapping[str, str]) -> str:
    """Return the documents of a value as one text, each behind its head."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    return "".join(head + text for head, text in zip(heads(value, parts), parts.values(), strict=True))


def heads(value: Any, parts: Mapping[str, str]) -> list[str]:
    """Return what stands before each document in the joined text: its name if it has one, else a rule or a new line."""
    if isinstance(value, list | tuple) or len(parts) == 1:
        between = "\n" if isinstance(value, list | tuple) and _all_data(value) else RULE
        return [between if number else "" for number in range(len(parts))]
    return [f"{GAP if number else ''}=== {name} ===\n" for number, name in enumerate(parts)]


def parts_of(value: Any) -> dict[str, str]:
    """Return the documents of a value: name → text. The only document of a value is called `context`.

    Raises:
        ValueError: written out, it would have more than 50 million characters.

    """
    if callable(getattr(value, "documents", None)):
        value = value.documents()
    elif callable(getattr(value, "text", None)):
        value = value.text()
    if isinstance(value, Mapping) and not (value and _all_data(value.values())):
        return dict(_bounded((str(name), item) for name, item in value.items()))
    if isinstance(value, list | tuple):
        names = [_name_of(item) or str(number) for number, item in enumerate(value)]
        if len(set(names)) < len(names):
            names = [str(number) for number in range(len(names))]
        return dict(_bounded(zip(names, value, strict=True)))
    return dict(_bounded([("context", value)]))


def _bounded(items: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    left = CONVERTED
    for name, item in items:
        if isinstance(item, str):
            yield name, item
            continue
        text = _written(item)
        left -= len(text)
        if left < 0:
            raise _too_long()
        yield name, text


def _all_data(items: Iterable[Any]) -> bool:
    """Tell whether items are plain data: nothing that is text, or has a text form of its own."""
    return all(
        isinstance(item, Mapping | list | tuple | float | int | None) and not _is_message(item) for item in items
    )


def _is_message(item: Any) -> bool:
    return isinstance(item, Mapping) and "role" in item and isinstance(item.get("content"), str)


def _written(item: Any) -> str:
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item).decode("utf-8", "replace")
    if isinstance(item, Path) and item.is_file():
        return item.read_text("utf-8", "replace")
    if callable(getattr(item, "text", None)):
        return str(item.text())
    if isinstance(cells := getattr(item, "size", 0), int) and cells * 2 > CONVERTED:
        raise _too_long()
    for method in ("to_csv", "write_csv"):
        if callable(getattr(item, method, None)):
            return str(getattr(item, method)())
    if _is_message(item):
        return str(item["content"])
    return _as_json(item.tolist() if callable(getattr(item, "tolist", None)) else item)


def _as_json(item: Any) -> str:
    if not isinstance(item, Mapping | list | tuple | float | int | None):
        return text_of(item)
    try:
        return json.dumps(item, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return text_of(item)


def _name_of(item: Any) -> str:
    found = (item.get(key) for key in _NAME_KEYS) if isinstance(item, Mapping) else ()
    return next((name for name in found if isinstance(name, str) and name), "")


def _too_long() -> ValueError:
    return ValueError(
        f"as text this is longer than {CONVERTED:,} characters: take a part of it, or work on it with code"
    )
