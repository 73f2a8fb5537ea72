"""The two picklers behind `keep`: C for data, dill for what cells define.

Both name the objects that the other process has too (`persistent_id`), refuse what cannot travel, and leave buffers
outside the pickle (PEP 574). The C pickler is ten times as fast but knows functions and classes only by their import
path; those of `__main__` it would find under that name here and miss there, so it declines them, and dill takes over.
"""

from __future__ import annotations

import enum
import io
import pickle
import sys
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import dill

from ..errors import KeepError
from .fingerprints import NEVER_CHANGED
from .refusals import path_to, refusal

if TYPE_CHECKING:
    from .keep import Snapshot

__all__ = ["GLOBALS", "dump", "load"]

GLOBALS = "(globals)"
"""Stands for the live namespace, which is the globals of every function that a cell defines."""

_FLAT = frozenset({str, bytes, int, float, bool, type(None)})
_LONG = 1_000


def dump(
    values: Mapping[str, Any], snapshot: Snapshot, unchanged: Callable[[str], bool], *, recurse: bool = False
) -> tuple[bytes, list[pickle.PickleBuffer]]:
    """Return the pickle of `values` and its buffers, after reading it back once.

    With `recurse` functions of the session take along what they use of their globals.

    Raises:
        KeepError: something in it cannot travel; the message is the reason, with the path to it where that is known.

    """
    try:
        return _dump_with(_DataPickler, values, snapshot, unchanged)
    except KeepError:
        raise
    except Exception:  # noqa: BLE001 (any object's own reduction may fail in any way)
        try:
            return _dump_with(_RecursivePickler if recurse else _CodePickler, values, snapshot, unchanged)
        except KeepError:
            raise
        except Exception as error:
            raise KeepError(f"it cannot be pickled: {type(error).__name__}: {error}") from error


def load(body: bytes | memoryview, buffers: list[Any], snapshot: Snapshot) -> dict[str, Any]:
    """Return what was dumped; raises whatever the objects in it raise."""
    values: dict[str, Any] = _Unpickler(io.BytesIO(body), snapshot, buffers).load()
    return values


def _dump_with(
    kind: type[_DataPickler | _CodePickler],
    values: Mapping[str, Any],
    snapshot: Snapshot,
    unchanged: Callable[[str], bool],
) -> tuple[bytes, list[pickle.PickleBuffer]]:
    file, buffers = io.BytesIO(), list[pickle.PickleBuffer]()
    kind(file, snapshot, unchanged, buffers).dump(dict(values))
    body = file.getvalue()
    load(body, [buffer.raw() for buffer in buffers], snapshot)  # better here than in the notebook, alone
    return body, buffers


class _Rules:
    """What both picklers do with an object before they look at it themselves."""

    def __init__(
        self,
        file: io.BytesIO,
        snapshot: Snapshot,
        unchanged: Callable[[str], bool],
        buffers: list[pickle.PickleBuffer],
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffers.append)  # type: ignore[call-arg]  # a mixin
        self._ids = snapshot.ids
        self._unchanged = unchanged
        self._root: dict[str, Any] = {}

    def dump(self, obj: dict[str, Any]) -> None:
        """Pickle the variables."""
        self._root = obj
        super().dump(obj)  # type: ignore[misc]  # a mixin

    def persistent_id(self, obj: Any) -> str | None:
        """Name the objects of the snapshot that are still as they were."""
        pid = self._ids.get(id(obj))
        if pid is None or isinstance(obj, NEVER_CHANGED) or pid == GLOBALS or self._unchanged(pid):
            return pid
        return None

    def check(self, obj: Any) -> None:
        """Refuse what cannot travel.

        Raises:
            KeepError: with the reason.

        """
        if reason := refusal(obj):
            name, _, rest = path_to(obj, self._root)[2:].partition("']")
            raise KeepError(f"{name}{rest}: {reason}" if rest else reason)


class _DataPickler(_Rules, pickle.Pickler):
    """The C pickler."""

    def reducer_override(self, obj: Any) -> Any:
        """Decline what has to go by value."""
        self.check(obj)
        if isinstance(obj, (type, types.FunctionType)) and obj.__module__ in ("__main__", None):
            raise pickle.PicklingError("by value")
        return NotImplemented


class _CodePickler(_Rules, dill.Pickler):  # type: ignore[misc]  # dill has no types
    """dill: functions and classes go by value, with the live namespace as their globals."""

    def __init__(self, file: io.BytesIO, snapshot: Snapshot, *rest: Any) -> None:
        super().__init__(file, snapshot, *rest)
        # dill copies a function's globals unless they are `__main__`'s. This tells it that the session's namespace is
        # `__main__`, whatever module it belongs to; `persistent_id` then names it instead of pickling it.
        if snapshot.namespace is not None:
            self._main_modified = True
            self._original_main = self._main = _Main(snapshot.namespace)

    def reducer_override(self, obj: Any) -> Any:
        """Let arrays reduce themselves, since dill would copy their buffers, and long lists of texts go fast."""
        self.check(obj)
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(obj, numpy.ndarray):
            return obj.__reduce_ex__(5)
        if type(obj) in (list, dict, set, tuple) and len(obj) >= _LONG and _is_flat(obj):
            return pickle.loads, (pickle.dumps(obj, 5),)
        if isinstance(obj, enum.EnumType) and obj.__module__ == "__main__":
            return _new_enum, (type(obj), obj.__name__, obj.__bases__, _body_of(obj))
        return NotImplemented


class _RecursivePickler(_CodePickler):
    """dill, told to pickle of a function's globals what the function uses."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._recurse = True


def _body_of(kind: Any) -> dict[str, Any]:
    """Return the members of an enumeration and its methods, which dill cannot take apart."""
    inherited = [vars(base) for base in kind.__mro__[1:]]
    methods = {
        name: value
        for name, value in vars(kind).items()
        if isinstance(value, (types.FunctionType, property, classmethod, staticmethod))
        and name not in (*kind.__members__, "__new__", "_new_member_", "_generate_next_value_")
        and not any(value is base.get(name) for base in inherited)
    }
    members = {name: member.value for name, member in kind.__members__.items()}
    return {"__module__": kind.__module__, "__qualname__": kind.__qualname__, **members, **methods}


def _new_enum(meta: Any, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
    namespace = meta.__prepare__(name, bases)
    for key, value in body.items():
        namespace[key] = value
    return meta(name, bases, namespace)


class _Main:
    """What dill takes for the module `__main__`."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.__dict__ = namespace


def _is_flat(value: Any) -> bool:
    kinds = set(map(type, value))
    return kinds <= _FLAT and (type(value) is not dict or set(map(type, value.values())) <= _FLAT)


class _Unpickler(dill.Unpickler):  # type: ignore[misc]  # dill has no types
    """Resolves the names to this process's own objects."""

    def __init__(self, file: io.BytesIO, snapshot: Snapshot, buffers: list[Any]) -> None:
        super().__init__(file, buffers=buffers)
        self._snapshot = snapshot

    def persistent_load(self, pid: str) -> Any:
        """Return this process's own object."""
        return self._snapshot.object_of(pid)
