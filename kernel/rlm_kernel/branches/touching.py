"""What a cell may touch, read from its code."""

from __future__ import annotations

import ast

__all__ = ["mentioned_names", "touched_names"]


def mentioned_names(code: str) -> set[str]:
    """Return every name that occurs in a cell."""
    try:
        return {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    except SyntaxError:
        return set()


def touched_names(code: str) -> set[str]:
    """Return the names a cell may change: those it binds, deletes, or reaches into (`d[k] = …`, `df.drop(…)`)."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return set()
    touched: set[str] = set()
    for node in ast.walk(tree):
        touched.update(_bound_by(node))
    return touched


def _bound_by(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return [(alias.asname or alias.name).partition(".")[0] for alias in aliases]
        case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
            return _root(node)
        case ast.Call(func=ast.Attribute() as method):
            return _root(method)
    return []


def _root(node: ast.expr) -> list[str]:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return [node.id] if isinstance(node, ast.Name) else []
