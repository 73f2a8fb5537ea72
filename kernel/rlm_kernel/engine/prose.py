"""Answers that a model gives in its talk, outside every fence: `FINAL(…)`, `FINAL: …`, `FINAL_VAR(…)`, `SUBMIT(…)`.

A line has to begin with it, but for Markdown's own marks, and end with its parenthesis: whoever writes "FINAL(x) comes
later" only talks about it. Of several answers the last one counts. The answer is then given as any other is, by
a cell (`as_cell`), so that there is one way to an answer.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Literal

from .syntax import expression

__all__ = ["ProseAnswer", "as_cell", "find_answer"]

_MOST = 8
"""Marks of an answer that are looked at, from the last."""
_REACH = 200_000
"""Characters within which a parenthesis has to close."""
_MARK = re.compile(
    r"^[ ]{0,3}(?:\#{1,6}[ \t]+|(?:[-*+]|\d{1,9}[.)])[ \t]+)*"
    r"(?P<stress>[*_]{0,3})(?P<name>FINAL_VAR|FINAL|SUBMIT)(?:\(|[*_]{0,3}[ \t]?:[*_]{0,3})",
    re.MULTILINE,
)
_LINE_ENDS = re.compile(r"[*_.;!]*[ \t]*$", re.MULTILINE)
_PARENTHESES = re.compile(
    r'''
      \\["'\\]
    | """(?:[^"\\]|\\.|"(?!""))*+"""
    | \'\'\'(?:[^'\\]|\\.|'(?!''))*+\'\'\'
    | (?<!\w)[bfru]{0,2}"(?:[^"\\\n]|\\.)*+"
    | (?<!\w)[bfru]{0,2}'(?:[^'\\\n]|\\.)*+'(?!\w)
    | [()]
    ''',
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_ONE_FENCE = re.compile(r"\s*(`{3,}|~{3,})[\w+-]*\n((?:(?!\1).*\n)*)\1\s*")


@dataclass(frozen=True, slots=True)
class ProseAnswer:
    """An answer from the talk: the `value` itself, the name of a `variable`, or the `fields` of a SUBMIT."""

    kind: Literal["value", "variable", "fields"]
    text: str


def find_answer(text: str, hidden: list[tuple[int, int]], *, cut: bool = False) -> tuple[ProseAnswer | None, str]:
    r"""Return the answer in `text`, or `None`; then also why what looks like one is none, empty if nothing does.

    Args:
        text: a model's reply, whose lines end in `\n`.
        hidden: spans (start, end) in which no answer begins: fences and thoughts.
        cut: the reply was cut off, so an answer that runs to its end is not whole.

    """
    why = ""
    for mark in reversed(list(_MARK.finditer(_without(text, hidden)))[-_MOST:]):
        answer, problem = _read(text, mark, cut=cut)
        if answer:
            return answer, ""
        why = why or problem
    return None, why


def as_cell(answer: ProseAnswer) -> str:
    """Return the code that gives this answer in the session; a text that is a Python literal gives its value."""
    if answer.kind == "variable":
        return f"FINAL_VAR({answer.text!r})"
    if answer.kind == "fields":
        return f"SUBMIT({_in_parentheses(answer.text)})"
    value = answer.text if _is_value(answer.text) else repr(answer.text)
    return f"FINAL({_in_parentheses(value)})"


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """Return `text` with empty lines in place of the spans: nothing in them is seen, what follows begins a line."""
    parts, at = [], 0
    for start, end in sorted(spans):
        parts += [text[at:start], "\n" * (end - max(start, at))]
        at = max(end, at)
    return "".join([*parts, text[at:]])


def _read(text: str, mark: re.Match[str], *, cut: bool) -> tuple[ProseAnswer | None, str]:
    name = mark["name"]
    if mark[0].endswith("("):
        end = _closing(text, mark.end())
        if end is None:
            return None, f"{name}(…) counts only if its line begins with it and ends with its closing parenthesis"
        content = text[mark.end() : end]
    elif name == "SUBMIT" or cut:
        return None, f"{name}: … is not complete"
    else:
        content = text[mark.end() :]
        if mark[0].count(mark["stress"] or "\n") == 1:  # the emphasis ends somewhere in the answer
            content = content.replace(mark["stress"], "", 1)
    return _value(content) if name == "FINAL" else _fields(content) if name == "SUBMIT" else _variable(content)


def _closing(text: str, start: int) -> int | None:
    """Return where the parenthesis closes that opened before `start`, if the line ends there."""
    depth = 1
    for token in _PARENTHESES.finditer(text, start, start + _REACH):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if not depth:
            return token.start() if _LINE_ENDS.match(text, token.end()) else None
    return None


def _value(content: str) -> tuple[ProseAnswer | None, str]:
    fenced = _ONE_FENCE.fullmatch(content)
    value = (fenced[2] if fenced else content).strip()
    if value in ("", "...", "…"):
        return None, "FINAL needs the answer itself between its parentheses"
    return ProseAnswer("value", value), ""


def _variable(content: str) -> tuple[ProseAnswer | None, str]:
    name = content.strip().partition("\n")[0].strip(" \t\"'`*.;")
    if not name.isidentifier():
        return None, 'FINAL_VAR needs the name of a variable: FINAL_VAR("total")'
    return ProseAnswer("variable", name), ""


def _fields(content: str) -> tuple[ProseAnswer | None, str]:
    call = expression(f"SUBMIT({content}\n)")
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or not (call.args or call.keywords):
        return None, "SUBMIT needs the fields of the answer as Python arguments"
    if not all(map(_is_plain, call.args)) or not all(k.arg and _is_plain(k.value) for k in call.keywords):
        return None, "SUBMIT outside a fence takes only values and names of variables; compute in a fence"
    return ProseAnswer("fields", content.strip()), ""


def _is_value(text: str) -> bool:
    """Tell whether `text` is a Python literal; `1,234` is a number as people write it, not a tuple."""
    tree = expression(text)
    return tree is not None and _is_literal(tree) and (not isinstance(tree, ast.Tuple) or text.startswith("("))


def _is_plain(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) or _is_literal(value)


def _is_literal(value: ast.expr) -> bool:
    try:
        return ast.literal_eval(value) is not ...
    except (ValueError, TypeError, RecursionError, MemoryError):
        return False


def _in_parentheses(code: str) -> str:
    return f"{code}\n" if "#" in code else code  # it may end in a comment
