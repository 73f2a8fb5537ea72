"""What a cell did to the variables: added, rebound, changed in place, removed.

    changes.before(touched)      the bindings as they are, and a mark of each value that the cell may reach into
    … a checkpoint is forked, the cell runs …
    changes.after()              what is bound differently, and whose mark no longer fits

Bindings are compared by identity, so a cell that touches nothing costs a copy of the namespace's dict. A value that is
changed in place is reported under every name it has. Reports are plain data: they travel in frames and in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import chain
from operator import is_not
from sys import getsizeof
from typing import Any, TypedDict

from ..errors import ProtocolError
from .fingerprints import Mark, changed_since, mark

__all__ = ["Changes", "NamespaceDiff", "VariableChange", "describe_variable", "preview", "size_of"]


_WIDTH = 80


class VariableChange(TypedDict):
    """A variable in a report, as it is after the cell, or was when it was removed; `size` is in bytes if known."""

    name: str
    type: str
    size: int | None
    preview: str


@dataclass(frozen=True, slots=True)
class NamespaceDiff:
    """The names whose variables differ after one cell, or after several; each is in one list, sorted by name."""

    added: list[VariableChange] = field(default_factory=list)
    rebound: list[VariableChange] = field(default_factory=list)
    changed: list[VariableChange] = field(default_factory=list)
    removed: list[VariableChange] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.rebound or self.changed or self.removed)

    @classmethod
    def total(cls, diffs: Iterable[NamespaceDiff]) -> NamespaceDiff:
        """Return what several cells did together, in the order in which they ran.

        What was added and removed again is no difference; what was removed and added again counts as rebound.
        """
        story: dict[str, tuple[str, VariableChange]] = {}
        for diff in diffs:
            for event, change in diff._events():
                name = change["name"]
                told = _TOGETHER.get((story[name][0], event), event) if name in story else event
                if told:
                    story[name] = told, change
                else:
                    del story[name]
        return cls._of(story.values())

    def to_json(self) -> dict[str, list[VariableChange]]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> NamespaceDiff:
        """Return what `to_json` gave.

        Raises:
            ProtocolError: it never gave this.

        """
        try:
            return cls._of((event, _checked(change)) for event in _EVENTS for change in data[event])
        except (KeyError, TypeError, AttributeError) as error:
            raise ProtocolError("a report of changed variables has the wrong form") from error

    def _events(self) -> Iterable[tuple[str, VariableChange]]:
        return chain.from_iterable(((event, change) for change in getattr(self, event)) for event in _EVENTS)

    @classmethod
    def _of(cls, events: Iterable[tuple[str, VariableChange]]) -> NamespaceDiff:
        lists: dict[str, list[VariableChange]] = {event: [] for event in _EVENTS}
        for event, change in sorted(events, key=lambda told: told[1]["name"]):
            lists[event].append(change)
        return cls(**lists)


_EVENTS = ("added", "rebound", "changed", "removed")

_TOGETHER = {
    ("added", "rebound"): "added",
    ("added", "changed"): "added",
    ("added", "removed"): "",
    ("rebound", "changed"): "rebound",
    ("removed", "added"): "rebound",
}
"""What two events in a row amount to, where it is not simply the second; empty: nothing."""


class Changes:
    """Watches a namespace from before each cell to after it.

    Args:
        namespace: the variables.
        visible: tells of a name and its value whether it is one of the user's variables; others are not reported.
        by_pages: whether a process is forked between `before` and the cell, and lives until `after`; large buffers are
            then checked by the page map instead of being hashed.

    """

    def __init__(
        self, namespace: Mapping[str, Any], visible: Callable[[str, Any], bool], *, by_pages: bool = True
    ) -> None:
        self._namespace = namespace
        self._visible = visible
        self._by_pages = by_pages
        self._before: dict[str, Any] = {}
        self._marks: dict[int, tuple[Any, Mark]] = {}

    def before(self, touched: Iterable[str]) -> None:
        """Note how things are; the values of the names in `touched` will be looked into."""
        self._before = dict(self._namespace)
        looked_into = {n: self._before[n] for n in touched if n in self._before}
        values = {id(value): value for name, value in looked_into.items() if self._visible(name, value)}
        self._marks = {key: (value, mark(value, by_pages=self._by_pages)) for key, value in values.items()}

    def after(self) -> NamespaceDiff:
        """Return what is different now, and forget how things were."""
        before, now = self._before, dict(self._namespace)
        changed = {key for key, (value, marked) in self._marks.items() if changed_since(marked, value)}
        self._before, self._marks = {}, {}
        events: list[tuple[str, VariableChange]] = []
        for name in chain(now.keys() - before.keys(), before.keys() - now.keys(), _differing(before, now)):
            events += self._event(name, before, now)
        if changed:
            same = [n for n, value in now.items() if id(value) in changed and before.get(n, changed) is value]
            events += [("changed", describe_variable(n, now[n])) for n in same if self._visible(n, now[n])]
        return NamespaceDiff._of(events)

    def _event(self, name: str, before: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, VariableChange]]:
        was, is_ = (name in values and self._visible(name, values[name]) for values in (before, now))
        if is_:
            return [("rebound" if was else "added", describe_variable(name, now[name]))]
        return [("removed", describe_variable(name, before[name]))] if was else []


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the names in both that are bound to other objects."""
    if before.keys() == now.keys() and not any(map(is_not, before.values(), map(now.get, before))):
        return []
    return [name for name, value in before.items() if name in now and now[name] is not value]


def _checked(change: Any) -> VariableChange:
    size = change["size"]
    return VariableChange(
        name=str(change["name"]),
        type=str(change["type"]),
        size=None if size is None else int(size),
        preview=str(change["preview"]),
    )


# ----- a variable on one line --------------------------------------------------------------------------------


def describe_variable(name: str, value: Any) -> VariableChange:
    """Return a variable's line in a report."""
    return VariableChange(name=name, type=type(value).__qualname__, size=size_of(value), preview=preview(value))


def size_of(value: Any) -> int | None:
    """Return the bytes that a value's data take, where it knows them itself; those of the objects in it do not count.

    Sources: `nbytes` (arrays, series, Arrow), `memory_usage` (pandas), `estimated_size` (polars), `sys.getsizeof`.
    """
    with suppress(Exception):
        if isinstance(value, (str, bytes, bytearray)):
            return getsizeof(value)
        if isinstance(value, type):
            return None
        for source in ("nbytes", "memory_usage", "estimated_size"):
            if (size := getattr(value, source, None)) is not None:
                size = size() if callable(size) else size
                return int(size.sum() if hasattr(size, "sum") else size)
    return None


def preview(value: Any) -> str:
    """Return one short line that tells values of a type apart: a shape, a length, or the value itself."""
    with suppress(Exception):
        if isinstance(value, type):
            return ""
        if isinstance(shape := getattr(value, "shape", None), tuple):
            return " x ".join(f"{n:,}" for n in shape) or _start(repr(value))
        if isinstance(value, (str, bytes)):
            return _start(repr(value[:_WIDTH]))
        if isinstance(value, (int, float, complex, type(None))):
            return _start(repr(value))
        if hasattr(value, "__len__"):
            return f"{len(value):,} item{'' if len(value) == 1 else 's'}"
    return ""


def _start(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
