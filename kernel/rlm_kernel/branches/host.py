"""Opening a branch of the kind that the preflight chose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import BranchError
from ..settings import Settings
from ..vocabulary.kit import Kit
from .branch import Branch
from .forked import open_forked
from .household import Wish
from .preflight import JUPYTER, check
from .session import Seed
from .spawned import open_spawned

__all__ = ["open_as_set", "open_branch"]


def open_branch(
    namespace: dict[str, Any],
    kit: Kit | None,
    *,
    kind: str = "fork",
    reason: str = "as asked",
    ship: Iterable[str] = (),
    wish: Wish | None = None,
) -> Branch:
    """Open a branch in which everything can be used and changed freely; it must be closed.

    A branch contains accidents, not malice: code in it has the user's own rights over files and network.

    Args:
        namespace: the user's variables. A forked branch has all of them, any other those named in `ship`.
        kit: what the question brings along; `None` for a session without `answer`, `llm_query` and the like.
        kind: `fork` (main thread only), `spawn` or `kernel:<name>`, as the preflight chose.
        reason: why that kind, in words.
        ship: names of variables for a branch in another process.
        wish: what the session may use.

    Raises:
        BranchError: no branch can be opened; the message says why.

    """
    if kind == "fork":
        return open_forked(Seed(namespace, kit), reason, wish or Wish())
    if missing := [name for name in ship if name not in namespace]:
        raise BranchError(f"There is no variable {missing[0]!r} to ship.", "check ship=")
    if kind.startswith(JUPYTER):
        if kit is None:
            raise BranchError("A cell of yours runs on a branch of this notebook.", "use branch=fork or branch=spawn")
        from .jupyter import JupyterBranch  # loads jupyter_client, which nothing else here needs
        from .jupyter_freight import Packed

        freight = Packed({name: namespace[name] for name in ship}, kit)
        return JupyterBranch(kind.removeprefix(JUPYTER), freight, reason, kit.max_children)
    return open_spawned(Seed(namespace, kit), ship, reason, wish or Wish())


def open_as_set(
    namespace: dict[str, Any],
    kit: Kit | None,
    settings: Settings,
    *,
    threads: int | None = None,
    seed: int | None = None,
) -> Branch:
    """Open the branch that `settings` mean here and now; see `open_branch` and `preflight.check`.

    `threads` limits those of numeric libraries, `seed` is that of random numbers; see `inherited.defuse`.
    """
    choice = check(settings.branch)
    branch = open_branch(
        namespace,
        kit,
        kind=choice.kind,
        reason=choice.reason,
        ship=[name.strip() for name in settings.ship.split(",") if name.strip()],
        wish=Wish(threads, seed, settings.address_space),
    )
    branch.memory_limit = settings.mem
    return branch
