"""A question about a table, read into a `Query`: what to compute, of which column, over which rows, in which groups.

The words are claimed in turn: nouns for the rows, columns, values, conditions, operations. A query comes out only if no
word is left over and the parts fit together; otherwise the reading says in a sentence what it could not place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .columns import claim_columns
from .filters import Filter, claim_filters, claim_values, column_of, unknown_phrases
from .words import FILLER, Token, stem, tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cards import Column, Facts

__all__ = ["Query", "Reading", "read"]


@dataclass(frozen=True, slots=True)
class Query:
    """What to compute. `operation` is count, sum, mean, median, std, max, min, distinct, values, share or row.

    `best` is `max` or `min` where groups or rows are ranked; `top` is how many of the ranked ones, 0 for all.
    """

    operation: str
    measure: Column | None = None
    group: str | None = None
    filters: tuple[Filter, ...] = ()
    best: str = ""
    top: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """A query, or else the phrases that could be values not listed in the card, or the problem in a sentence."""

    query: Query | None = None
    unknown: tuple[str, ...] = ()
    problem: str = ""
    note: str = ""


_OPERATIONS = {
    "count": ("how many", "number of", "count of", "count"),
    "sum": ("sum of", "sum", "total", "combined", "how much"),
    "mean": ("mean", "average", "avg"),
    "median": ("median",),
    "std": ("standard deviation", "std"),
    "share": (
        "percentage of",
        "percent of",
        "% of",
        "percentage",
        "percent",
        "share of",
        "proportion of",
        "fraction of",
    ),
    "distinct": ("distinct", "different", "unique"),
    "max": "maximum max highest largest biggest longest greatest latest".split(),
    "min": "minimum min lowest smallest shortest earliest".split(),
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
_ROWS = frozenset("row record entry item observation case".split())
_PLAIN_NAMES = frozenset("df data dataframe dataset table frame context rows records items x tbl t list".split())
_AGGREGATES = ("count", "sum", "mean", "median", "std", "distinct", "share")


def read(question: str, facts: Facts, alias: str = "", looked_up: Sequence[tuple[str, str]] = ()) -> Reading:
    """Read a question about the table of a card; `looked_up` are (column, value) pairs known to be in it."""
    found = tokens(question)
    _claim_operations(found, facts.columns)
    note = _claim_rows(found, facts.columns, alias)
    problem = claim_columns(found, facts.columns, _RESERVED)
    if problem:
        return Reading(problem=problem)
    equal, problem = claim_values(found, facts.columns, looked_up)
    if problem:
        return Reading(problem=problem)
    compared, _ = claim_filters(found, facts.columns)
    note = note or _claim_noun(found, alias)
    unknown = unknown_phrases(found)
    if unknown:
        said = ", ".join(f"“{phrase}”" for phrase in unknown)
        return Reading(unknown=tuple(unknown), problem=f"I could not place {said}: no column or value has that name")
    reading = _Parts(found, facts.columns).query((*equal, *compared))
    return Reading(reading, note=note) if isinstance(reading, Query) else Reading(problem=reading)


def _claim_operations(found: Sequence[Token], columns: Sequence[Column]) -> None:
    names = {stem(column.name) for column in columns}
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
    claimed = [t for t in found if t.role.startswith("op:")]
    for token in claimed[1:]:
        if stem(token.text) in names and column_name(token, columns):
            token.role = f"column:{column_name(token, columns)}"


def column_name(token: Token, columns: Sequence[Column]) -> str | None:
    """Return the column whose whole name is the token's one word."""
    return next((c.name for c in columns if c.name.lower() == token.low), None)


def _claim_rows(found: Sequence[Token], columns: Sequence[Column], alias: str) -> str:
    """Claim the nouns known to mean rows: `rows`, the variable's own name, the plural of a number column in a count."""
    own = stem(alias) if alias.lower() not in _PLAIN_NAMES else ""
    numeric = {c.name.lower() for c in columns if c.numeric}
    for index, token in enumerate(found):
        if token.role or token.kind != "word":
            continue
        singular, plural = stem(token.text), stem(token.text) != token.low
        followed = index + 1 < len(found) and found[index + 1].kind == "number"
        counted = plural and singular in numeric and token.low not in numeric
        if singular in _ROWS or (own and singular == own and not followed) or counted:
            token.role = "rows"
    return ""


def _claim_noun(found: Sequence[Token], alias: str) -> str:
    """Take an unknown noun where rows are counted or chosen as the word for a row, unless the table has its own name."""
    if alias and alias.lower() not in _PLAIN_NAMES or any(t.role == "rows" for t in found):
        return ""
    for before, token in zip(found, found[1:], strict=False):
        counting = before.role in ("op:count", "op", "op:most", "op:fewest", "op:share") or before.low in (
            "which",
            "what",
        )
        plain = not token.role and token.kind == "word" and token.low not in FILLER and token.text.islower()
        if counting and plain and (before.role or before.low == "which") and stem(token.text) != token.low:
            for other in found:
                if not other.role and stem(other.text) == stem(token.text):
                    other.role = "rows"
            return f"I take “{token.text}” to be the rows of the table."
    return ""


class _Parts:
    """The claimed parts of a question, put together."""

    def __init__(self, found: Sequence[Token], columns: Sequence[Column]) -> None:
        self._found = found
        self._columns = {column.name: column for column in columns}
        self._ops = [t.role.removeprefix("op:") for t in found if t.role.startswith("op:")]
        self._top = self._claim_top()

    def query(self, filters: tuple[Filter, ...]) -> Query | str:
        """Return the query, or what does not fit."""
        filters += self._truths()
        aggregates = [op for op in dict.fromkeys(self._ops) if op in _AGGREGATES]
        if "distinct" in aggregates and "count" in aggregates:
            aggregates.remove("count")
        best = self._best()
        group, grouped = self._group(best)
        if group == "?":
            return "I could not tell what to group by"
        mentioned = [name for t in self._found if (name := column_of(t)) and name != group]
        if len(set(mentioned)) > 1:
            return f"I could not tell which column to use: {' or '.join(dict.fromkeys(mentioned))}"
        measure = self._columns[mentioned[0]] if mentioned else None
        if measure is None and list(self._columns) == ["value"]:
            measure = self._columns["value"]
        if any(t.kind == "number" and not t.role for t in self._found):
            return "I could not tell what the number is compared with"
        if len(aggregates) > 1:
            return f"it asks for several things at once: {', '.join(aggregates)}"
        return self._assembled(aggregates[0] if aggregates else "", measure, group, grouped, best, filters)

    def _assembled(
        self,
        aggregate: str,
        measure: Column | None,
        group: str | None,
        grouped: bool,
        best: str,
        filters: tuple[Filter, ...],
    ) -> Query | str:
        query = Query(aggregate, measure, group, filters, best, self._top or (1 if best else 0))
        counted = aggregate in ("", "count") and any(op in ("most", "fewest", "top", "bottom") for op in self._ops)
        if group and not grouped and measure is None and best and (counted or aggregate == "count"):
            return _with(query, operation="count")
        if aggregate == "count" and measure is not None and self._counts(measure):
            return _with(query, operation="distinct")
        if aggregate in ("count", "share"):
            return "I could not tell what to count" if measure is not None else query
        if aggregate == "distinct":
            if measure is None and group and not best:
                return _with(query, operation="distinct", measure=self._columns[group], group=None)
            if measure is None:
                return "I could not tell of what to count the different values"
            return _with(query, operation="distinct" if "count" in self._ops or group else "values")
        if aggregate:
            return query if measure is not None and measure.numeric else f"the {aggregate} needs a column of numbers"
        if best and measure is not None:
            return self._extreme(query)
        if measure is not None and "values" in self._ops and not group:
            return _with(query, operation="values")
        if group and measure is None and not best:
            return _with(query, operation="values", measure=self._columns[group], group=None)
        return "I could not tell what to compute"

    def _extreme(self, query: Query) -> Query | str:
        """A superlative without an aggregate: of the column itself, of a row, or of each group."""
        if "most" in self._ops or "fewest" in self._ops:
            return "“most” of a column can be its total or its highest value: say which"
        per_group = any(op == "per" for op in self._ops)
        if query.group and per_group:
            return _with(query, operation=query.best, best="", top=0)
        if query.group or self._asks_for_row() or self._top:
            return _with(query, operation="row")
        return _with(query, operation=query.best, best="", top=0)

    def _best(self) -> str:
        for op in self._ops:
            if op in ("max", "most", "top"):
                return "max"
            if op in ("min", "fewest", "bottom"):
                return "min"
        return ""

    def _claim_top(self) -> int:
        """Claim the number in `top 5 …`, `5 largest …`; return it, 0 if there is none."""
        for before, after in zip(self._found, self._found[1:], strict=False):
            for number, word in ((after, before), (before, after)):
                ranked = word.role in ("op:top", "op:bottom", "op:max", "op:min", "op:most", "op:fewest")
                whole = number.kind == "number" and not number.role and isinstance(number.number, int)
                if ranked and whole and 0 < number.number <= 1000:
                    number.role = "top"
                    return int(number.number)
        return 0

    def _group(self, best: str) -> tuple[str | None, bool]:
        """Return the column to group by, and whether the question said so with `per`."""
        ranked = any(op in ("top", "bottom") for op in self._ops) or self._top
        for index, token in enumerate(self._found):
            if token.role == "op:per" and not (ranked and token.low == "by"):
                name = self._next_column(index)
                return (name or "?"), True
        for index, token in enumerate(self._found):
            asks = token.low in ("which", "what") and not token.role
            if asks or token.role == "top" or (token.role == "op:values" and not best):
                name = self._next_column(index)
                if name:
                    return name, False
        return None, False

    def _next_column(self, index: int) -> str | None:
        for token in self._found[index + 1 :]:
            if column_of(token):
                return column_of(token)
            if (
                token.role
                and token.role not in ("op", "op:distinct", "op:per", "top")
                or (not token.role and token.low not in _ARTICLES)
            ):
                return None
        return None

    def _counts(self, measure: Column) -> bool:
        """Whether `how many <column>` can only mean its different values: the words stand side by side."""
        for before, token in zip(self._found, self._found[1:], strict=False):
            if column_of(token) == measure.name and before.role in ("op", "op:count") and not measure.numeric:
                return True
        return False

    def _asks_for_row(self) -> bool:
        asked = ("which", "what")
        pairs = zip(self._found, self._found[1:], strict=False)
        return any(
            after.role == "rows" and (before.low in asked or before.role in ("op:max", "op:min"))
            for before, after in pairs
        )

    def _truths(self) -> tuple[Filter, ...]:
        """A truth column that is only mentioned is a condition: `how many rows are cancelled`."""
        filters = []
        for index, token in enumerate(self._found):
            name = column_of(token)
            if name and self._columns[name].boolean and not (index and self._found[index - 1].role.startswith("op")):
                token.role = "filter"
                filters.append(Filter(name, "true"))
        return tuple(filters)


_ARTICLES = frozenset("the a an all of in are is".split())


def _with(query: Query, **changes: object) -> Query:
    from dataclasses import replace

    return replace(query, **changes)  # type: ignore[arg-type]  # the names are this module's own


_YEAR = re.compile(r"(19|20)\d\d")
