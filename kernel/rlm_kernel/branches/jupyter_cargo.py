"""The far side of a Jupyter branch, second half: values in and out. Sent along with `bootstrap`, see there.

Values come as one pickle with its buffers (PEP 574), and go as one pickle, in pieces of a few megabytes that are
carried by calls. dill does it if the kernel has it; without it, functions and classes made in a cell cannot travel.
"""

from __future__ import annotations

import base64
import io
import pickle
import sys
import threading
import types
from typing import Any

from ..vocabulary.kit import Kit
from ..vocabulary.session import SCAFFOLD_NAMES
from .bootstrap import Session, call
from .changes import preview
from .fingerprints import fingerprint

__all__ = ["KIT", "PIECE", "keep", "load", "variables"]

PIECE = 4 * 2**20
"""Bytes that one call carries."""

KIT = "\0kit"
"""The name under which the kit travels, as a dict of its fields; no variable can be called that."""

_ANSWER = ""
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
    import dill as _pickling
except ImportError:
    _pickling = pickle


def load(session: Session, pickle_size: int, buffers: list[tuple[int, int]], size: int) -> None:
    """Fetch `size` bytes, the values by name, and make them the session's variables and its kit.

    They are a pickle of `pickle_size` bytes and, behind it, its buffers as (offset, length).
    """
    freight = bytearray()
    while len(freight) < size:
        freight += base64.b64decode(call("fetch", offset=len(freight)))
    memory = memoryview(freight)
    places = [memory[start : start + length] for start, length in buffers]
    values: dict[str, Any] = _pickling.loads(memory[:pickle_size].tobytes(), buffers=places)
    if KIT in values:
        session.equip(Kit(**values.pop(KIT)))
    session.namespace.update(values)
    session.shipped = {name: (value, fingerprint(value)) for name, value in values.items()}


def variables(session: Session) -> None:
    """Tell the user-visible variables: name, type and one line about the value."""
    rows = [_described(name, value) for name, value in _own(session).items()]
    call("variables", variables=rows)


def keep(session: Session, names: str) -> None:
    """Tell the answer and the variables that `names` means (`none`, `new`, `all`, or a list), as one pickle."""
    wanted = _wanted(session, names)
    given = session.answer()
    if given is not None:
        wanted[_ANSWER] = given[1]
    body, refused = _pack(wanted)
    for start in range(0, len(body), PIECE):
        call("piece", data=base64.b64encode(body[start : start + PIECE]).decode("ascii"))
    kept = [_described(n, v) for n, v in wanted.items() if n != _ANSWER]
    removed = [n for n in session.shipped if n not in session.namespace] if names == "all" else []
    call("kept", pickle_size=len(body), kept=kept, refused=refused, removed=removed)


# ----- which -----------------------------------------------------------------------------------------------------


def _wanted(session: Session, names: str) -> dict[str, Any]:
    own = _own(session)
    if names == "none":
        return {}
    if names == "new":
        return {n: v for n, v in own.items() if n not in session.shipped and n not in session.before}
    if names == "all":
        return {n: v for n, v in own.items() if _is_changed(session, n, v)}
    listed = [name.strip() for name in names.split(",")]
    return {n: session.namespace[n] for n in listed if n in session.namespace and n not in SCAFFOLD_NAMES}


def _own(session: Session) -> dict[str, Any]:
    return {name: value for name, value in session.namespace.items() if session.is_users(name, value)}


def _is_changed(session: Session, name: str, value: Any) -> bool:
    if name not in session.shipped:
        return True
    shipped, known = session.shipped[name]
    return value is not shipped or known is None or fingerprint(value) != known


def _described(name: str, value: Any) -> dict[str, str]:
    return {"name": name, "type": type(value).__qualname__, "preview": preview(value)}


# ----- how -------------------------------------------------------------------------------------------------------


class _Packer(_pickling.Pickler):  # type: ignore[misc]  # dill has no types
    """Refuses what would arrive as the mere name of something that only this process has."""

    def reducer_override(self, obj: Any) -> Any:
        """Refuse the session's own names, and without dill what a cell defined; arrays reduce themselves."""
        if isinstance(obj, (type, types.FunctionType, types.MethodType)):
            home = (getattr(obj, "__module__", None) or "").partition(".")[0]
            if home == _HOME or (home == "__main__" and _pickling is pickle):
                raise pickle.PicklingError(f"{obj.__qualname__} is part of the session, and cannot leave it")
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(obj, numpy.ndarray):
            return obj.__reduce_ex__(5)
        return NotImplemented


def _pack(wanted: dict[str, Any]) -> tuple[bytes, list[dict[str, str]]]:
    """Pickle what can travel, and take the rest out of `wanted`: each is named with the reason."""
    reasons = {name: reason for name, value in wanted.items() if (reason := _refusal(value))}
    try:
        body = _dump({name: value for name, value in wanted.items() if name not in reasons})
    except Exception:  # noqa: BLE001 (any object's own reduction may fail in any way)
        reasons = {name: reason for name, value in wanted.items() if (reason := _obstacle(value))}
        body = _dump({name: value for name, value in wanted.items() if name not in reasons})
    kinds = {name: type(wanted.pop(name)).__qualname__ for name in reasons}
    return body, [{"name": name, "type": kinds[name], "reason": reason} for name, reason in reasons.items()]


def _dump(values: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    _Packer(file, protocol=5).dump(values)
    return file.getvalue()


def _obstacle(value: Any) -> str:
    if reason := _refusal(value):
        return reason
    try:
        _dump({"": value})
    except Exception as error:  # noqa: BLE001 (see `_pack`)
        return f"it cannot be pickled: {error}"[:200]
    return ""


def _refusal(value: Any) -> str:
    if isinstance(value, io.IOBase) and not isinstance(value, (io.BytesIO, io.StringIO)):
        return "an open file belongs to the process that opened it"
    return "it lives in the branch, and cannot leave it" if isinstance(value, _PRIVATE_THINGS) else ""
