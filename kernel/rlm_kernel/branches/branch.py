"""What every branch can do, whatever it is made of.

fork              a copy-on-write copy of the notebook's process            (process, opened by forked)
spawn             a fresh process that got the context in shared memory      (process, opened by spawned)
child, visit      forked from a running cell, or from a checkpoint           (process)
kernel:<name>     any Jupyter kernel, wherever its provisioner puts it       (jupyter)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Protocol

from .keep import Parcel, Snapshot
from .result import CellResult, Update

__all__ = ["Branch", "Serve"]

Serve = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Answers a call from inside a cell: (name, arguments) → a JSON value; an `RLMError` is raised in the cell.

The arguments of an `rlm_query` hold the child's branch, not started yet, as `branch`; it is closed after the call.
"""


class Branch(Protocol):
    """One session for cells, used on one event loop between `start` and `close`.

    Attributes:
        kind: what it is made of, as above.
        reason: why, in words.
        snapshot: the values both sides had at the beginning, to which a parcel refers by name.
        memory_limit: bytes that one cell may use beyond what the session has; `None` for most of what is free.

    """

    kind: str
    reason: str
    snapshot: Snapshot
    memory_limit: int | None

    async def start(self) -> None:
        """Start the session; `BranchDied` if it does not come up."""

    async def run(self, code: str, *, timeout: float, serve: Serve) -> CellResult:
        """Run one cell, at most `timeout` seconds of its own time; a cell that is killed is undone.

        Raises `BranchDied` if the session is lost. On `CancelledError` everything in it has been killed.
        """

    def update(self, update: Update) -> None:
        """Have the session changed just before the next cell; an update is never lost to a roll-back."""

    def output_so_far(self) -> tuple[str, str]:
        """Return what the cell that was stopped had printed: (stdout, stderr)."""

    async def variables(self) -> list[dict[str, str]]:
        """Return the user-visible variables: name, type, one line (`preview`) and, in process branches, a `card`."""

    async def keep(self, names: str) -> Parcel:
        """Pack the answer and the variables that `names` means for the notebook; `KeepError` if that fails."""

    def name_state(self, label: Hashable) -> None:
        """Call the state as it is now `label`, so that it can be visited later, where the kind can do that."""

    async def settle(self) -> None:
        """End the session; states that have names stay until `close`."""

    @property
    def parked(self) -> dict[Hashable, int]:
        """The states that stay, by name, oldest first, and the pids that hold them."""

    def unpark(self, label: Hashable) -> None:
        """Drop a state that stays."""

    async def visit(self, label: Hashable) -> Branch:
        """Return a branch, not started yet, that goes on from a state that stays."""

    def listen(self, on_output: Callable[[str, str], object]) -> None:
        """Have `on_output` told what cells print, as it comes: the stream's name and a piece of text."""

    def kill(self) -> None:
        """Kill everything that runs in it, at once."""

    def close(self) -> None:
        """End it and close every descriptor; closing twice is harmless."""
