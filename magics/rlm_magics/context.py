"""The value of `context=`: the user's expression evaluated in the user's namespace.

Whatever goes wrong here is the user's to mend, so it is said in one sentence with the nearest way out.
"""

from __future__ import annotations

import ast
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING

from rlm_kernel.errors import ContextError
from rlm_kernel.talk import Contexts

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["evaluate", "evaluate_contexts"]

_LONGEST = 300


def evaluate_contexts(shell: InteractiveShell, expression: str) -> object:
    """Return the value of `context=`; of `context=df,docs` the values of both, as `Contexts`.

    Raises:
        ContextError: there is no expression, or it fails.

    """
    if not expression:
        raise ContextError("there is no context", f"say what the question is about: {_candidates(shell)}")
    parts = _parts(expression)
    if len(parts) < 2:
        return evaluate(shell, expression)
    return Contexts((part, evaluate(shell, part)) for part in parts)


def evaluate(shell: InteractiveShell, expression: str, option: str = "context") -> object:
    """Return the value of `expression`, given for `option`, in the user's namespace.

    Raises:
        ContextError: it fails.

    """
    failure: Exception | None = None
    try:
        value: object = shell.ev(expression)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        failure = error
    # Raised out here, the error has no context: IPython prints a long one for an exception group in it.
    if failure is not None:
        raise _explained(failure, expression, shell, option)
    return value


def _parts(expression: str) -> list[str]:
    """Return the expressions with commas between them; one in brackets of its own is a single value."""
    try:
        tree = ast.parse(expression, mode="eval").body
    except SyntaxError:
        return [expression]
    if not isinstance(tree, ast.Tuple) or expression.startswith("("):
        return [expression]
    return [ast.get_source_segment(expression, part) or "" for part in tree.elts]


def _explained(error: Exception, expression: str, shell: InteractiveShell, option: str) -> ContextError:
    if isinstance(error, NameError) and error.name:
        near = get_close_matches(error.name, _variables(shell), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "run the cell that defines it first"
        return ContextError(f"name {error.name!r} is not defined", hint)
    if isinstance(error, SyntaxError):
        message = f"{option}={expression} is not a Python expression: {error.msg}"
        return ContextError(message, "for example context=df")
    said = " ".join(str(error).split())
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    message = f"{option}={expression} raises {type(error).__name__}" + (f": {said}" if said else "")
    return ContextError(message, "run the expression in a cell of its own to see where")


def _candidates(shell: InteractiveShell) -> str:
    """Return `context=…` for the three latest variables that look like data."""
    kinds: tuple[type, ...] = (str, list)
    if "pandas" in sys.modules:
        kinds = (*kinds, sys.modules["pandas"].DataFrame)
    names = [name for name, value in _variables(shell).items() if isinstance(value, kinds)]
    return " or ".join(f"context={name}" for name in reversed(names[-3:])) or "context=df"


def _variables(shell: InteractiveShell) -> dict[str, object]:
    """Return the variables the user made, without those of IPython such as `In`."""
    hidden = shell.user_ns_hidden
    return {name: value for name, value in shell.user_ns.items() if name not in hidden and name[:1] != "_"}
