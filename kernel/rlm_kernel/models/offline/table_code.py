"""A `Query` as the code a careful person would type: short pandas, one step per line, the answer at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .words import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cards import Facts
    from .filters import Filter
    from .parts import Query

__all__ = ["compute", "look"]

_SIGNS = {"max": "False", "min": "True"}
_LOOKUP_COLUMNS = 50


def look(facts: Facts, unknown: Sequence[str]) -> str:
    """Return a cell that shows a little of the table, and where the given words occur in it."""
    lines = [*_table(facts)]
    textual = [c.name for c in facts.columns if c.textual or c.dtype.startswith("str")][:_LOOKUP_COLUMNS]
    if unknown and textual:
        lines += [
            f"wanted = {literal([word.lower() for word in unknown])}",
            f"for column in {literal(textual)}:",
            "    for value in table[column].dropna().unique():",
            "        if str(value).lower() in wanted:",
            '            print("found:", [column, str(value)])',
        ]
    return "\n".join([*lines, "print(table.shape)", "print(table.head(3))"])


def compute(query: Query, facts: Facts, *, simple: bool = False) -> str:
    """Return the cell that computes the query and answers; `simple` is for columns that turned out to be untidy."""
    lines = [*_table(facts)]
    used = query.measure.name if query.measure and query.measure.numeric else None
    if simple and used is not None:
        lines.append(
            f'table = table.assign(**{{{literal(used)}: pd.to_numeric(table[{literal(used)}], errors="coerce")}})'
        )
    conditions = [_condition(f) for f in query.filters]
    if conditions:
        lines.append(f"rows = table[{' & '.join(conditions)}]")
        lines.append('print(len(rows), "of", len(table), "rows match")')
    else:
        lines.append("rows = table")
    lines += _ranked(query) if query.group and query.operation != "row" else _single(query)
    return "\n".join([*lines, 'answer["ready"] = True'])


def _table(facts: Facts) -> list[str]:
    if facts.kind == "frame":
        return ["import pandas as pd", "", "table = context"]
    source = "context" if facts.kind == "records" else '{"value": context}'
    return ["import pandas as pd", "", f"table = pd.DataFrame({source})"]


def _condition(condition: Filter) -> str:
    column, values = f"table[{literal(condition.column)}]", condition.values
    match condition.relation:
        case "missing":
            return f"{column}.isna()"
        case "true" | "false" as truth:
            return f"({column} == {truth == 'true'})"
        case "between":
            return f"{column}.between({literal(values[0])}, {literal(values[1])})"
        case "in" if len(values) > 1:
            return f"{column}.isin({literal(list(values))})"
        case "in":
            return f"({column} == {literal(values[0])})"
        case sign:
            return f"({column} {sign} {literal(values[0])})"


def _value(query: Query, source: str) -> str:
    """Return the expression for the query's operation over rows or groups."""
    if query.operation == "count":
        return f"{source}.size()" if query.group else f"len({source})"
    column = f"{source}[{literal(query.measure.name if query.measure else '')}]"
    return f"{column}.nunique()" if query.operation == "distinct" else f"{column}.{query.operation}()"


def _ranked(query: Query) -> list[str]:
    value = _value(query, f"rows.groupby({literal(query.group)}, observed=True)")
    if not query.best:
        return [f"by_group = {value}", "print(by_group)", 'answer["content"] = by_group.to_dict()']
    lines = [f"ranked = {value}.sort_values(ascending={_SIGNS[query.best]})", "print(ranked.head(10))"]
    if query.top > 1:
        return [*lines, f'answer["content"] = ranked.head({query.top}).to_dict()']
    return [
        *lines,
        f"winners = ranked.index[ranked == ranked.{query.best}()].tolist()",
        'answer["content"] = winners[0] if len(winners) == 1 else winners',
    ]


def _single(query: Query) -> list[str]:
    measure = literal(query.measure.name) if query.measure else ""
    match query.operation:
        case "count":
            return ['answer["content"] = len(rows)']
        case "share":
            return ['answer["content"] = 100 * len(rows) / len(table)']
        case "values":
            return [
                f"values = sorted(rows[{measure}].dropna().unique().tolist())",
                "print(len(values))",
                'answer["content"] = values',
            ]
        case "row":
            return _row(query, measure)
    lines = [f"result = {_value(query, 'rows')}", "print(result)"]
    whole = query.measure is not None and query.measure.integer and query.operation in ("sum", "max", "min")
    if whole or query.operation == "distinct":
        return [*lines, 'answer["content"] = int(result)']
    numeric = query.measure is not None and query.measure.numeric
    return [*lines, f'answer["content"] = {"float(result)" if numeric else "result"}']


def _row(query: Query, measure: str) -> list[str]:
    lines = [
        f'ranked = rows.sort_values({measure}, ascending={_SIGNS[query.best]}, kind="stable").dropna(subset=[{measure}])'
    ]
    if query.top > 1:
        shown = f"ranked.head({query.top})"
        found = f"{shown}[{literal(query.group)}].tolist()" if query.group else f'{shown}.to_dict("records")'
        return [*lines, f"print({shown})", f'answer["content"] = {found}']
    lines.append("print(ranked.iloc[0])")
    if query.group is None:
        return [*lines, 'answer["content"] = ranked.iloc[0].to_dict()']
    return [
        *lines,
        f"winners = ranked.loc[ranked[{measure}] == ranked[{measure}].iloc[0], {literal(query.group)}].unique().tolist()",
        'answer["content"] = winners[0] if len(winners) == 1 else winners',
    ]
