"""Reading a value the way pickle does, only to see what is in it: a hash, and where its buffers lie.

Classes and functions stand for themselves by name and identity, and so does whatever cannot be pickled (a lock in an
object does not hide its other attributes). Arrays, Arrow columns and frames are not copied: their memory is noted.
"""

from __future__ import annotations

import copyreg
import ctypes
import hashlib
import io
import pickle
import sys
import types
from itertools import islice
from typing import Any

from .pagemap import pointer_table

__all__ = ["LIMIT", "Reader", "pointer_tables"]

LIMIT = 2**20
"""Bytes of pickle that a bounded reader takes in."""

_SAMPLED = 1_000
_NESTED = 10_000
_PLAIN = {str, bytes, int, float, complex, bool, type(None)}


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


class Reader(pickle.Pickler):
    """Reads one value.

    Attributes:
        hash: of the pickle, as far as it was read.
        memory: where the buffers are: (address, size), in bytes.
        overrun: whether a bounded reader stopped at `LIMIT`.

    """

    def __init__(self, *, bounded: bool) -> None:
        self.hash = hashlib.blake2b(digest_size=16)
        self.memory: list[tuple[int, int]] = []
        self.overrun = False
        self._bounded = bounded
        super().__init__(_Sink(self.hash, LIMIT if bounded else None), 5, buffer_callback=self._buffer)

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
    except Exception:  # noqa: BLE001 (see `Reader.read`)
        return _token(type(obj), id(obj))
    return reduced if isinstance(reduced, tuple) else _token(reduced)


def _polars(obj: Any, arrow: Any) -> Any:
    """Read a frame's columns through their Arrow buffers; pickling would copy them, all at once."""
    size = getattr(obj, "estimated_size", None)
    if size is None:
        return _token(id(obj))  # lazy frames and expressions
    if size() <= LIMIT:
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


def pointer_tables(value: Any) -> list[tuple[int, int]] | None:
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
