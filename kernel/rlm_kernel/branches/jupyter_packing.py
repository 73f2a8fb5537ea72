"""Values out of a Jupyter kernel: one pickle, in pieces of a few megabytes. Sent along with `bootstrap`, see there.

dill makes the pickle if the kernel has it; without it, functions and classes made in a cell cannot travel.
"""

from __future__ import annotations

import base64
import io
import pickle
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

__all__ = ["PIECE", "pack", "pickling", "pieces"]

PIECE = 4 * 2**20
"""Bytes that one call carries."""

_HOME = __name__.partition(".")[0]
_PRIVATE_THINGS = (
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Thread,
)

try:
    import dill as pickling
except ImportError:
    pickling = pickle


def pack(wanted: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Pickle what can travel; return the pickle, and the reason for each value that cannot, by name."""
    reasons = {name: reason for name, value in wanted.items() if (reason := _refusal(value))}
    try:
        body = _dump({name: value for name, value in wanted.items() if name not in reasons})
    except Exception:  # noqa: BLE001 (any object's own reduction may fail in any way)
        reasons = {name: reason for name, value in wanted.items() if (reason := _obstacle(value))}
        body = _dump({name: value for name, value in wanted.items() if name not in reasons})
    return body, reasons


def pieces(body: bytes) -> Iterator[str]:
    """Yield the pickle in pieces that a call can carry."""
    for start in range(0, len(body), PIECE):
        yield base64.b64encode(body[start : start + PIECE]).decode("ascii")


class _Packer(pickling.Pickler):  # type: ignore[misc]  # dill has no types
    """Refuses what would arrive as the mere name of something that only this process has."""

    def reducer_override(self, obj: Any) -> Any:
        """Refuse the session's own names, and without dill what a cell defined; arrays reduce themselves."""
        if isinstance(obj, (type, types.FunctionType, types.MethodType)):
            home = (getattr(obj, "__module__", None) or "").partition(".")[0]
            if home == _HOME or (home == "__main__" and pickling is pickle):
                raise pickle.PicklingError(f"{obj.__qualname__} is part of the session, and cannot leave it")
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(obj, numpy.ndarray):
            return obj.__reduce_ex__(5)
        return NotImplemented


def _dump(values: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    _Packer(file, protocol=5).dump(values)
    return file.getvalue()


def _obstacle(value: Any) -> str:
    if reason := _refusal(value):
        return reason
    try:
        _dump({"": value})
    except Exception as error:  # noqa: BLE001 (see `pack`)
        return f"it cannot be pickled: {error}"[:200]
    return ""


def _refusal(value: Any) -> str:
    if isinstance(value, io.IOBase) and not isinstance(value, (io.BytesIO, io.StringIO)):
        return "an open file belongs to the process that opened it"
    return "it lives in the branch, and cannot leave it" if isinstance(value, _PRIVATE_THINGS) else ""
