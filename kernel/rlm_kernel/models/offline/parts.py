"""The claimed words of a question about a table, put together into a `Query`, or a sentence on what does not fit.

Nothing that was said may get lost: every combination that is not one of the documented shapes is declined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from .claims import column_of
from .words import stem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cards import Column
    from .claims import Filter
    from .words import Token

__all__ = ["Query", "assemble"]

_AGGREGATES = ("count", "sum", "mean", "median", "std", "distinct", "share")
_ARTICLES = frozenset({"the", "a", "an", "all", "of", "in", "are", "is", "among"})
_ORDER = {"max": "max", "most": "max", "top": "max", "min": "min", "fewest": "min", "bottom": "min"}


@dataclass(frozen=True, slots=True)
class Query:
    """What to compute, of which column, over which rows, in which groups.

    `operation` is count, sum, mean, median, std, max, min, distinct, values, share or row, or for the table itself
    width or names. `best` is `max` or `min` where groups or rows are ranked; `top` is how many of the ranked ones are
    asked for, 0 for all.
    """

    operation: str
    measure: Column | None = None
    group: str | None = None
    filters: tuple[Filter, ...] = ()
    best: str = ""
    top: int = 0


def assemble(found: Sequence[Token], columns: Sequence[Column], filters: tuple[Filter, ...], top: int) -> Query | str:
    """Return the query that the claimed words state, or what is wrong with them."""
    by_name = {column.name: column for column in columns}
    ops = [token.role.removeprefix("op:") for token in found if token.role.startswith("op:")]
    orders = {_ORDER[op] for op in ops if op in _ORDER}
    aggregates = [op for op in dict.fromkeys(ops) if op in _AGGREGATES]
    if "distinct" in aggregates and "count" in aggregates:
        aggregates.remove("count")
    if any(token.role == "columns" for token in found):
        return _about_columns(found, ops, filters)
    if len(aggregates) > 1 or len(orders) > 1:
        return f"it asks for several things at once: {', '.join([*aggregates, *sorted(orders)])}"
    best = next(iter(orders), "")
    group, per = _group(
        found, ranked=bool(top) or "top" in ops or "bottom" in ops, listing="values" in ops and not best
    )
    if per and group is None:
        return "I could not tell what to group by"
    if top and not best:
        return "I could not tell what to rank by"
    if per and best and aggregates:
        return f"it asks for several things at once: {aggregates[0]} per group, and the {best} of them"
    mentioned = list(dict.fromkeys(name for t in found if (name := column_of(t)) and name != group))
    if len(mentioned) > 1:
        return f"I could not tell which column to use, {' or '.join(mentioned)}"
    measure = by_name[mentioned[0]] if mentioned else by_name.get("value") if len(by_name) == 1 else None
    query = Query(aggregates[0] if aggregates else "", measure, group, filters, best, top or (1 if best else 0))
    if query.operation in ("count", "share", "distinct"):
        return _counted(query, by_name, found, ops)
    if query.operation:
        return _aggregated(query)
    return _chosen(query, by_name, found, ops, per)


def _about_columns(found: Sequence[Token], ops: Sequence[str], filters: tuple[Filter, ...]) -> Query | str:
    """How many columns there are, or which; nothing else may be said."""
    if not filters and not any(column_of(token) for token in found):
        if ops == ["count"]:
            return Query("width")
        if ops in ([], ["values"]):
            return Query("names")
    return "of the columns themselves I can only tell how many there are, and their names"


def _counted(query: Query, by_name: dict[str, Column], found: Sequence[Token], ops: Sequence[str]) -> Query | str:
    """How many rows, what share of them, how many different values; which group has most of them."""
    if query.best and query.group is None:
        return "I could not tell of which groups to take the best"
    if query.operation == "share":
        return (
            query if query.group is None and not _said(query.measure, found) else "I can give shares of all rows only"
        )
    if query.operation == "count":
        if not _said(query.measure, found):
            return replace(query, measure=None)
        beside = any(
            b.role in ("op", "op:count") and column_of(t) == _name(query.measure) and stem(t.text) != t.low
            for b, t in pairwise(found)
        )
        distinct = beside and query.measure is not None and not query.measure.numeric
        return replace(query, operation="distinct") if distinct else "I could not tell what to count"
    if _said(query.measure, found):
        return query if "count" in ops or query.group else replace(query, operation="values")
    if query.group is None or query.best:
        return "I could not tell of what to take the different values"
    operation = "distinct" if "count" in ops else "values"
    return replace(query, operation=operation, measure=by_name[query.group], group=None)


def _aggregated(query: Query) -> Query | str:
    """A sum, a mean, … of one column of numbers, over all rows or per group."""
    if query.measure is None or not query.measure.numeric:
        return f"the {query.operation} needs a column of numbers"
    if query.best and query.group is None:
        return f"I could not tell of which groups to take the best {query.operation}"
    return query


def _chosen(
    query: Query, by_name: dict[str, Column], found: Sequence[Token], ops: Sequence[str], per: bool
) -> Query | str:
    """A superlative or a list without an aggregate."""
    if query.best and query.measure is not None:
        if "most" in ops or "fewest" in ops or (query.top > 1 and query.group is not None):
            return f"to rank by {query.measure.name}, say whether by its total, its average or its highest value"
        if query.group is not None and per:
            return replace(query, operation=query.best, best="", top=0)
        if query.group is not None or query.top > 1 or _asks_for_row(found):
            return replace(query, operation="row")
        return replace(query, operation=query.best, best="", top=0)
    if query.best:
        counts = query.group is not None and not per and {"most", "fewest", "top", "bottom"} & set(ops)
        return replace(query, operation="count") if counts else "I could not tell what to rank by"
    if query.group is not None and query.measure is None:
        return replace(query, operation="values", measure=by_name[query.group], group=None)
    if query.measure is not None and "values" in ops and query.group is None:
        return replace(query, operation="values")
    return "I could not tell what to compute"


def _group(found: Sequence[Token], *, ranked: bool, listing: bool) -> tuple[str | None, bool]:
    """Return the column to group by, and whether the question said so with a word like `per`."""
    for index, token in enumerate(found[:-1]):
        agent = token.low == "by" and (ranked or found[index + 1].role.startswith(("filter", "value:", "number:")))
        if token.role == "op:per" and not agent:
            return _next_column(found, index), True
    for index, token in enumerate(found):
        asks = token.low in ("which", "what") and not token.role
        if (asks or token.role == "top" or (token.role == "op:values" and listing)) and _next_column(found, index):
            return _next_column(found, index), False
    return None, False


def _next_column(found: Sequence[Token], index: int) -> str | None:
    """Return the column named next, if only articles and words of an operation stand before it."""
    for token in found[index + 1 :]:
        if column_of(token):
            return column_of(token)
        passing = token.role in ("op", "op:distinct", "op:per", "top") or (not token.role and token.low in _ARTICLES)
        if not passing:
            return None
    return None


def _asks_for_row(found: Sequence[Token]) -> bool:
    asking = ("which", "what")
    return any(t.role == "rows" and (b.low in asking or b.role in ("op:max", "op:min")) for b, t in pairwise(found))


def _said(measure: Column | None, found: Sequence[Token]) -> bool:
    return any(column_of(token) == _name(measure) for token in found) if measure else False


def _name(measure: Column | None) -> str | None:
    return measure.name if measure else None
