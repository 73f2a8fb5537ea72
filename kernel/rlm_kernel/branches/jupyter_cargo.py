"""The far side of a Jupyter branch, second half: values in and out. Sent along with `bootstrap`, see there.

Values come as one pickle with its buffers (PEP 574), and go as one pickle, in pieces that are carried by calls.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from .bootstrap import Session
from .changes import preview
from .fingerprints import fingerprint
from .jupyter_packing import pack, pickling, pieces
from .luggage import KIT, put_together

__all__ = ["keep", "load", "update", "variables"]

_ANSWER = ""


def load(
    session: Session,
    pickle_size: int,
    buffers: list[tuple[int, int]],
    size: int,
    home: dict[str, str],
    *,
    trial: bool = False,
) -> None:
    """Fetch `size` bytes, the values by name, and make them the session's variables and its kit; a `trial` only tries.

    They are a pickle of `pickle_size` bytes and, behind it, its buffers as (offset, length). `home` are the tools that
    have stayed in the notebook's process, and their documentation.
    """
    freight = _fetched(session, size)
    memory = memoryview(freight)
    places = [memory[start : start + length] for start, length in buffers]
    values: dict[str, Any] = pickling.loads(memory[:pickle_size].tobytes(), buffers=places)
    if trial:
        return
    rest = {name: values.pop(name) for name in list(values) if name.startswith(KIT)}
    if (kit := put_together(values, rest, home)) is not None:
        session.equip(kit)
    session.namespace.update(values)
    session.shipped = {name: (value, fingerprint(value)) for name, value in values.items()}


def update(session: Session, size: int) -> None:
    """Fetch `size` bytes, updates in JSON, and change the session; see `Vocabulary.update`."""
    for arguments in json.loads(_fetched(session, size)):
        session.update(**arguments)


def variables(session: Session) -> None:
    """Tell the user-visible variables: name, type and one line about the value."""
    rows = [_described(name, value) for name, value in _own(session).items()]
    session.line.ask("variables", variables=rows)


def keep(session: Session, names: str) -> None:
    """Tell the answer and the variables that `names` means (`none`, `new`, `all`, or a list), as one pickle."""
    wanted = _wanted(session, names)
    given = session.answer()
    if given is not None:
        wanted[_ANSWER] = given[1]
    body, reasons = pack(wanted)
    for piece in pieces(body):
        session.line.ask("piece", data=piece)
    kinds = {name: type(wanted.pop(name)).__qualname__ for name in reasons}
    refused = [{"name": name, "type": kinds[name], "reason": reason} for name, reason in reasons.items()]
    kept = [_described(n, v) for n, v in wanted.items() if n != _ANSWER]
    removed = [n for n in session.shipped if n not in session.namespace] if names == "all" else []
    session.line.ask("kept", pickle_size=len(body), kept=kept, refused=refused, removed=removed)


def _fetched(session: Session, size: int) -> bytearray:
    freight = bytearray()
    while len(freight) < size:
        freight += base64.b64decode(session.line.ask("fetch", offset=len(freight)))
    return freight


def _wanted(session: Session, names: str) -> dict[str, Any]:
    own = _own(session)
    if names == "none":
        return {}
    if names == "new":
        return {n: v for n, v in own.items() if n not in session.shipped and n not in session.before}
    if names == "all":
        return {n: v for n, v in own.items() if _is_changed(session, n, v)}
    listed = [name.strip() for name in names.split(",")]
    return {n: session.namespace[n] for n in listed if n in session.namespace and n not in session.fixed_names}


def _own(session: Session) -> dict[str, Any]:
    return {name: value for name, value in session.namespace.items() if session.is_users(name, value)}


def _is_changed(session: Session, name: str, value: Any) -> bool:
    if name not in session.shipped:
        return True
    shipped, known = session.shipped[name]
    return value is not shipped or known is None or fingerprint(value) != known


def _described(name: str, value: Any) -> dict[str, str]:
    return {"name": name, "type": type(value).__qualname__, "preview": preview(value)}
