"""The values that a question names: those the card lists, and those a lookup found in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .claims import Filter, claim, claim_alternatives, column_of, step_back
from .words import FILLER, Token, name_words, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .cards import Column

__all__ = ["claim_values"]

_DIRECTIONS = {"from": ("orig", "from", "source"), "to": ("dest", "target")}


def claim_values(
    found: Sequence[Token], columns: Sequence[Column], looked_up: Sequence[tuple[str, str]]
) -> tuple[list[Filter], str]:
    """Find values that the card lists, or that a lookup found, among the words; return equalities and a problem."""
    known: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for column, value in [*((c.name, v) for c in columns for v in c.values), *looked_up]:
        spelled = tuple(t.low for t in tokens(value)) or (value.lower(),)
        known.setdefault(spelled, []).append((column, value))
    equal: dict[str, list[str]] = {}
    for start, end, phrase in _spans(found, max(map(len, known), default=0)):
        meant = list(dict.fromkeys(known.get(phrase, [])))
        if not meant or (_small(phrase) and all(v != found[start].text or v.islower() for _, v in meant)):
            continue
        owners = list(dict.fromkeys(column for column, _ in meant))
        direction = _directed(found, start, columns)
        if direction and not set(owners) & set(direction):
            said = found[start].text
            return [], f"“{said}” is a value of {owners[0]}, but the word before it suggests {direction[0]}"
        owner = owners[0] if len(owners) == 1 else _beside(found, start, end, owners, direction)
        if owner is None:
            said = " ".join(t.text for t in found[start:end])
            return [], f"“{said}” is a value of several columns: {', '.join(owners)}"
        equal.setdefault(owner, []).extend(value for column, value in meant if column == owner)
        claim(found, start, end, f"value:{owner}")
        _claim_own_column(found, start, owner)
        if end < len(found) and column_of(found[end]) == owner:
            found[end].role = "filter"
    claim_alternatives(found)
    return [Filter(column, "in", tuple(dict.fromkeys(values))) for column, values in equal.items()], ""


def _spans(found: Sequence[Token], longest: int) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield stretches of unclaimed tokens, longest first, with their words."""
    for length in range(min(longest, 8), 0, -1):
        for start in range(len(found) - length + 1):
            span = found[start : start + length]
            if any(token.role for token in span):
                continue
            if length == 1 and span[0].kind == "quoted":
                yield start, start + 1, tuple(t.low for t in tokens(span[0].text)) or (span[0].low,)
            yield start, start + length, tuple(token.low for token in span)


def _small(phrase: tuple[str, ...]) -> bool:
    return len(phrase) == 1 and (phrase[0] in FILLER or phrase[0] in ("as", "or", "no", "not", "by", "per"))


def _directed(found: Sequence[Token], start: int, columns: Sequence[Column]) -> list[str]:
    """Return the text columns that `from` or `to` before a value speaks of."""
    starts = _DIRECTIONS.get(found[start - 1].low, ()) if start else ()
    return [
        column.name for column in columns if column.textual and name_words(column.name)[0].startswith(starts or "\0")
    ]


def _beside(
    found: Sequence[Token], start: int, end: int, owners: Sequence[str], direction: Sequence[str]
) -> str | None:
    """Return the owner that the words around a value name: `origin JFK`, `JFK origin`, `to SEA` for dest."""
    for index in (step_back(found, start - 1), end):
        if 0 <= index < len(found) and column_of(found[index]) in owners:
            return column_of(found[index])
    fitting = [owner for owner in owners if owner in direction]
    return fitting[0] if len(fitting) == 1 else None


def _claim_own_column(found: Sequence[Token], start: int, owner: str) -> None:
    """In `origin JFK` the column belongs to the value and is no longer a column to compute with."""
    index = step_back(found, start - 1)
    if index >= 0 and column_of(found[index]) == owner:
        claim(found, index, start, "filter")
