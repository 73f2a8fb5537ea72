"""A question about a table, read into a `Query`: what to compute, of which column, over which rows, in which groups.

The words are claimed in turn: nouns for the rows, columns, values, conditions, operations. A query comes out only if no
word is left over and the parts fit together; otherwise the reading says in a sentence what it could not place.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from .columns import claim_columns
from .filters import claim_filters, unknown_phrases
from .parts import Query, assemble
from .values import claim_values
from .words import FILLER, Token, stem, tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cards import Column, Facts

__all__ = ["Reading", "read"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A query, or else the phrases that could be values not listed in the card, or the problem in a sentence."""

    query: Query | None = None
    unknown: tuple[str, ...] = ()
    problem: str = ""
    note: str = ""


_OPERATIONS = {
    "count": ("how many total", "how many", "total number of", "number of", "count of", "count"),
    "sum": ("sum of", "sum", "total", "combined", "how much"),
    "mean": ("mean", "average", "avg"),
    "median": ("median",),
    "std": ("standard deviation", "std"),
    "share": ("percentage of", "percent of", "% of", "percentage", "percent", "share of", "proportion of"),
    "distinct": ("distinct", "different", "unique"),
    "max": ["maximum", "max", "highest", "largest", "biggest", "longest", "greatest", "latest"],
    "min": ["minimum", "min", "lowest", "smallest", "shortest", "earliest"],
    "most": ("most", "the most"),
    "fewest": ("fewest", "least"),
    "top": ("top",),
    "bottom": ("bottom",),
    "per": ("for each", "grouped by", "per", "by", "each"),
    "values": ("which are", "what are", "list"),
}
_RESERVED = frozenset(p for phrases in _OPERATIONS.values() for p in phrases if " " not in p) | frozenset(
    ("number", "how", "many")
)
_ROWS = frozenset({"row", "record", "entry", "item", "observation", "case"})
_TIMES = frozenset({"year", "quarter", "month", "week", "day", "hour", "minute", "second"})
_PLAIN_NAMES = frozenset(
    {"df", "data", "dataframe", "dataset", "table", "frame", "context", "rows", "records", "items"}
)
_CHOOSING = frozenset({"op", "op:count", "op:most", "op:fewest", "op:share"})


def read(
    question: str, facts: Facts, alias: str = "", looked_up: Sequence[tuple[str, str]] = (), *, last: bool = True
) -> Reading:
    """Read a question about the table of a card.

    `looked_up` are (column, value) pairs known to be in the table; `last` says that no more will be looked up.
    """
    found = tokens(question)
    names = {column.name for column in facts.columns}
    _claim_operations(found, facts.columns)
    _claim_rows(found, facts.columns, alias)
    problem = claim_columns(found, facts.columns, _RESERVED)
    if problem:
        return Reading(problem=problem)
    equal, problem = claim_values(found, facts.columns, [pair for pair in looked_up if pair[0] in names])
    if problem:
        return Reading(problem=problem)
    compared = claim_filters(found, facts.columns, unlisted=last)
    top = _claim_top(found)
    note = _claim_noun(found, alias)
    unknown = unknown_phrases(found)
    if unknown:
        said = ", ".join(f"“{phrase}”" for phrase in unknown)
        return Reading(unknown=tuple(unknown), problem=f"I could not place {said}: no column or value has that name")
    query = assemble(found, facts.columns, (*equal, *compared), top)
    return Reading(query, note=note) if isinstance(query, Query) else Reading(problem=query)


def _claim_operations(found: Sequence[Token], columns: Sequence[Column]) -> None:
    phrases = sorted(
        ((phrase.split(), role) for role, all_ in _OPERATIONS.items() for phrase in all_), key=lambda p: -len(p[0])
    )
    for words, role in phrases:
        for start in range(len(found) - len(words) + 1):
            span = found[start : start + len(words)]
            if [t.low for t in span] == words and not any(t.role or t.kind == "quoted" for t in span):
                for token in span:
                    token.role = "op"
                span[0].role = f"op:{role}"
    names = {column.name.lower(): column.name for column in columns}
    for token in [t for t in found if t.role.startswith("op:")][1:]:
        if token.low in names:
            token.role = f"column:{names[token.low]}"


def _claim_rows(found: Sequence[Token], columns: Sequence[Column], alias: str) -> None:
    """Claim the nouns known to mean rows: `rows`, the variable's own name, the plural of a number column in a count."""
    named = {column.name.lower() for column in columns}
    own = stem(alias) if alias.lower() not in _PLAIN_NAMES | named else ""
    numeric = {column.name.lower() for column in columns if column.numeric}
    for index, token in enumerate(found):
        if token.role or token.kind != "word":
            continue
        if token.low in ("column", "columns") and not {"column", "columns"} & named:
            token.role = "columns"
        singular, plural = stem(token.text), stem(token.text) != token.low
        followed = index + 1 < len(found) and found[index + 1].kind == "number"
        counted = plural and singular in numeric - _TIMES and token.low not in numeric
        if singular in _ROWS or (own and singular == own and not followed) or counted:
            token.role = "rows"


def _claim_noun(found: Sequence[Token], alias: str) -> str:
    """Take an unknown noun where rows are counted or chosen as the word for a row, unless the table has a name."""
    placed = any(token.role.startswith(("column:", "value:", "filter")) for token in found)
    if not placed or (alias and alias.lower() not in _PLAIN_NAMES) or any(t.role == "rows" for t in found):
        return ""
    for before, token in pairwise(found):
        counting = before.role in _CHOOSING or (not before.role and before.low == "which")
        plain = not token.role and token.kind == "word" and token.low not in FILLER and token.text.islower()
        if counting and plain and stem(token.text) != token.low:
            for other in found:
                if not other.role and stem(other.text) == stem(token.text):
                    other.role = "rows"
            return f"I take “{token.text}” to be the rows of the table."
    return ""


def _claim_top(found: Sequence[Token]) -> int:
    """Claim the number in `top 5 …`, `5 largest …`, `which 3 …`; return it, 0 if there is none."""
    for before, after in pairwise(found):
        for number, word in ((after, before), (before, after)):
            ranked = word.role.removeprefix("op:") in ("top", "bottom", "max", "min", "most", "fewest")
            ranked = ranked or (word is before and word.low in ("which", "what") and not word.role)
            if ranked and number.kind == "number" and not number.role and 0 < number.number <= 1000:
                number.role = "top"
                return int(number.number)
    return 0
