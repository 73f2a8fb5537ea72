"""The value of `context=`: the user's expression evaluated in the user's namespace.

Whatever goes wrong here is the user's to mend, so it is said in one sentence with the nearest way out. A
value that can be read only once is refused: the solve looks at it many times.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from rlm_kernel.errors import ContextError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["evaluate"]

_LONGEST = 300


def evaluate(shell: InteractiveShell, expression: str) -> object:
    """Return the value of `expression` in the user's namespace.

    Raises:
        ContextError: there is no expression, it fails, or its value can be read only once.

    """
    if not expression:
        raise ContextError("there is no context", f"say what the question is about: {_candidates(shell)}")
    failure: Exception | None = None
    try:
        code = compile(expression, "<context>", "eval", dont_inherit=True)
        value = eval(code, shell.user_global_ns, shell.user_ns)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        failure = error
    # Raised out here, the error has no context: IPython prints a long one for an exception group in it.
    if failure is not None:
        raise _explained(failure, expression, shell)
    if isinstance(value, Awaitable | AsyncIterator):
        hint = "await it in a cell of its own, and give the result as the context"
        raise ContextError(f"{expression} is a {type(value).__name__}, which is not a value yet", hint)
    if isinstance(value, Iterator):
        message = f"{expression} is a {type(value).__name__}, which can be read only once"
        raise ContextError(message, f"context=list({expression})")
    return value


def _explained(error: Exception, expression: str, shell: InteractiveShell) -> ContextError:
    if isinstance(error, NameError) and error.name:
        near = get_close_matches(error.name, _variables(shell), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "run the cell that defines it first"
        return ContextError(f"name {error.name!r} is not defined", hint)
    if isinstance(error, SyntaxError):
        return ContextError(
            f"context={expression} is not a Python expression: {error.msg}", "for example context=df"
        )
    said = " ".join(str(error).split())
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    message = f"context={expression} raises {type(error).__name__}" + (f": {said}" if said else "")
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
