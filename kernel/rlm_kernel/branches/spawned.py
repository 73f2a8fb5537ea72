"""A branch in a fresh Python: for when this process cannot be forked.

The context and the names the user lists travel there in one pickle, with big buffers in shared memory that both sides
map; everything else is as in a forked branch, checkpoints included: the fresh process becomes a nanny, and its runners
unpack the pickle, so that the nanny itself never holds what cannot be forked.

    kernel ──exec── nanny ──fork── runner ──fork── checkpoint (asleep)
"""

from __future__ import annotations

import fcntl
import importlib
import os
import socket
import sys
import types
from collections.abc import Iterable
from dataclasses import fields, replace
from functools import partial

from ..errors import BranchError
from ..vocabulary.kit import Kit
from .household import Wish
from .keep import Parcel, Snapshot, pack, unpack
from .nanny import live_as_nanny
from .process import ProcessBranch
from .protocol import Decoder, Frame
from .runner import live_as_runner
from .session import CONTEXT, Seed
from .wiring import FarEnds, lay_wires

__all__ = ["open_spawned"]

_KIT = "\0kit"
_WORDS = {CONTEXT[:2]: "the context", _KIT[:2]: "what the question brings along"}
_TELLING = 2
_OUT_OF_THE_WAY = 100
_FIRST = 3
_PRELOADED = ("numpy", "pandas")
"""Libraries that many runners of one nanny will need, and whose import starts no threads that a fork would lose."""


def open_spawned(given: Seed, ship: Iterable[str], reason: str, wish: Wish) -> ProcessBranch:
    """Start a branch in a fresh process, with its kit, if any, and the variables named in `ship`; on any thread.

    Raises:
        BranchError: something of it cannot travel; the message names it.

    """
    namespace = given.namespace
    values = given.contexts() | {name: namespace[name] for name in ship}
    kit = {} if given.kit is None else {_KIT: replace(given.kit, contexts=())}
    parcel = pack(values | kit, Snapshot({}, namespace), lambda _: False)
    if parcel.refused:
        os.close(parcel.fd)
        first = parcel.refused[0]
        name = _WORDS.get(first["name"][:_TELLING], first["name"])
        raise BranchError(f"{name} cannot travel to another process: {first['reason']}", "keep it out of ship=")
    near, far = lay_wires()
    try:
        near.pid = _start(far)
    finally:
        far.close()
    facts = {field.name: getattr(parcel, field.name) for field in fields(parcel) if field.name != "fd"}
    preload = [name for name in _PRELOADED if name in sys.modules]
    seed = {"op": "seed", "parcel": facts, "path": sys.path, "preload": preload}
    return ProcessBranch("spawn", near, Snapshot(values, namespace), reason, wish, seed=(seed, parcel.fd))


def _start(far: FarEnds) -> int:
    """Execute a fresh Python with the branch's ends as its descriptors 3, 4 and 5; return its pid."""
    ends = (far.nanny.fileno(), far.stdout, far.stderr)
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY) for fd in ends]
    try:
        actions = [(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(high, _FIRST)]
        actions += [(os.POSIX_SPAWN_DUP2, high[2], 1), (os.POSIX_SPAWN_DUP2, high[2], 2)]  # why it cannot start
        quiet = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        command = [sys.executable, "-P", "-m", __name__, str(os.getpid())]
        return os.posix_spawn(sys.executable, command, os.environ, file_actions=[quiet, *actions], setsid=True)
    finally:
        for fd in high:
            os.close(fd)


def _main(kernel: int) -> None:
    """Become the nanny of a spawned branch; its runners start from what the first frame brings."""
    ends = FarEnds(socket.socket(fileno=_FIRST), _FIRST + 1, _FIRST + 2)
    frame = _first_frame(ends.nanny)
    sys.path[:] = frame["path"]
    for name in frame["preload"]:
        importlib.import_module(name)
    live_as_nanny(kernel, ends, partial(live_as_runner, seed=lambda: _unpacked(frame)))


def _first_frame(sock: socket.socket) -> Frame:
    decoder = Decoder()
    while (frame := decoder.next()) is None:
        if not decoder.read(sock):
            os._exit(0)
    return frame


def _unpacked(frame: Frame) -> Seed:
    """Return the session's start; the user's variables are those of a fresh `__main__`, as in a notebook."""
    parcel = Parcel(os.dup(frame["fds"][0]), **frame["parcel"])
    namespace = vars(sys.modules["__main__"])
    values = unpack(parcel, Snapshot({}, namespace))
    kit: Kit | None = values.pop(_KIT, None)
    if kit is not None:
        contexts = [values.pop(name) for name in sorted(n for n in values if n.startswith(CONTEXT))]
        kit = replace(kit, contexts=tuple(contexts))
    namespace.update(values)
    return Seed(namespace, kit)


if __name__ == "__main__":
    sys.modules["__main__"] = types.ModuleType("__main__")
    # Imported under its own name, now that `__main__` is the user's: what is pickled by reference must be found again.
    importlib.import_module("rlm_kernel.branches.spawned")._main(int(sys.argv[1]))
