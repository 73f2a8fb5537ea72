"""Python in a model's text, judged without running it: does it parse, does it do something, is it the same again?"""

from __future__ import annotations

import ast
import re
import warnings

__all__ = ["doing", "expression", "normalized", "parse"]

_LONGEST = 200_000
"""Characters beyond which nothing is parsed: no model writes that much Python in one reply."""
_IPYTHON = re.compile(r"^([ \t]*+(?:[\w.][\w., ]*=[ \t]*)?)[%!].*", re.MULTILINE)
_TOUCHING = re.compile(r"[\w.]+[(\[]|(?:[fF][rR]?|[rR][fF])['\"]")
_WORKING = (
    *(ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
    *(ast.Assign, ast.AugAssign, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.If, ast.Try),
)


def parse(code: str) -> ast.Module | None:
    """Return the tree of `code`, `None` if it is no Python or longer than 200,000 characters.

    IPython's lines (`%magic`, `!command`, `files = !ls`) are taken for statements of some kind.
    """
    if len(code) > _LONGEST:
        return None
    tree = _quietly(code, "exec") or _quietly(_IPYTHON.sub(r"\1None", code), "exec")
    return tree if isinstance(tree, ast.Module) else None


def expression(code: str) -> ast.expr | None:
    """Return the tree of the one Python expression that `code` is, else `None`; no more than 200,000 characters."""
    tree = _quietly(code.strip(), "eval") if len(code) <= _LONGEST else None
    return tree.body if isinstance(tree, ast.Expression) else None


def doing(text: str) -> list[ast.stmt]:
    """Return the statements that do something, if `text` is Python: words may happen to parse, but do nothing.

    `Smith (2020)` is a call to Python, but nobody who writes code leaves that space.
    """
    tree = parse(text)
    if tree is None:
        return []
    lines = text.split("\n")
    return [statement for statement in tree.body if _does_something(statement, lines)]


def normalized(code: str) -> str:
    """Return a text that is the same for all code that differs only in layout, quotes and comments."""
    tree = _quietly(code, "exec") if len(code) <= _LONGEST else None
    try:
        return ast.unparse(tree) if tree else " ".join(code.split())
    except (RecursionError, ValueError):  # nested too deep, or an integer too long to write down
        return " ".join(code.split())


def _quietly(code: str, mode: str) -> ast.AST | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a model's code is its own affair
            tree: ast.AST = ast.parse(code, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree


def _does_something(statement: ast.stmt, lines: list[str]) -> bool:
    if isinstance(statement, ast.Expr):
        start = lines[min(statement.lineno, len(lines)) - 1].lstrip()
        return _is_call(statement.value) and _TOUCHING.match(start.removeprefix("await ")) is not None
    return isinstance(statement, _WORKING)


def _is_call(value: ast.expr) -> bool:
    return isinstance(value, ast.Await | ast.Call | ast.Subscript | ast.JoinedStr)
