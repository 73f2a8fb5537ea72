"""Bringing variables back: one pickle from the branch to the notebook, in which what did not change is only named.

Both processes have the namespace as it was at the fork (`Snapshot`), object for object. So the pickle refers to
anything in it by name: classes keep their identity, and an alias of the user's gigabyte frame costs a few bytes. A
value counts as unchanged when its fingerprint is the same on both sides. Everything kept goes into *one* pickle,
because only inside one pickle do two names for one object stay one object. Buffers (arrays, frames) travel out of
band (PEP 574) in a memory file, which the notebook maps privately instead of copying it.

dill does the pickling: functions and classes that a cell defined go by value, with the user's live namespace as their
globals.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import pickle
import socket
import sys
import threading
import types
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import dill

from ..engine.shaping import clip
from ..trajectory.events import KeptName, RefusedName

__all__ = ["Parcel", "Snapshot", "fingerprint", "pack", "preview", "unpack"]

ANSWER = ""
"""The key under which the answer travels; no variable can be called that."""

_ALIGNMENT = 64
_SHORT = 1_000
_SMALL = (int, float, complex, bool, type(None))
_NEVER_CHANGED = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, str, bytes)

_REFUSED: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (types.GeneratorType, "a generator can be read only once, and lives in the branch; keep list(...) of it"),
    ((types.CoroutineType, types.AsyncGeneratorType), "a coroutine belongs to the branch that started it"),
    (type(threading.Lock()), "a lock belongs to the process that made it"),
    (type(threading.RLock()), "a lock belongs to the process that made it"),
    (threading.Thread, "a thread ends with the branch that started it"),
    (socket.socket, "a connection belongs to the process that opened it"),
    (mmap.mmap, "a memory map belongs to the process that opened it"),
)


class Snapshot:
    """The namespace at the moment of the fork; holds its objects alive so that their ids stay theirs."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.values = dict(namespace)
        self._names = {id(v): n for n, v in self.values.items() if _worth_naming(v)}

    def name_of(self, value: Any) -> str | None:
        """Return the name under which exactly this object was in the namespace."""
        return self._names.get(id(value))

    def fingerprint_of(self, name: str) -> str | None:
        """Return the fingerprint of the value of `name`."""
        return fingerprint(self.values[name])


def _worth_naming(value: Any) -> bool:
    if isinstance(value, (str, bytes)):
        return len(value) > _SHORT
    return not isinstance(value, _SMALL)


class _Hasher(io.RawIOBase):
    """A file that only remembers the hash of what was written into it."""

    def __init__(self) -> None:
        super().__init__()
        self.hash = hashlib.blake2b(digest_size=16)

    def write(self, data: Any, /) -> int:
        """Hash the bytes."""
        self.hash.update(data)
        return memoryview(data).nbytes


def fingerprint(value: Any) -> str | None:
    """Return a hash of the value's pickle and buffers, `None` if it cannot be pickled by reference."""
    hasher = _Hasher()
    try:
        pickle.Pickler(hasher, 5, buffer_callback=lambda b: hasher.hash.update(b.raw())).dump(value)
    except Exception:  # noqa: BLE001 (any object's own reduction may fail in any way)
        return None
    return hasher.hash.hexdigest()


# ----- in the branch -----------------------------------------------------------------------------------------


class _Packer(dill.Pickler):  # type: ignore[misc]  # dill has no types
    """Pickles by value what is new and by name what the notebook already has."""

    def __init__(self, file: Any, snapshot: Snapshot, unchanged: Callable[[str], bool], **kwargs: Any) -> None:
        super().__init__(file, protocol=5, **kwargs)
        self._snapshot = snapshot
        self._unchanged = unchanged

    def persistent_id(self, obj: Any) -> str | None:
        """Name the objects of the snapshot that are still as they were."""
        name = self._snapshot.name_of(obj)
        if name is None:
            return None
        return name if isinstance(obj, _NEVER_CHANGED) or self._unchanged(name) else None

    def reducer_override(self, obj: Any) -> Any:
        """Let arrays reduce themselves: dill's own way with them would copy their buffers into the pickle."""
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(obj, numpy.ndarray):
            return obj.__reduce_ex__(5)
        return NotImplemented


@dataclass(frozen=True)
class Parcel:
    """What was packed: a memory file, the pickle's length in it, and (offset, length) of each buffer."""

    fd: int
    pickle_size: int
    buffers: list[tuple[int, int]]
    kept: list[KeptName]
    refused: list[RefusedName]


def pack(wanted: Mapping[str, Any], snapshot: Snapshot, unchanged: Callable[[str], bool]) -> Parcel:
    """Pack the variables `wanted`; those that cannot travel are refused one by one, with the reason.

    `unchanged(name)` tells whether a value of the snapshot is still what the notebook has.
    """
    refused = [_refusal(name, value, reason) for name, value in wanted.items() if (reason := _forbidden(value))]
    allowed = {n: v for n, v in wanted.items() if not _forbidden(v)}
    try:
        body, buffers = _dump(allowed, snapshot, unchanged)
    except Exception:  # noqa: BLE001 (see `fingerprint`)
        for name, value in list(allowed.items()):
            try:
                _dump({name: value}, snapshot, unchanged)
            except Exception as error:  # noqa: BLE001
                del allowed[name]
                refused.append(_refusal(name, value, clip(f"it cannot be pickled: {error}", 200)))
        body, buffers = _dump(allowed, snapshot, unchanged)
    fd, places = _into_memory_file(body, buffers)
    kept = [KeptName(name=n, type=type(v).__qualname__, preview=preview(v)) for n, v in allowed.items() if n != ANSWER]
    return Parcel(fd, len(body), places, kept, refused)


def _forbidden(value: Any) -> str:
    if isinstance(value, io.IOBase) and not isinstance(value, (io.BytesIO, io.StringIO)):
        return "an open file belongs to the process that opened it"
    return next((reason for kinds, reason in _REFUSED if isinstance(value, kinds)), "")


def _refusal(name: str, value: Any, reason: str) -> RefusedName:
    return RefusedName(name=name, type=type(value).__qualname__, reason=reason)


def _dump(
    values: dict[str, Any], snapshot: Snapshot, unchanged: Callable[[str], bool]
) -> tuple[bytes, list[pickle.PickleBuffer]]:
    file, buffers = io.BytesIO(), list[pickle.PickleBuffer]()
    _Packer(file, snapshot, unchanged, buffer_callback=buffers.append).dump(values)
    return file.getvalue(), buffers


def _into_memory_file(body: bytes, buffers: Iterable[pickle.PickleBuffer]) -> tuple[int, list[tuple[int, int]]]:
    fd = os.memfd_create("rlm-keep")
    places = []
    end = _write_at(fd, memoryview(body), 0)
    for buffer in buffers:
        start = -(-end // _ALIGNMENT) * _ALIGNMENT
        raw = buffer.raw()
        end = _write_at(fd, raw, start)
        places.append((start, raw.nbytes))
    return fd, places


def _write_at(fd: int, data: memoryview, offset: int) -> int:
    while data:
        written = os.pwrite(fd, data[: 2**30], offset)
        data, offset = data[written:], offset + written
    return offset


def preview(value: Any) -> str:
    """Return one short line that tells values of a type apart: a shape, a length, or the value itself."""
    with suppress(Exception):
        if isinstance(shape := getattr(value, "shape", None), tuple):
            return " x ".join(f"{n:,}" for n in shape) or clip(repr(value), 80)
        if isinstance(value, (str, bytes, int, float, bool, type(None))):
            return clip(repr(value[:80] if isinstance(value, (str, bytes)) else value), 80)
        if hasattr(value, "__len__"):
            return f"{len(value):,} item{'' if len(value) == 1 else 's'}"
    return ""


# ----- in the notebook ---------------------------------------------------------------------------------------


class _Unpacker(dill.Unpickler):  # type: ignore[misc]  # dill has no types
    """Resolves the names to the notebook's own objects."""

    def __init__(self, file: Any, snapshot: Snapshot, buffers: list[memoryview]) -> None:
        super().__init__(file, buffers=buffers)
        self._snapshot = snapshot

    def persistent_load(self, pid: str) -> Any:
        """Return the notebook's own object."""
        return self._snapshot.values[pid]


def unpack(parcel: Parcel, snapshot: Snapshot) -> dict[str, Any]:
    """Return the packed variables; their buffers are pages of the memory file, copied only when written to.

    Closes the memory file. This unpickles what the branch packed: call it only for what the user asked to keep.
    """
    try:
        size = os.fstat(parcel.fd).st_size
        memory = memoryview(mmap.mmap(parcel.fd, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE))
    finally:
        os.close(parcel.fd)
    buffers = [memory[start : start + length] for start, length in parcel.buffers]
    values: dict[str, Any] = _Unpacker(io.BytesIO(memory[: parcel.pickle_size]), snapshot, buffers).load()
    return values
