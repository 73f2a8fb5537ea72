"""Context cards: the bounded description a model is shown instead of a value.

A card is text of at most `limit` characters, made in bounded time whatever the size of the value, and the
same bytes in every process. It says what the value is (type, size), how it is built (columns, keys, documents)
and shows short excerpts, each cut to a declared length; it never holds a long stretch of the data.

    DataFrame: 336,776 rows x 19 columns, 51 MB
    columns:
    - "dep_delay": float64; nulls 2.4%; distinct ~480; range -43.0 .. 1301.0
    - "origin": str; distinct 3; values "EWR", "JFK", "LGA"
    first rows, cells in the order of the columns:
    2013 | 1 | 1 | 517.0 | …

A figure with `~` comes from a sample. Names and text values are quoted as in JSON. A type describes itself by
`__rlm_describe__(self) -> str`, or `register` teaches the card of a type that is not one's own. What must not be
shown is said by `redact` (see `rules`), and by `sample=False`, which leaves types, sizes and names.
"""

from __future__ import annotations

from .registry import describe, register
from .rules import Rules
from .several import describe_all

__all__ = ["Rules", "describe", "describe_all", "register"]
