"""What every card is made of: quoted excerpts, one-line summaries, a page that cannot grow over its limit."""

from __future__ import annotations

import datetime
import json
import math
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CELL", "PREVIEW", "TITLE", "Card", "amount", "brief", "one_line", "quote", "short", "type_name"]

TITLE = 120
"""Characters shown of the one text that a card is about."""
PREVIEW = 80
"""Characters shown of one of many documents."""
CELL = 40
"""Characters shown of a cell, a key's name or a listed value."""

_MORE = 60
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_PLAIN = (bool, type(None), complex, datetime.date, datetime.time, datetime.timedelta)


class Card:
    """A page of at most `limit` characters that takes lines as long as they fit."""

    def __init__(self, limit: int) -> None:
        self._left = max(limit, 0)
        self._lines: list[str] = []

    def line(self, text: str, *, spare: int = 0) -> bool:
        """Add a line, cut if it is the first; return whether it fitted with `spare` characters to go."""
        if not self._lines:
            text = text[: self._left]
        if len(text) + 1 + spare > self._left and self._lines:
            return False
        self._lines.append(text)
        self._left -= len(text) + 1
        return True

    def rows(self, lines: Iterable[str], total: int, noun: str, *, heading: str = "") -> None:
        """Add as many lines as fit, under a heading, and say how many of the `total` were left out."""
        shown = 0
        for text in lines:
            if shown == 0 and heading and not self.line(heading, spare=len(text) + _MORE):
                return
            if not self.line(text, spare=_MORE):
                break
            shown += 1
        if 0 < shown < total:
            self.line(f"… and {total - shown:,} more {noun}")

    def text(self) -> str:
        """Return the page."""
        return "\n".join(self._lines)


def quote(text: str, width: int) -> str:
    """Return the first `width` characters quoted as in JSON, on one line, ending in `…` if there are more."""
    quoted = json.dumps(text[:width], ensure_ascii=False)
    plain = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in quoted)
    return f"{plain[:-1]}…{plain[-1]}" if len(text) > width else plain


def type_name(value: object) -> str:
    """Return the name of the value's class, at most `CELL` characters, on one line."""
    return one_line(type(value).__qualname__, CELL)


def one_line(text: str, width: int) -> str:
    """Return the first `width` characters without anything that is not printable."""
    return "".join(c if c.isprintable() else " " for c in text[:width])


def short(value: Any, width: int = CELL) -> str:
    """Return a value as a cell of about `width` characters; only small types are ever printed whole."""
    kind = type(value)
    if isinstance(value, str):
        return quote(value, width)
    if isinstance(value, bytes):
        return repr(value[:width]) + ("…" if len(value) > width else "")
    if kind is int:
        return str(value) if value.bit_length() <= 256 else f"int of {value.bit_length():,} bits"
    if isinstance(value, float):
        return repr(float(value)) if len(repr(float(value))) <= 12 else f"{value:.6g}"
    if (kind.__module__, kind.__name__) == ("decimal", "Decimal"):
        return f"{value:.15g}"
    if isinstance(value, _PLAIN) or (kind.__module__, kind.__name__) == ("uuid", "UUID"):
        return one_line(str(value), CELL)
    if kind.__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        item = value.item()
        return kind.__name__ if type(item) is kind else short(item, width)
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return f"{type_name(value)} of {len(value):,}"
    return type_name(value)


def brief(value: Any, width: int = PREVIEW) -> str:
    """Return type, size and a short preview of a value that is part of another, on one line."""
    if isinstance(value, (str, bytes)):
        unit = "characters" if isinstance(value, str) else "bytes"
        return f"{type_name(value)}, {len(value):,} {unit}: {short(value, width)}"
    if isinstance(value, dict):
        keys = ", ".join(short(key) for key in islice(value, 5))
        return f"{type_name(value)}, {len(value):,} keys: {keys}" + (", …" if len(value) > 5 else "")
    if isinstance(value, (list, tuple, set, frozenset)):
        inside = ", ".join(short(item) for item in islice(value, 5)) if isinstance(value, (list, tuple)) else ""
        more = ", …" if len(value) > 5 else ""
        return f"{type_name(value)}, {len(value):,} items" + (f": {inside}{more}" if inside else "")
    shape = getattr(value, "shape", None) if type(value).__module__.partition(".")[0] in _ARRAYS else None
    if isinstance(shape, tuple) and shape:
        return f"{type_name(value)}, shape {shape}"
    name, shown = type_name(value), short(value, width)
    return shown if value is None or shown == name else f"{name} {shown}"


_ARRAYS = ("numpy", "pandas", "polars", "torch", "xarray")


def amount(size: float) -> str:
    """Return a number of bytes for people: `512 bytes`, `49 MB`."""
    if size < 1000:
        return f"{size:.0f} bytes"
    power = min(int(math.log10(size) // 3), 4)
    size /= 1000**power
    return f"{size:.0f} {_UNITS[power]}" if size >= 10 else f"{size:.1f} {_UNITS[power]}"
