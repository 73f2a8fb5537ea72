"""Bringing variables back: one pickle from the branch to the notebook, in which what did not change is only named.

Both processes have the namespace as it was at the fork (`Snapshot`), object for object. So the pickle refers to
anything in it by name: classes keep their identity, functions see the user's live globals, and an alias of the user's
gigabyte frame costs a few bytes. A value counts as unchanged when its fingerprint is the same on both sides.
Everything kept goes into *one* pickle, because only inside one pickle do two names for one object stay one object.
Buffers (arrays, frames) travel out of band in a memory file, which the notebook maps privately instead of copying it.

What is kept *replaces the binding*. A frame that the branch changed in place comes back as a new object under its name;
a second name of the user for the old frame (`other = df`) keeps the old one, unless it is kept as well: `keep=all` does
that, since the branch changed it under both names.

The same way leads into a process that was not forked from this one. With a snapshot that holds no values everything
goes by value, classes and functions included; afterwards both sides have what was shipped, and that is their snapshot.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..engine.shaping import clip
from ..errors import KeepError
from ..trajectory.records import KeptName, RefusedName
from .changes import preview
from .fingerprints import fingerprint
from .picklers import GLOBALS, dump, load
from .refusals import refusal

__all__ = ["ANSWER", "Parcel", "Snapshot", "fingerprint", "pack", "preview", "unpack"]

ANSWER = ""
"""The key under which the answer travels; no variable can be called that."""

_ALIGNMENT = 64
_SHORT = 1_000
_REASON_LIMIT = 200
_SMALL = (int, float, complex, bool, type(None))
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Snapshot:
    """What the process at the other end has as well, by name; holds the objects alive so that their ids stay theirs.

    Args:
        values: the variables as they are now, on both sides: at the moment of the fork the whole namespace.
        namespace: the live namespace, where there is one. It stands for its counterpart at the other end: functions
            that cells define get it as their globals. Give it on both sides or on neither.

    Attributes:
        values: the variables as they were.
        namespace: as given.
        ids: the name of every object that the other process has too, by `id`.

    """

    def __init__(self, values: Mapping[str, Any], namespace: dict[str, Any] | None = None) -> None:
        self.values = dict(values)
        self.namespace = namespace
        self.ids = dict(self._classes())
        self.ids |= {id(value): name for name, value in self.values.items() if _worth_naming(value)}
        if namespace is not None:
            self.ids[id(namespace)] = GLOBALS

    def _classes(self) -> Iterator[tuple[int, str]]:
        """Name the classes that cells defined by an instance each: they need not have a name of their own any more."""
        kinds = {type(value): name for name, value in self.values.items() if type(value).__module__ == "__main__"}
        for kind, name in kinds.items():
            for place, base in enumerate(kind.__mro__):
                if base.__module__ == "__main__":
                    yield id(base), f"{name}:{place}"

    def name_of(self, value: Any) -> str | None:
        """Return the name that stands for exactly this object in a parcel."""
        return self.ids.get(id(value))

    def object_of(self, pid: str) -> Any:
        """Return the object that the name stands for.

        Raises:
            KeyError: there is none.

        """
        if pid == GLOBALS and self.namespace is not None:
            return self.namespace
        name, _, place = pid.partition(":")
        return type(self.values[name]).__mro__[int(place)] if place else self.values[name]

    def fingerprint_of(self, pid: str) -> str | None:
        """Return the fingerprint of the object that the name stands for."""
        return fingerprint(self.object_of(pid))

    def agrees(self, name: str, fingerprint: str | None) -> bool:
        """Tell whether the object that the name stands for has, for certain, this fingerprint."""
        mine = self.fingerprint_of(name)
        return mine is not None and mine == fingerprint

    def removed_from(self, namespace: Mapping[str, Any]) -> list[str]:
        """Return the variables that were bound then and are not bound in `namespace`, sorted."""
        return sorted(name for name in self.values.keys() - namespace.keys() if name.isidentifier())


def _worth_naming(value: Any) -> bool:
    if isinstance(value, (str, bytes)):
        return len(value) > _SHORT
    return not isinstance(value, _SMALL)


@dataclass(frozen=True)
class Parcel:
    """What was packed: a memory file, the pickle's length in it, and (offset, length) of each buffer.

    `removed` are the names that the branch deleted and that `keep=all` asks the notebook to delete as well.
    """

    fd: int
    pickle_size: int
    buffers: list[tuple[int, int]]
    kept: list[KeptName]
    refused: list[RefusedName]
    removed: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """Return all but the descriptor, which travels by itself, as the keyword arguments of another parcel."""
        return {known.name: getattr(self, known.name) for known in fields(self) if known.name != "fd"}


# ----- in the branch -----------------------------------------------------------------------------------------


def pack(
    wanted: Mapping[str, Any],
    snapshot: Snapshot,
    unchanged: Callable[[str], bool],
    removed: Iterable[str] = (),
    *,
    recurse: bool = False,
) -> Parcel:
    """Pack the variables `wanted`; those that cannot travel are refused one by one, with the reason.

    `unchanged(name)` tells whether what `name` stands for in the snapshot is still what the notebook has. What is
    packed has been unpacked once here already, so that a value which cannot be read back is refused and not lost.
    With `recurse` functions take along what they use of their globals, instead of finding others at the other end.

    Raises:
        KeepError: the memory file cannot be written.

    """
    refused = [_refused(name, value, reason) for name, value in wanted.items() if (reason := refusal(value))]
    allowed = {name: value for name, value in wanted.items() if not refusal(value)}
    try:
        body, buffers = dump(allowed, snapshot, unchanged, recurse=recurse)
    except KeepError:
        for name, value in list(allowed.items()):
            try:
                dump({name: value}, snapshot, unchanged, recurse=recurse)
            except KeepError as error:
                del allowed[name]
                refused.append(_refused(name, value, error.message))
        body, buffers = dump(allowed, snapshot, unchanged, recurse=recurse)
    try:
        fd, places = _into_memory_file(body, [buffer.raw() for buffer in buffers])
    except OSError as error:
        raise KeepError(f"The variables could not be packed: {error.strerror}.", "keep fewer of them") from error
    kept = [KeptName(name=n, type=type(v).__qualname__, preview=preview(v)) for n, v in allowed.items() if n != ANSWER]
    return Parcel(fd, len(body), places, kept, refused, list(removed))


def _refused(name: str, value: Any, reason: str) -> RefusedName:
    return RefusedName(name=name, type=type(value).__qualname__, reason=clip(reason, _REASON_LIMIT))


def _into_memory_file(body: bytes, buffers: Iterable[memoryview]) -> tuple[int, list[tuple[int, int]]]:
    fd = os.memfd_create("rlm-keep", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        places = []
        end = _write_at(fd, memoryview(body), 0)
        for raw in buffers:
            start = -(-end // _ALIGNMENT) * _ALIGNMENT
            end = _write_at(fd, raw, start)
            places.append((start, raw.nbytes))
        os.truncate(fd, end)  # an empty buffer at the end still has a place
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd, places


def _write_at(fd: int, data: memoryview, offset: int) -> int:
    while data:
        written = os.pwrite(fd, data[: 2**30], offset)
        data, offset = data[written:], offset + written
    return offset


# ----- in the notebook ---------------------------------------------------------------------------------------


def unpack(parcel: Parcel, snapshot: Snapshot) -> dict[str, Any]:
    """Return the packed variables; their buffers are pages of the memory file, copied only when written to.

    Closes the memory file. This unpickles what the branch packed: call it only for what the user asked to keep.

    Raises:
        KeepError: it is not what `pack` made, or an object in it cannot be rebuilt here.

    """
    try:
        size = os.fstat(parcel.fd).st_size
        memory = memoryview(mmap.mmap(parcel.fd, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE))
        buffers = [memory[start : start + length] for start, length in parcel.buffers]
        return load(memory[: parcel.pickle_size], buffers, snapshot)
    except Exception as error:
        raise KeepError(f"The variables could not be brought back: {type(error).__name__}: {error}") from error
    finally:
        os.close(parcel.fd)
