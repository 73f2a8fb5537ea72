"""Which of our files make up the far side of a Jupyter branch: `jupyter_cargo`, and all that it imports from us."""

from __future__ import annotations

import ast
from functools import cache
from importlib.resources import files

__all__ = ["far_side"]

_ENTRY = "branches.jupyter_cargo"


@cache
def far_side() -> dict[str, str]:
    """Return the source of each module by its name within this package, in an order in which they can be executed."""
    sources: dict[str, str] = {}
    _collect(_ENTRY, sources)
    return sources


def _collect(name: str, sources: dict[str, str]) -> None:
    if name in sources:
        return
    source = files(__package__.partition(".")[0]).joinpath(f"{name.replace('.', '/')}.py").read_text("utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            _collect(".".join([*name.split(".")[: -node.level], node.module or ""]), sources)
    sources[name] = source
