"""Opening a branch of the kind that the preflight chose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import BranchError
from ..settings import Settings
from .branch import Branch
from .forked import open_forked
from .household import Wish
from .preflight import JUPYTER, check
from .session import Seed
from .spawned import open_spawned

__all__ = ["NO_CONTEXT", "open_as_set", "open_branch"]

NO_CONTEXT = object()
"""In the place of a context: a session without a question, and so without `answer`, `llm_query` and the like."""


def open_branch(
    namespace: dict[str, Any],
    context: Any,
    *,
    kind: str = "fork",
    reason: str = "as asked",
    ship: Iterable[str] = (),
    wish: Wish | None = None,
) -> Branch:
    """Open a branch in which `context` can be used and changed freely; it must be closed.

    A branch contains accidents, not malice: code in it has the user's own rights over files and network.

    Args:
        namespace: the user's variables. A forked branch has all of them, any other those named in `ship`.
        context: the value of `context`, or `NO_CONTEXT`.
        kind: `fork` (main thread only), `spawn` or `kernel:<name>`, as the preflight chose.
        reason: why that kind, in words.
        ship: names of variables for a branch in another process.
        wish: what the session may use.

    Raises:
        BranchError: no branch can be opened; the message says why.

    """
    given = None if context is NO_CONTEXT else (context,)
    if kind == "fork":
        return open_forked(Seed(namespace, given), reason, wish or Wish())
    if missing := [name for name in ship if name not in namespace]:
        raise BranchError(f"There is no variable {missing[0]!r} to ship.", "check ship=")
    if kind.startswith(JUPYTER):
        if given is None:
            raise BranchError("A cell of yours runs on a branch of this notebook.", "use branch=fork or branch=spawn")
        from .jupyter import JupyterBranch  # loads jupyter_client, which nothing else here needs

        shipped = {name: namespace[name] for name in ship} | {"context": context}
        return JupyterBranch(kind.removeprefix(JUPYTER), shipped, reason)
    return open_spawned(namespace, given, ship, reason, wish or Wish())


def open_as_set(namespace: dict[str, Any], context: Any, settings: Settings) -> Branch:
    """Open the branch that `settings` mean here and now; see `open_branch` and `preflight.check`."""
    choice = check(settings.branch)
    branch = open_branch(
        namespace,
        context,
        kind=choice.kind,
        reason=choice.reason,
        ship=[name.strip() for name in settings.ship.split(",") if name.strip()],
        wish=Wish(address_space=settings.address_space),
    )
    branch.memory_limit = settings.mem
    return branch
