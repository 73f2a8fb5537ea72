"""What a card says, read back: the kind of value, and for tables the columns with their listed values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Column", "Facts", "read"]

Kind = Literal["frame", "records", "values", "text", "file", "documents", "named", "other"]
"""DataFrame, list of dicts, one column of values, one text, the same in a large file, a list of texts, a dict of texts,
anything else."""

_LINE = re.compile(r'- ("(?:[^"\\]|\\.)*"|[^:"]+): ([^;]*)(.*)')
_VALUES = re.compile(r"; values (.*)")
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"DataFrame: ", "frame"),
    (r"(?:list|tuple) of records: ", "records"),
    (r"(?:list|tuple) of str: ", "documents"),
    (r"(?:dict|Folder) of str: ", "named"),
    (r"str: ", "text"),
    (r"LazyText: ", "file"),
    (r"Series: ", "values"),
    (r"(?:list|tuple): [^\n]*\ntypes: (?:(?:int|float) ~?[\d,]+(?:, )?)+\n", "values"),
    (r"ndarray: shape \(\d+,\), (?:int|uint|float)", "values"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the card shows it; `values` are the listed ones, of text and truth values only."""

    name: str
    dtype: str
    values: tuple[str, ...] = ()

    @property
    def integer(self) -> bool:
        """Whether its values are whole numbers."""
        return bool(re.match(r"u?int\d*$", self.dtype, re.IGNORECASE))

    @property
    def numeric(self) -> bool:
        """Whether it can be added up."""
        return self.integer or bool(re.match(r"(float\d*|float\|int|int\|float)$", self.dtype, re.IGNORECASE))

    @property
    def boolean(self) -> bool:
        """Whether it holds truth values."""
        return self.dtype in ("bool", "boolean")

    @property
    def textual(self) -> bool:
        """Whether its values are words."""
        return self.dtype in ("str", "object", "category") or self.dtype.startswith("string")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the card says of the value."""

    kind: Kind
    columns: tuple[Column, ...] = ()


def read(card: str) -> Facts:
    """Read a card; one that is in no known form is of kind `other`."""
    kind: Kind = next((kind for pattern, kind in _KINDS if re.match(pattern, card)), "other")
    if kind in ("frame", "records"):
        lines = card.partition("\ncolumns:\n" if kind == "frame" else "\nkeys:\n")[2].splitlines()
        return Facts(kind, tuple(column for line in lines if (column := _column(line))))
    if kind == "values":
        return Facts(kind, (Column("value", _values_dtype(card)),))
    return Facts(kind)


def _column(line: str) -> Column | None:
    """Read one column's line; a name that is cut short, or is not text, cannot be used in code."""
    match = _LINE.match(line)
    name = _text(match[1]) if match else None
    if match is None or name is None:
        return None
    listed = _VALUES.search(match[3])
    values = re.findall(r'"(?:[^"\\]|\\.)*"', listed[1]) if listed else []
    return Column(name, match[2].strip(), tuple(v for text in values if (v := _text(text)) is not None))


def _text(quoted: str) -> str | None:
    try:
        text = json.loads(quoted)
    except ValueError:
        return None
    return text if isinstance(text, str) and not text.endswith("…") else None


def _values_dtype(card: str) -> str:
    series = re.search(r"\n- [^\n]*?: (\w+)", card) if card.startswith("Series") else None
    if series:
        return series[1]
    return "int64" if re.search(r"types: int ~?[\d,]+\n|\), u?int", card) else "float64"
