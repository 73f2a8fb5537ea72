"""Words that tell what the session holds and what is left of the limits."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Any

from .reach import Reach
from .table import FIXED_NAMES

__all__ = ["Upkeep"]

_ITEMS = 10_000
_STORED = "_result_"


class Upkeep:
    """The words.

    Args:
        session: whose variables they are about.

    """

    def __init__(self, session: Reach) -> None:
        self._session = session

    def words(self) -> dict[str, Any]:
        """Return what to install, by name."""
        return {name: getattr(self, name) for name in ("SHOW_VARS", "memory_status", "forget", "budget")}

    def SHOW_VARS(self) -> dict[str, str]:  # noqa: N802 (the name that cells know)
        """Return the variables by name, with their types."""
        return {name: type(value).__qualname__ for name, value in sorted(self._own().items())}

    def memory_status(self) -> dict[str, int]:
        """Return the sizes of the variables: characters of text, bytes of the rest."""
        held = {"context": self._session.kit.context, **self._own()}
        return {name: _size(value) for name, value in held.items()}

    def forget(self, *names: str) -> str:
        """Delete variables; say which, and which had to stay."""
        told = []
        for name in names:
            if name in FIXED_NAMES or name in self._session.kit.tools:
                told.append(f"kept {name}: it is part of the session")
            elif name not in self._own():
                told.append(f"there is no variable {name}")
            else:
                del self._session.namespace[name]
                told.append(f"forgot {name}")
        return "; ".join(told) or "nothing to forget: give names, as text"

    def budget(self) -> dict[str, Any]:
        """Return what is left of the run's limits, and what was used."""
        left: dict[str, Any] = self._session.call("budget")
        return left

    def _own(self) -> dict[str, Any]:
        variables = list(self._session.namespace.items())
        return {n: v for n, v in variables if n.startswith(_STORED) or self._session.is_users(n, v)}


def _size(value: Any, depth: int = 5) -> int:
    """Return characters of text, bytes of data; of what a container holds, the first 10,000 items count for all."""
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(size := getattr(value, "nbytes", None), int):
        return size
    if callable(usage := getattr(value, "memory_usage", None)):
        total = usage()
        return int(total.sum() if hasattr(total, "sum") else total)
    if not depth or not isinstance(value, dict | list | tuple | set | frozenset):
        return sys.getsizeof(value)
    items = islice(value.items() if isinstance(value, dict) else ((item,) for item in value), _ITEMS)
    inside = sum(_size(part, depth - 1) for item in items for part in item)
    return inside * len(value) // _ITEMS if len(value) > _ITEMS else inside
