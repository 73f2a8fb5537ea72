"""Which of our files make up the far side of a Jupyter branch: `jupyter_cargo`, and all that it imports from us."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

__all__ = ["PACKAGE", "far_side"]

PACKAGE = ".__init__"
"""How the name of a module ends that is a package."""

_ENTRY = "branches.jupyter_cargo"


@cache
def far_side() -> dict[str, str]:
    """Return the source of each module by its name within this package, in an order in which they can be executed."""
    sources: dict[str, str] = {}
    _collect(_ENTRY, sources)
    return sources


def _collect(name: str, sources: dict[str, str]) -> None:
    home = files(__package__.partition(".")[0])
    if home.joinpath(name.replace(".", "/")).is_dir():
        name += PACKAGE
    if name in sources:
        return
    source = home.joinpath(f"{name.replace('.', '/')}.py").read_text("utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            for wanted in _modules(name, node):
                _collect(wanted, sources)
    sources[name] = source


def _modules(name: str, node: ast.ImportFrom) -> Iterator[str]:
    """Yield the modules that a relative import in the module `name` is about."""
    folder = name.split(".")[: -node.level]
    if node.module:
        yield ".".join([*folder, node.module])
    else:
        yield from (".".join([*folder, alias.name]) for alias in node.names)
