"""Has this value changed? A hash that two processes can compare, and a cheaper mark for before and after a cell.

Both read a value as pickle does. Classes and functions count by name and identity, and so does whatever cannot be
pickled (a lock in an object does not hide its other attributes). Big buffers never enter the pickle:

    fingerprint   reads everything: the pickle by blake2b, buffers by crc32 (six gigabytes a second)
    mark          reads at most a megabyte of pickle; small buffers by crc32, and of large ones only the page map

Of lists, dicts and sets whose pickle is longer than that megabyte it reads the tables of pointers, if there is nothing
but texts and numbers in them. A mark errs on the side of *changed*: it says so of anything else of that length.
"""

from __future__ import annotations

import copyreg
import ctypes
import hashlib
import io
import os
import pickle
import sys
import types
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .pagemap import is_shared, memory_at, pointer_table, shared_mappings, whole_pages, written_since_fork

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

_LIMIT = 2**20
_LARGE = 2**20
_CHUNK = 2**25
_HASHERS = min(4, os.cpu_count() or 1)
_SAMPLED = 1_000
_NESTED = 10_000
_PLAIN = {str, bytes, int, float, complex, bool, type(None)}


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
    reader = _Reader(limit=None)
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
    reader = _Reader(_LIMIT)
    whole = reader.read(value)
    if reader.overrun and (tables := _tables(value)) is not None:
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
        if written_since_fork(id(_LIMIT), 1) is not None:
            return shared_mappings()
    return None


def _crc(address: int, size: int) -> int:
    if size <= _CHUNK:
        return zlib.crc32(memory_at(address, size)) if size else 0
    starts = range(address, address + size, _CHUNK)
    with ThreadPoolExecutor(_HASHERS) as pool:  # crc32 lets go of the interpreter
        crcs = pool.map(lambda start: _crc(start, min(_CHUNK, address + size - start)), starts)
        return zlib.crc32(b"".join(crc.to_bytes(4, "little") for crc in crcs))


def _tables(value: Any) -> list[tuple[int, int]] | None:
    """Return where the containers of a nest keep their items; `None` if it is too big or holds anything else.

    Texts and numbers change only by being replaced, so nothing in a nest of them can change but these tables.
    """
    tables: list[tuple[int, int]] = []
    waiting, seen = [value], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        table = pointer_table(part)
        inner = _not_plain(part) if table is not None or type(part) is tuple else None
        if inner is None or len(seen) + len(inner) > _NESTED:
            return None
        waiting += inner
        tables += [table] if table is not None else []
    return tables


def _not_plain(container: Any) -> list[Any] | None:
    """Return the items that are no texts or numbers; `None` if that would take long. A long sample speaks for all."""
    items = container.values() if type(container) is dict else container
    found = [item for item in islice(items, _NESTED) if type(item) not in _PLAIN]
    return None if found and len(container) > _NESTED else found


# ----- reading a value ---------------------------------------------------------------------------------------


class _Overrun(Exception):
    """The pickle is longer than the reader's limit."""


class _Sink(io.RawIOBase):
    """A file that only remembers the hash of what was written into it."""

    def __init__(self, digest: Any, limit: int | None) -> None:
        super().__init__()
        self._digest = digest
        self._left = limit

    def write(self, data: Any, /) -> int:
        """Hash the bytes."""
        size = memoryview(data).nbytes
        if self._left is not None:
            self._left -= size
            if self._left < 0:
                raise _Overrun
        self._digest.update(data)
        return size


class _Reader(pickle.Pickler):
    """Hashes the pickle of a value and notes where its buffers are: `memory`, as (address, size) in bytes."""

    def __init__(self, limit: int | None) -> None:
        self.hash = hashlib.blake2b(digest_size=16)
        self.memory: list[tuple[int, int]] = []
        self.overrun = False
        self._bounded = limit is not None
        super().__init__(_Sink(self.hash, limit), 5, buffer_callback=self._buffer)

    def read(self, value: Any) -> bool:
        """Read all of the value; false if that could not be done."""
        try:
            self.dump(pickle.PickleBuffer(value) if isinstance(value, (bytearray, memoryview)) else value)
        except _Overrun:
            self.overrun = True
        except Exception:  # noqa: BLE001 (any object's own reduction may fail in any way)
            return False
        return not self.overrun

    def reducer_override(self, obj: Any) -> Any:
        """Say what stands for an object in the hash."""
        if isinstance(obj, type):
            return _token(obj.__module__, obj.__qualname__)
        if isinstance(obj, (types.FunctionType, types.ModuleType)):
            return _token(id(obj))
        if isinstance(obj, types.BuiltinFunctionType):
            return NotImplemented
        if (numpy := sys.modules.get("numpy")) is not None and isinstance(obj, numpy.ndarray):
            return self._array(obj, numpy.ndarray)
        arrow = sys.modules.get("pyarrow")
        if arrow is not None and isinstance(obj, arrow.Array):
            return self._arrow(obj)
        if arrow is not None and isinstance(held := getattr(obj, "_pa_array", None), arrow.ChunkedArray):
            return _token(type(obj), held)  # pandas' own reduction of its Arrow columns would copy them
        if self._bounded and type(obj).__module__.startswith("polars."):
            return _polars(obj, arrow)
        return _reduced(obj)

    def _array(self, array: Any, plain_type: Any) -> Any:
        if type(array) is not plain_type:
            return _token(type(array), array.view(plain_type), getattr(array, "__dict__", None))
        if array.dtype.hasobject and not (self._bounded and array.size > _SAMPLED and _plain_objects(array)):
            return NotImplemented
        start, end = _extent(array)
        self.memory.append((start, end - start))
        return _token(array.dtype, array.shape, array.strides)

    def _arrow(self, array: Any) -> Any:
        """Note where the buffers are; pickling would copy them."""
        self.memory.extend((buffer.address, buffer.size) for buffer in array.buffers() if buffer is not None)
        return _token(str(array.type), len(array), array.offset, getattr(array, "dictionary", None))

    def _buffer(self, buffer: pickle.PickleBuffer) -> None:
        raw = buffer.raw()
        self.memory.append((_address(raw), raw.nbytes))


def _token(*parts: Any) -> tuple[Any, ...]:
    """Return a reduction that is never undone: `id` is merely a function that pickles in a few bytes."""
    return id, parts


def _reduced(obj: Any) -> Any:
    """Reduce an object as pickle would, or to its identity if it cannot be."""
    try:
        registered = copyreg.dispatch_table.get(type(obj))
        reduced = registered(obj) if registered else obj.__reduce_ex__(5)
    except Exception:  # noqa: BLE001 (see `_Reader.read`)
        return _token(type(obj), id(obj))
    return reduced if isinstance(reduced, tuple) else _token(reduced)


def _polars(obj: Any, arrow: Any) -> Any:
    """Read a frame's columns through their Arrow buffers; pickling would copy them, all at once."""
    size = getattr(obj, "estimated_size", None)
    if size is None:
        return _token(id(obj))  # lazy frames and expressions
    if size() <= _LIMIT:
        return _reduced(obj)
    if arrow is None:
        raise _Overrun
    columns = obj.get_columns() if hasattr(obj, "get_columns") else [obj]
    return _token([(column.name, arrow.chunked_array(column)) for column in columns])


def _plain_objects(array: Any) -> bool:
    return {type(item) for item in array.flat[:: array.size // _SAMPLED]} <= _PLAIN


def _extent(array: Any) -> tuple[int, int]:
    """Return the first address of an array and the one after its last, whatever its strides."""
    start = end = array.__array_interface__["data"][0]
    if array.size == 0:
        return start, start
    for length, stride in zip(array.shape, array.strides, strict=True):
        reach = (length - 1) * stride
        start, end = start + min(reach, 0), end + max(reach, 0)
    return start, end + array.itemsize


class _Py_buffer(ctypes.Structure):  # noqa: N801 (CPython's name)
    _fields_ = (("buf", ctypes.c_void_p), ("rest", ctypes.c_char * 256))


def _address(raw: memoryview) -> int:
    """Return where a buffer begins; ctypes' own `from_buffer` refuses read-only ones."""
    view = _Py_buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(raw), ctypes.byref(view), 0)
    try:
        return view.buf or 0
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(view))
