"""Questions over data far larger than a model's window, answered by a language model that writes Python against it.

    from rlm_kernel import solve
    run = solve("Which region lost the most customers?", context=df)
    run.answer

This room computes: the Jupyter kernel, the branches that cells run on, the engine, the models. It imports neither the
magics nor the viewer. Names are loaded when they are first used, so importing the package costs next to nothing.
"""

from __future__ import annotations

# The kernel starts here, while the notebook's folder is still first on the path: nothing but what Python has loaded
# by itself is imported, so that no `typing.py` next to a notebook can be taken for the standard library's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import errors
    from .documents import Folder
    from .engine.hooks import Hooks
    from .moments import clean
    from .rlm import RLM
    from .settings import Settings
    from .solver import asolve, runs, solve
    from .talk import Contexts
    from .trajectory.journal import load
    from .trajectory.run import Run

__all__ = [
    "RLM",
    "Contexts",
    "Folder",
    "Hooks",
    "Run",
    "Settings",
    "asolve",
    "clean",
    "errors",
    "load",
    "runs",
    "solve",
]

_HOMES = {
    "RLM": "rlm",
    "Contexts": "talk",
    "Folder": "documents",
    "Hooks": "engine.hooks",
    "Run": "trajectory.run",
    "Settings": "settings",
    "asolve": "solver",
    "clean": "moments",
    "load": "trajectory.journal",
    "runs": "solver",
    "solve": "solver",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    if name == "errors":
        return import_module(".errors", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
