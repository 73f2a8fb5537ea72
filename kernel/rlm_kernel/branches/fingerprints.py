"""Has this value changed? A hash that two processes can compare, and a cheaper mark for before and after a cell.

Both read a value as pickle does. Classes and functions count by name and identity, and so does whatever cannot be
pickled (a lock in an object does not hide its other attributes). Big buffers never enter the pickle:

    fingerprint   reads everything: the pickle by blake2b, buffers by crc32, on several threads
    mark          reads at most a megabyte of pickle; small buffers by crc32, and of large ones only the page map

Of lists, dicts and sets whose pickle is longer than that megabyte it reads the tables of pointers, if there is nothing
but texts and numbers in them. A mark errs on the side of *changed*: it says so of anything else of that length.
"""

from __future__ import annotations

import os
import types
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .pagemap import is_shared, memory_at, shared_mappings, whole_pages, written_since_fork
from .reading import Reader, pointer_tables

__all__ = ["NEVER_CHANGED", "Mark", "changed_since", "fingerprint", "mark"]

NEVER_CHANGED = (
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.ModuleType,
    str,
    bytes,
    int,
    float,
    complex,
    type(None),
)
"""Values of these types are what they are, or count as such: only another one can take their place."""

_LARGE = 2**20
_CHUNK = 2**25
_HASHERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class _Region:
    """Memory of a value: where, and the crc32 of its bytes; of the edges alone where the page map knows the rest."""

    address: int
    size: int
    crc: int
    by_pages: bool

    def changed_to(self, later: _Region) -> bool:
        if self.size != later.size or self.crc != later.crc or self.by_pages != later.by_pages:
            return True
        return self.by_pages and (
            self.address != later.address or written_since_fork(self.address, self.size) is not False
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """What `mark` saw of a value; `digest` is empty where it could not be read to the end."""

    digest: bytes
    regions: tuple[_Region, ...]


def fingerprint(value: Any) -> str | None:
    """Return a hash of all of a value, equal in two processes of which one was forked from the other.

    `None` where the value cannot be read, for example because it is nested too deeply. It copies no buffer.
    """
    reader = Reader(bounded=False)
    if not reader.read(value):
        return None
    for address, size in reader.memory:
        reader.hash.update(_crc(address, size).to_bytes(4, "little"))
    return reader.hash.hexdigest()


def mark(value: Any, *, by_pages: bool = True) -> Mark:
    """Note the state of a value, to be asked later whether it is still the same.

    With `by_pages`, a process must be forked right after this and live until `changed_since` was asked; else large
    buffers are hashed. Never raises, whatever the value.
    """
    if isinstance(value, NEVER_CHANGED):
        return Mark(b"fixed", ())
    reader = Reader(bounded=True)
    whole = reader.read(value)
    if reader.overrun and (tables := pointer_tables(value)) is not None:
        reader.memory[:] = tables
        whole = True
    shared = _shared() if by_pages and any(size >= _LARGE for _, size in reader.memory) else None
    regions = tuple(_region(address, size, shared) for address, size in reader.memory if size) if whole else ()
    return Mark(reader.hash.digest() if whole else b"", regions)


def changed_since(before: Mark, value: Any) -> bool:
    """Tell whether `value` may have changed since it was given `before`; a value that cannot be read may have.

    Reads the page map for what `before` left to it. A `value` that is another object than then counts as changed if
    its content differs.
    """
    by_pages = any(region.by_pages for region in before.regions)
    after = mark(value, by_pages=by_pages)
    if not before.digest or before.digest != after.digest or len(before.regions) != len(after.regions):
        return True
    return any(old.changed_to(new) for old, new in zip(before.regions, after.regions, strict=True))


def _region(address: int, size: int, shared: list[tuple[int, int]] | None) -> _Region:
    if size < _LARGE or shared is None or is_shared(address, shared):
        return _Region(address, size, _crc(address, size), by_pages=False)
    first, end = whole_pages(address, size)
    edges = zlib.crc32(memory_at(end, address + size - end), _crc(address, first - address))
    return _Region(address, size, edges, by_pages=True)


def _shared() -> list[tuple[int, int]] | None:
    with suppress(OSError):
        if written_since_fork(id(Mark), 1) is not None:
            return shared_mappings()
    return None


def _crc(address: int, size: int) -> int:
    if size <= _CHUNK:
        return zlib.crc32(memory_at(address, size)) if size else 0
    starts = range(address, address + size, _CHUNK)
    with ThreadPoolExecutor(_HASHERS) as pool:  # crc32 lets go of the interpreter
        crcs = pool.map(lambda start: _crc(start, min(_CHUNK, address + size - start)), starts)
        return zlib.crc32(b"".join(crc.to_bytes(4, "little") for crc in crcs))
