"""The words of a session: where they are kept, and what stays of them when a cell has ended.

Fixed words and the user's tools are variables of the session; a cell that overwrites them finds them put back, and is
told. All other words live in `builtins`, where any variable of the same name comes first. How a call reaches the
notebook's side is each kind of branch's own business. This file and what it imports are also sent to Jupyter kernels
(`jupyter_sources`), so they need nothing but the standard library; what else helps is used where it is installed.
"""

from __future__ import annotations

import builtins
import types
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .answers import Answers
from .asking import Asking
from .calls import WORD, once_more
from .documents import Documents, Files
from .kit import Kit
from .looking import Looking
from .queries import Queries
from .reach import Child
from .search import search
from .table import FIXED_NAMES
from .tools import tool_values
from .upkeep import Upkeep

__all__ = ["Child", "Vocabulary"]

_LENT = "__rlm_words__"
_SHELL_NAMES = {"In", "Out", "exit", "quit", "open", "get_ipython"}
_SHORT = 10_000_000


class Vocabulary:
    """Installs the words, keeps the fixed ones in place, and reads the answer.

    Args:
        namespace: the session's variables.
        kit: what the question brings along.

    Attributes:
        kit: what the question brought along.
        namespace: the session's variables.
        notes: remarks for the model about the cell that runs.
        history: the conversation so far, as chat messages; the same list all along.

    """

    error: ClassVar[type[Exception]]
    """What a failed call raises in the cell."""

    everywhere: ClassVar[dict[str, Any]] = vars(builtins)
    """Where the words live that are no variables."""

    def __init__(self, namespace: dict[str, Any], kit: Kit) -> None:
        self.namespace = namespace
        self.notes: list[str] = []
        self._fixed: dict[str, Any] = {}
        self.equip(kit)

    # ----- for each kind of branch to supply -----------------------------------------------------------------

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Ask the notebook's side; both ways it is JSON. Raises `error`."""
        raise NotImplementedError

    def children(self, tasks: list[Child]) -> list[dict[str, Any]]:
        """Have children answer, at most `kit.max_children` at once; return a reply for each, in order."""
        raise NotImplementedError

    def describe(self, value: Any) -> str:
        """Return the card of a child's context."""
        raise NotImplementedError

    # ----- installing ----------------------------------------------------------------------------------------

    def equip(self, kit: Kit) -> None:
        """Install the words, for another question than before if there was one."""
        for name, value in self._fixed.items():
            if self.namespace.get(name) is value:
                self.namespace.pop(name, None)
        self.kit = kit
        self.history: list[dict[str, str]] = []
        self._users: frozenset[str] | None = None
        ctx = Documents(kit.context)
        self._answers = Answers(self)
        self._looking = Looking(ctx, kit.piece)
        words = {**self._functions(ctx), **self._values(ctx)}
        self._fixed = {name: words.pop(name) for name in FIXED_NAMES if name in words} | tool_values(kit.tools)
        self.namespace.update(self._fixed)
        for name in self.everywhere.pop(_LENT, ()):
            self.everywhere.pop(name, None)
        self.everywhere.update(words, **{_LENT: tuple(words)})

    def _functions(self, ctx: Documents) -> dict[str, Any]:
        queries = Queries(self)
        asking = Asking(queries, self.kit.piece)

        def find_passages(query: str, k: int = 5, value: Any = None) -> list[dict[str, Any]]:
            """Return the passages that fit best: text, score, start, end."""
            if value is None and self.kit.retriever is not None:
                return self.kit.retriever(query, k)
            return search(ctx if value is None else Documents(value), query, k)

        words = {"search": find_passages, **({WORD: once_more(self.notes)} if self.kit.repair_calls else {})}
        for family in (self._answers, queries, asking, self._looking, Upkeep(self)):
            words.update(family.words())
        return words

    def _values(self, ctx: Documents) -> dict[str, Any]:
        kit = self.kit
        return {
            "context": kit.context,
            "CONTEXT": kit.context,
            "P": ctx.text if _is_short_text(kit.context) else kit.context,
            "ctx": ctx,
            "FILES": Files(ctx),
            "history": self.history,
            **{f"context_{number}": value for number, value in enumerate(kit.contexts)},
            **{f"history_{number}": list(messages) for number, messages in enumerate(kit.histories)},
        }

    # ----- cells ---------------------------------------------------------------------------------------------

    def begin_cell(self) -> None:
        """Forget what was only about the cell before."""
        if self._users is None:
            self._users = frozenset(self.namespace)
        self.notes.clear()
        self._looking.allowance = 0

    @property
    def allowance(self) -> int:
        """Characters of output that the cell asked to see in full."""
        return self._looking.allowance

    def update(
        self,
        variables: Mapping[str, str] | None = None,
        history: Sequence[dict[str, str]] = (),
        clear_answer: bool = False,
    ) -> None:
        """Take in what the notebook's side changes before a cell.

        Args:
            variables: texts to bind, by name.
            history: messages to add to `history`.
            clear_answer: forget the answer, which was sent back.

        """
        self.namespace.update(variables or {})
        self.history.extend(history)
        if clear_answer:
            self._answers.clear()

    def answer(self) -> tuple[str, Any, bool] | None:
        """Return (dialect, object, final?) of the answer as it stands when a cell has ended, or `None`."""
        return self._answers.read()

    def describe_answer(self) -> dict[str, Any] | None:
        """Return the answer as far as JSON can carry it, with the `problem` of a final one."""
        return self._answers.describe()

    def repair(self) -> list[str]:
        """Put back what the cell overwrote; return the remarks for the model about the cell."""
        notes = list(dict.fromkeys(self.notes))
        for name, value in self._fixed.items():
            if self.namespace.get(name, self) is not value:
                self.namespace[name] = value
                notes.append(f"Note: `{name}` is part of the session and was put back; use another name.")
        return notes + self._answers.repair()

    # ----- whose variables -----------------------------------------------------------------------------------

    def made_here(self, name: str) -> bool:
        """Tell whether a cell made the variable `name`, rather than the user."""
        return name not in (self._users or ()) and not name.startswith("_") and name not in self._fixed

    def is_users(self, name: str, value: Any) -> bool:
        """Tell whether a variable is worth showing: no module, not private, none of the session's own."""
        own = name in FIXED_NAMES or name in self._fixed or name in _SHELL_NAMES
        return not (own or name.startswith("_") or isinstance(value, types.ModuleType))


def _is_short_text(value: Any) -> bool:
    """Tell whether a value is text, or a few documents that are quickly one text."""
    if isinstance(value, str):
        return True
    items = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(items, list | tuple) or not 0 < len(items) <= _SHORT // 100:
        return False
    length = 0
    for item in items:
        if not isinstance(item, str):
            return False
        length += len(item)
    return length <= _SHORT
