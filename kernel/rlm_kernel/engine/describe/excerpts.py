"""Every piece of data on a card comes from a `Pen`: quoted, short, on one line, and under the rules.

A pen that may not show samples writes types and lengths only, so that a describer that forgets to ask whether it may
quote still shows nothing.
"""

from __future__ import annotations

import datetime
import json
from itertools import islice
from typing import Any

from .fields import fields
from .rules import MASK, Rules

__all__ = ["CELL", "PREVIEW", "TITLE", "Pen", "one_line", "type_name"]

TITLE = 120
"""Characters shown of the one text that a card is about, from its beginning and from its end."""
PREVIEW = 80
"""Characters shown of one of many documents."""
CELL = 40
"""Characters shown of a cell, a key's name or a listed value."""

_BEYOND = 1000
"""Characters read beyond an excerpt, so that what a pattern matches is not cut in two before it is masked."""
_PLAIN = (bool, type(None), complex, datetime.date, datetime.time, datetime.timedelta)
_PRINTED = {
    ("numpy", "datetime64"),
    ("numpy", "timedelta64"),
    ("pandas", "Interval"),
    ("pandas", "NAType"),
    ("pandas", "Period"),
    ("uuid", "UUID"),
}
_ARRAYS = ("numpy", "pandas", "polars", "pyarrow", "scipy", "torch", "xarray")


class Pen:
    """Writes excerpts; with `sample` off none of the data, only types, lengths and names."""

    def __init__(self, rules: Rules, *, sample: bool = True) -> None:
        self.rules = rules
        self.sample = sample

    def quote(self, text: str, width: int) -> str:
        """Return the first `width` characters quoted as in JSON, on one line, ending in `…` if there are more."""
        return self._quoted(text, width) if self.sample else f"{len(text):,} characters"

    def ending(self, text: str, width: int) -> str:
        """Return the last `width` characters quoted, beginning with `…` if there are more."""
        masked = self.rules.mask(text[-width - _BEYOND :])
        quoted = _quote(masked[-width:])
        return f"{quoted[0]}…{quoted[1:]}" if len(text) > width else quoted

    def name(self, name: Any) -> str:
        """Return the name of a column or a key, which is shown in any case."""
        if isinstance(name, tuple):
            return "(" + ", ".join(self.name(part) for part in name[:5]) + (", …)" if len(name) > 5 else ")")
        return self._quoted(name, 2 * CELL) if isinstance(name, str) else self._scalar(name, CELL)

    def short(self, value: Any, width: int = CELL) -> str:
        """Return a value as a cell of about `width` characters; only small types are ever printed whole."""
        if isinstance(value, (list, tuple, set, frozenset, dict)):
            return f"{type_name(value)} of {len(value):,}"
        return self._scalar(value, width) if self.sample else type_name(value)

    def brief(self, value: Any, width: int = PREVIEW) -> str:
        """Return type, size and a short preview of a value that is part of another, on one line."""
        if isinstance(value, (str, bytes)):
            unit = "characters" if isinstance(value, str) else "bytes"
            shown = f": {self.short(value, width)}" if self.sample else ""
            return f"{type_name(value)}, {len(value):,} {unit}{shown}"
        named = fields(value)
        if named is not None:
            keys = ", ".join(self.name(key) for key in islice(named, 5))
            noun = "keys" if isinstance(value, dict) else "fields"
            return f"{type_name(value)}, {len(named):,} {noun}: {keys}" + (", …" if len(named) > 5 else "")
        if isinstance(value, (list, tuple, set, frozenset)):
            listed = self.sample and isinstance(value, (list, tuple))
            inside = ", ".join(self.short(item) for item in islice(value, 5)) if listed else ""
            more = ", …" if len(value) > 5 else ""
            return f"{type_name(value)}, {len(value):,} items" + (f": {inside}{more}" if inside else "")
        shape = getattr(value, "shape", None) if type(value).__module__.partition(".")[0] in _ARRAYS else None
        if isinstance(shape, tuple) and shape:
            return f"{type_name(value)}, shape {tuple(shape)}"
        name, shown = type_name(value), self.short(value, width)
        return shown if value is None or shown == name else f"{name} {shown}"

    def under(self, name: Any, value: Any, width: int = PREVIEW) -> str:
        """Return `brief(value)` of a value called `name`, or only its type if the rules hide it."""
        return f"{type_name(value)}; values hidden" if self.rules.hides(name) else self.brief(value, width)

    def cell(self, name: Any, value: Any) -> str:
        """Return `short(value)` of a value called `name`, or a mask if the rules hide it."""
        return MASK if self.rules.hides(name) else self.short(value)

    def _quoted(self, text: str, width: int) -> str:
        masked = self.rules.mask(text[: width + _BEYOND])
        quoted = _quote(masked[:width])
        return f"{quoted[:-1]}…{quoted[-1]}" if len(masked) > width else quoted

    def _scalar(self, value: Any, width: int) -> str:
        kind = type(value)
        home = kind.__module__.partition(".")[0]
        if isinstance(value, str):
            return self._quoted(value, width)
        if isinstance(value, bytes):
            text = value[: width + _BEYOND].decode("latin-1")
            masked = self.rules.mask(text)
            shown = repr(value[:width]) if masked == text else "b" + _quote(masked[:width])
            return shown + ("…" if len(masked) > width else "")
        if kind is int:
            return self.rules.mask(str(value)) if value.bit_length() <= 256 else f"int of {value.bit_length():,} bits"
        if isinstance(value, float):
            exact = repr(float(value))
            return self._rounded(exact, exact if len(exact) <= 12 else f"{value:.6g}")
        if (home, kind.__name__) == ("decimal", "Decimal"):
            return self._rounded(f"{value:.40g}", f"{value:.15g}")
        if isinstance(value, _PLAIN) or (home, kind.__name__) in _PRINTED:
            return self.rules.mask(one_line("NA" if kind.__name__ == "NAType" else str(value), CELL))
        if home == "numpy" and getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
            item = value.item()
            return kind.__name__ if type(item) is kind else self._scalar(item, width)
        return type_name(value)

    def _rounded(self, exact: str, rounded: str) -> str:
        """Return a number rounded, unless a pattern matches what it is exactly."""
        masked = self.rules.mask(exact)
        return rounded if masked == exact else masked[:CELL]


def type_name(value: object) -> str:
    """Return the name of the value's class, at most `CELL` characters, on one line."""
    return one_line(type(value).__qualname__, CELL)


def one_line(text: str, width: int) -> str:
    """Return the first `width` characters without anything that is not printable."""
    return "".join(c if c.isprintable() else " " for c in text[:width])


def _quote(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in quoted)
