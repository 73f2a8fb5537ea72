"""The conditions that a question about a table states without a listed value: comparisons, gaps, truth values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .claims import Filter, claim, claim_alternatives, column_of, step_back
from .words import FILLER, Token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cards import Column

__all__ = ["claim_filters", "unknown_phrases"]

_COMPARISONS = (
    ("at least", ">="),
    ("no less than", ">="),
    ("not less than", ">="),
    ("at most", "<="),
    ("no more than", "<="),
    ("not more than", "<="),
    *((f"{word} than", ">") for word in ["more", "greater", "larger", "higher", "longer", "bigger", "later"]),
    *((f"{word} than", "<") for word in ["less", "fewer", "lower", "smaller", "shorter", "earlier"]),
    *((word, ">") for word in ["over", "above", "exceeding", "exceeds", "exceeded", ">"]),
    *((word, "<") for word in ["under", "below", "<"]),
    (">=", ">="),
    ("<=", "<="),
    ("!=", "!="),
)
_GAPS = frozenset(["missing", "null", "nulls", "nan", "na", "empty", "blank", "without", "no", "unknown"])
_EQUALS = frozenset(["=", "==", "is", "equal", "equals", "equal", "to", "was", "of", "number", "no"])


def claim_filters(found: Sequence[Token], columns: Sequence[Column], *, unlisted: bool) -> list[Filter]:
    """Find gaps, comparisons, equalities and truth values, and return them.

    With `unlisted` a word after a text column counts as its value although no row is known to hold it.
    """
    by_name = {column.name: column for column in columns}
    filters: list[Filter] = []
    for start in range(len(found)):
        gap = _gap(found, start) or _between(found, start, by_name) or _comparison(found, start, by_name)
        if gap:
            filters.append(gap)
    return [*filters, *_equalities(found, by_name, unlisted=unlisted), *_truths(found, by_name)]


def unknown_phrases(found: Sequence[Token]) -> list[str]:
    """Return the runs of words that nothing has claimed, in the order of the question."""
    phrases: list[str] = []
    run: list[str] = []
    for token in [*found, Token("", "end", "end")]:
        if not token.role and (token.kind == "quoted" or token.low not in FILLER):
            run.append(token.text)
            continue
        if run:
            phrases.append(" ".join(run))
        run = []
    return phrases


def _gap(found: Sequence[Token], start: int) -> Filter | None:
    """Read `missing dep_time`, `no dep_time`, `dep_time is missing`."""
    token = found[start]
    if token.role or token.low not in _GAPS:
        return None
    after = next(
        (i for i in range(start + 1, len(found)) if found[i].low not in ("values", "value", "for", "in", "a")), 0
    )
    before = step_back(found, start - 1) if token.low not in ("no", "without") else -1
    for index in (after, before):
        column = column_of(found[index]) if 0 <= index < len(found) else None
        if column:
            claim(found, min(index, start), max(index, start) + 1, "filter")
            _claim_parts(found, index)
            return Filter(column, "missing")
    return None


def _between(found: Sequence[Token], start: int, by_name: dict[str, Column]) -> Filter | None:
    span = found[start : start + 4]
    if [t.low if t.kind == "word" else t.kind for t in span] != ["between", "number", "and", "number"]:
        return None
    return _compared(found, start, start + 4, "between", (span[1].number, span[3].number), by_name)


def _comparison(found: Sequence[Token], start: int, by_name: dict[str, Column]) -> Filter | None:
    for phrase, relation in _COMPARISONS:
        words = phrase.split()
        end = start + len(words)
        if [t.low for t in found[start:end]] == words and end < len(found) and found[end].kind == "number":
            if any(t.role and not t.role.startswith("op:") for t in found[start : end + 1]):
                continue
            return _compared(found, start, end + 1, relation, (found[end].number,), by_name)
    return None


def _compared(
    found: Sequence[Token],
    start: int,
    end: int,
    relation: str,
    numbers: tuple[int | float, ...],
    by_name: dict[str, Column],
) -> Filter | None:
    """Attach a comparison to the numeric column just before it, or else to the one just after the number."""
    for index in (step_back(found, start - 1), end):
        column = column_of(found[index]) if 0 <= index < len(found) else None
        if column and by_name[column].numeric:
            _claim_parts(found, index)
            claim(found, min(index, start), max(index + 1, end), "filter")
            return Filter(column, relation, numbers)
    [*others, only] = by_name.values()
    if others or not only.numeric:
        return None
    claim(found, start, end, "filter")
    return Filter(only.name, relation, numbers)


def _claim_parts(found: Sequence[Token], index: int) -> None:
    found[index].role = "filter"
    for token in found[index + 1 :]:
        if token.role != "part":
            break
        token.role = "filter"


def _equalities(found: Sequence[Token], by_name: dict[str, Column], *, unlisted: bool) -> list[Filter]:
    """Read `month 1`, `month = 1 or 2`, `tailnum N14228`: a column followed by a value."""
    equal: dict[str, list[str | int | float]] = {}
    for start, token in enumerate(found):
        name = column_of(token)
        if name is None or (by_name[name].textual and not unlisted):
            continue
        index = start + 1
        while index < len(found) and (
            found[index].role == "part" or (not found[index].role and found[index].low in _EQUALS)
        ):
            index += 1
        values: list[str | int | float] = []
        while index < len(found) and (value := _value(found[index], by_name[name])) is not None:
            values.append(value)
            found[index].role = f"number:{name}"
            joined = index + 2 < len(found) and found[index + 1].low in ("or", "and")
            index += 2 if joined and _value(found[index + 2], by_name[name]) is not None else len(found)
        if values:
            claim(
                found, start, next(i for i in range(start, len(found)) if found[i].role == f"number:{name}"), "filter"
            )
            equal.setdefault(name, []).extend(values)
    claim_alternatives(found)
    return [Filter(name, "in", tuple(values)) for name, values in equal.items()]


def _value(token: Token, column: Column) -> str | int | float | None:
    """Return what a token means as a value of a column; a plain lower-case word is none unless it is quoted."""
    if token.role:
        return None
    if token.kind == "number" and not column.textual:
        return token.number if column.numeric else None
    special = token.kind == "quoted" or any(c.isdigit() or c.isupper() for c in token.text[1:])
    return token.text if column.textual and special else None


def _truths(found: Sequence[Token], by_name: dict[str, Column]) -> list[Filter]:
    """Read a truth column that is only mentioned as a condition: `how many rows are cancelled`, `not cancelled`."""
    filters = []
    for index, token in enumerate(found):
        name = column_of(token)
        before = found[index - 1] if index else Token("", "start")
        asked = before.role in ("op:per", "op:distinct") or (not before.role and before.low in ("which", "what"))
        if name is None or not by_name[name].boolean or asked:
            continue
        negated = before.low == "not" and not before.role
        claim(found, index - negated, index + 1, "filter")
        filters.append(Filter(name, "false" if negated else "true"))
    return filters
