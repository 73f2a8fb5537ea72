"""A `Query` as the code a careful person would type: short pandas, one step per line, the answer at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .words import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cards import Facts
    from .claims import Filter
    from .parts import Query

__all__ = ["compute", "look"]

_ASCENDING = {"max": "ascending=False", "min": "ascending=True"}
_LOOKUP_COLUMNS = 50


def look(facts: Facts, unknown: Sequence[str]) -> str:
    """Return a cell that shows a little of the table, and where the given words occur in it."""
    table, lines = _table(facts)
    textual = [column.name for column in facts.columns if column.textual][:_LOOKUP_COLUMNS]
    if unknown and textual:
        wanted = dict.fromkeys(word.lower() for phrase in unknown for word in (phrase, *phrase.split()))
        lines += [
            f"wanted = {literal(list(wanted))}",
            f"for column in {literal(textual)}:",
            f"    for value in {table}[column].dropna().unique():",
            "        if str(value).lower() in wanted:",
            '            print("found:", [column, str(value)])',
        ]
    return "\n".join([*lines, f"print({table}.shape)", f"print({table}.head(3))"])


def compute(query: Query, facts: Facts, *, simple: bool = False) -> str:
    """Return the cell that computes the query and answers; `simple` reads an untidy column as numbers where it can."""
    table, lines = _table(facts)
    if simple and query.measure is not None and query.measure.numeric:
        name = literal(query.measure.name)
        lines = ["import pandas as pd", "", *lines] if facts.kind == "frame" else lines
        lines.append(f'table = {table}.assign(**{{{name}: pd.to_numeric({table}[{name}], errors="coerce")}})')
        table = "table"
    rows = table
    if query.filters:
        conditions = [_condition(condition, table) for condition in query.filters]
        both = " & ".join(f"({condition})" for condition in conditions) if len(conditions) > 1 else conditions[0]
        lines += [f"rows = {table}[{both}]", f'print(len(rows), "of", len({table}), "rows match")']
        rows = "rows"
    if query.operation == "share":
        lines.append(f'answer["content"] = 100 * len({rows}) / len({table})')
    else:
        lines += _ranked(query, rows) if query.group and query.operation != "row" else _single(query, rows)
    return "\n".join([*lines, 'answer["ready"] = True'])


def _table(facts: Facts) -> tuple[str, list[str]]:
    """Return the name of the DataFrame, and the lines that make it where the context is none."""
    if facts.kind == "frame":
        return "context", []
    source = "context" if facts.kind == "records" else '{"value": context}'
    return "table", ["import pandas as pd", "", f"table = pd.DataFrame({source})"]


def _condition(condition: Filter, table: str) -> str:
    column, values = f"{table}[{literal(condition.column)}]", condition.values
    match condition.relation:
        case "missing":
            return f"{column}.isna()"
        case "true" | "false" as truth:
            return f"{column} == {truth.title()}"
        case "between":
            return f"{column}.between({literal(values[0])}, {literal(values[1])})"
        case "in" if len(values) > 1:
            return f"{column}.isin({literal(list(values))})"
        case "in":
            return f"{column} == {literal(values[0])}"
        case sign:
            return f"{column} {sign} {literal(values[0])}"


def _value(query: Query, source: str) -> str:
    """Return the expression for the query's operation over rows or groups."""
    if query.operation == "count":
        return f"{source}.size()" if query.group else f"len({source})"
    column = f"{source}[{literal(query.measure.name if query.measure else '')}]"
    return f"{column}.nunique()" if query.operation == "distinct" else f"{column}.{query.operation}()"


def _ranked(query: Query, rows: str) -> list[str]:
    value = _value(query, f"{rows}.groupby({literal(query.group)}, observed=True)")
    if not query.best:
        return [f"by_group = {value}", "print(by_group)", 'answer["content"] = by_group.to_dict()']
    lines = [f"ranked = {value}.sort_values({_ASCENDING[query.best]})", "print(ranked.head(10))"]
    if query.top > 1:
        return [*lines, f'answer["content"] = ranked.head({query.top}).to_dict()']
    return [*lines, f"winners = ranked.index[ranked == ranked.{query.best}()].tolist()", *_winners()]


def _single(query: Query, rows: str) -> list[str]:
    measure = literal(query.measure.name) if query.measure else ""
    match query.operation:
        case "count":
            return [f'answer["content"] = len({rows})']
        case "width":
            return [f'answer["content"] = len({rows}.columns)']
        case "names":
            return [f'answer["content"] = list({rows}.columns)']
        case "values":
            lines = [f"values = sorted({rows}[{measure}].dropna().unique().tolist())", "print(len(values))"]
            return [*lines, 'answer["content"] = values']
        case "row":
            return _row(query, rows, measure)
    whole = query.measure is not None and query.measure.integer and query.operation in ("sum", "max", "min")
    numeric = query.measure is not None and query.measure.numeric
    kind = "int(result)" if whole or query.operation == "distinct" else "float(result)" if numeric else "result"
    content = f'{kind} if len({rows}) else "No row matches."' if query.filters else kind
    return [f"result = {_value(query, rows)}", "print(result)", f'answer["content"] = {content}']


def _row(query: Query, rows: str, measure: str) -> list[str]:
    lines = [
        f"known = {rows}.dropna(subset=[{measure}])",
        f'ranked = known.sort_values({measure}, {_ASCENDING[query.best]}, kind="stable")',
        f"print(ranked.head({max(query.top, 3)}))",
    ]
    if query.group is not None:
        best = f"ranked[ranked[{measure}] == ranked[{measure}].{query.best}()]"
        return [*lines, f"winners = {best}[{literal(query.group)}].unique().tolist()", *_winners()]
    if query.top > 1:
        return [*lines, f'answer["content"] = ranked.head({query.top}).to_dict("records")']
    return [*lines, 'answer["content"] = ranked.iloc[0].to_dict() if len(ranked) else "No row matches."']


def _winners() -> list[str]:
    return ["# Where several share the first place, all of them are the answer.", _ONE_OR_ALL]


_ONE_OR_ALL = 'answer["content"] = winners[0] if len(winners) == 1 else winners'
