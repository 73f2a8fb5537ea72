"""What a branch's cells live in: variables, an IPython shell, the scaffold, and what a cell leaves of itself."""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..engine.describe import describe
from ..vocabulary.calls import DoubledCalls
from ..vocabulary.kit import Kit
from ..vocabulary.table import FIXED_NAMES
from .capture import Displays, cell_error, redirect_streams, replace_display
from .changes import Changes
from .hygiene import reset_asyncio, reset_history, reset_input, reset_logging, reset_signals, signals_for_a_cell
from .keep import ANSWER, Parcel, Snapshot, pack, preview
from .luggage import CONTEXT
from .protocol import Channel, Frame
from .scaffold import OpenChild, Scaffold
from .shell import FILE_PREFIX, branch_shell
from .touching import mentioned_names, touched_names

__all__ = ["Seed", "Session"]

_CARD_LIMIT = 1_000


@dataclass(frozen=True)
class Seed:
    """What a session starts from: the user's variables, and a kit unless it is a session without a question."""

    namespace: dict[str, Any]
    kit: Kit | None

    def snapshot(self) -> Snapshot:
        """Return the values as they are now, by name."""
        return Snapshot({**self.namespace, **self.contexts()}, self.namespace)

    def contexts(self) -> dict[str, Any]:
        """Return the contexts, by the names they have among the values that both sides have."""
        return {} if self.kit is None else {f"{CONTEXT}{i:04}": value for i, value in enumerate(self.kit.contexts)}


class Session:
    """One branch's session, set up in the process that will run its cells.

    Args:
        seed: what it starts from; the namespace is the session's own from here on.
        pipes: the writing ends for stdout and stderr.
        channel: to the kernel.
        open_child: forks a branch of this process, for `rlm_query`.

    """

    def __init__(self, seed: Seed, pipes: tuple[int, int], channel: Channel, open_child: OpenChild) -> None:
        self.channel = channel
        self._namespace = seed.namespace
        self._snapshot = seed.snapshot()
        self._same: dict[str, bool] = {}
        old = {1: sys.stdout, 2: sys.stderr}
        self._take_streams(pipes)
        reset_signals()
        reset_asyncio()
        reset_input()
        reset_logging({id(old[1]): sys.stdout, id(old[2]): sys.stderr})
        self._displays = Displays()
        self._shell = branch_shell(seed.namespace)
        reset_history(self._shell)
        self._hook = replace_display(self._shell, self._displays)
        self._changes = Changes(self._namespace, self._is_users)
        self._scaffold: Scaffold | None = None
        if seed.kit is not None:
            self._scaffold = Scaffold(seed.namespace, seed.kit, lambda: self.channel, open_child)
            if seed.kit.repair_calls:
                self._shell.ast_transformers.append(DoubledCalls())

    @property
    def namespace(self) -> dict[str, Any]:
        """The session's variables."""
        return self._namespace

    def bequeath(self, kit: Kit) -> Seed:
        """Return what a child's session starts from: this one's variables, without the tools, which the kit brings."""
        if self._scaffold is not None:
            for name in self._scaffold.kit.tools:
                self._namespace.pop(name, None)
        return Seed(self._namespace, kit)

    def resume(self, channel: Channel, pipes: tuple[int, int]) -> None:
        """Go on in another process than before, with a channel, and perhaps pipes, of its own.

        The streams are made anew in any case: a thread of the old process may have held the old ones' locks.
        """
        self.channel = channel
        self._take_streams(pipes)
        if self._scaffold is not None:
            self._scaffold.resumed()

    def _take_streams(self, pipes: tuple[int, int]) -> None:
        self._writers = redirect_streams(*pipes)
        self._streams = (sys.stdout, sys.stderr)

    # ----- cells ---------------------------------------------------------------------------------------------

    def update(self, updates: list[dict[str, Any]]) -> None:
        """Change the session before a cell; see `Vocabulary.update`."""
        for update in updates:
            if self._scaffold is not None:
                self._scaffold.update(**update)

    def prepare(self, code: str, *, frozen: bool) -> list[str]:
        """Get ready for a cell; return the variables that it may change, sorted.

        `frozen` says whether a checkpoint is forked between this and `run`.
        """
        with suppress(Exception):  # a cell that cannot be transformed fails by itself when it runs
            code = self._shell.transform_cell(code)
        modules = {n for n, v in self._namespace.items() if isinstance(v, types.ModuleType)}
        touched = sorted(touched_names(code) - modules - self._scaffold_names)
        self._changes = Changes(self._namespace, self._is_users, by_pages=frozen)
        self._changes.before(mentioned_names(code))
        return touched

    def run(self, code: str) -> Frame:
        """Run a cell, after `prepare`, and return its `result`."""
        if (sys.stdout, sys.stderr) != self._streams or any(stream.closed for stream in self._streams):
            self._take_streams((1, 2))  # an earlier cell closed or replaced them
        self._displays.reset()
        for writer in self._writers:
            writer.reset()
        self._hook.code = code
        if self._scaffold is not None:
            self._scaffold.begin_cell()
        started = time.monotonic()
        with signals_for_a_cell():
            outcome = self._shell.run_cell(code, store_history=False)
        seconds = time.monotonic() - started
        error = outcome.error_before_exec or outcome.error_in_exec
        return {
            "op": "result",
            "outcome": "error" if error else "ok",
            "error": cell_error(error, FILE_PREFIX) if error else None,
            "seconds": seconds,
            "value_text": self._displays.value_text,
            "displays": self._displays.bundles,
            "answer": self._scaffold.describe_answer() if self._scaffold else None,
            "notes": self._scaffold.repair() if self._scaffold else [],
            "allowance": self._scaffold.allowance if self._scaffold else 0,
            "diff": self._changes.after().to_json(),
            "lost": self._flush(),
        }

    def _flush(self) -> list[int]:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # the cell may have closed or replaced it
                stream.flush()
        return [writer.dropped for writer in self._writers]

    def variables(self) -> Frame:
        """Return the user-visible variables: name, type, one line about the value, and a card of it."""
        own = {n: v for n, v in self._namespace.items() if self._is_users(n, v)}
        return {"op": "variables", "variables": [_facts(name, value) for name, value in own.items()]}

    # ----- keep ----------------------------------------------------------------------------------------------

    def keep(self, names: str) -> Parcel:
        """Pack the answer and the variables that `names` means."""
        self._same.clear()
        wanted = self._wanted(names)
        given = self._scaffold.answer() if self._scaffold else None
        if given is not None:
            wanted[ANSWER] = given[1]
        gone = self._snapshot.removed_from(self._namespace) if names == "all" else []
        removed = [name for name in gone if self._is_users(name, self._snapshot.values[name])]
        return pack(wanted, self._snapshot, self._unchanged, removed)

    def _wanted(self, names: str) -> dict[str, Any]:
        """Return the variables that `keep=names` means; see the setting's documentation."""
        own = {n: v for n, v in self._namespace.items() if self._is_users(n, v)}
        if names == "none":
            return {}
        if names == "new":
            return {n: v for n, v in own.items() if n not in self._snapshot.values}
        if names == "all":
            return {n: v for n, v in own.items() if self._is_changed(n, v)}
        listed = [name.strip() for name in names.split(",")]
        return {n: self._namespace[n] for n in listed if n in self._namespace and n not in self._scaffold_names}

    @property
    def _scaffold_names(self) -> set[str]:
        return {*FIXED_NAMES, *self._scaffold.kit.tools} if self._scaffold else set()

    def _is_users(self, name: str, value: Any) -> bool:
        hidden: Mapping[str, Any] = self._shell.user_ns_hidden
        return not (
            name.startswith("_")
            or name in self._scaffold_names
            or (name in hidden and hidden[name] is value)
            or isinstance(value, types.ModuleType)
        )

    def _is_changed(self, name: str, value: Any) -> bool:
        values = self._snapshot.values
        if name not in values or values[name] is not value:
            return True
        return self._snapshot.name_of(value) is not None and not self._unchanged(name)

    def _unchanged(self, name: str) -> bool:
        if name not in self._same:
            mine = self._snapshot.fingerprint_of(name)
            reply = self.channel.ask("unchanged", name=name, fingerprint=mine)
            self._same[name] = bool(reply.get("value"))
        return self._same[name]


def _facts(name: str, value: Any) -> dict[str, str]:
    card = describe(value, limit=_CARD_LIMIT)
    return {"name": name, "type": type(value).__qualname__, "preview": preview(value), "card": card}
