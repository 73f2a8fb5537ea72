"""`f()()` where `f()` cannot be called: a stutter of models, repaired without touching code that means it.

The second pair of parentheses becomes a call of `WORD`, which calls what it is given if that can be called and
returns it if not. Strings, and calls with arguments, stay as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

__all__ = ["WORD", "DoubledCalls", "once_more"]

WORD = "__rlm_once_more__"
"""The name under which `once_more` must be found by cells."""


class DoubledCalls(ast.NodeTransformer):
    """Rewrites `f()()`; to be put into a shell's `ast_transformers`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace the outer call of a pair."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Call) or node.args or node.keywords:
            return node
        doubled = ast.Call(func=ast.Name(id=WORD, ctx=ast.Load()), args=[node.func], keywords=[])
        return ast.fix_missing_locations(ast.copy_location(doubled, node))


def once_more(notes: list[str]) -> Callable[[Any], Any]:
    """Return the function that `WORD` names: it calls a value if that can be called; else it notes that it did not."""

    def call(value: Any) -> Any:
        if callable(value):
            return value()
        notes.append("Note: f()() was taken for f(), because what f() returns cannot be called.")
        return value

    return call
