"""A branch in a fresh Python: for when this process cannot be forked.

The context and the names the user lists travel there in one pickle, with big buffers in shared memory that both sides
map, and what else the question brings along in another, whose functions take along what they use of their globals.
Everything else is as in a forked branch, checkpoints included: the fresh process becomes a nanny, and its runners
unpack the pickles, so that the nanny itself never holds what cannot be forked.

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
from functools import partial
from typing import Any

from ..errors import BranchError
from .household import Wish
from .keep import Parcel, Snapshot, pack, unpack
from .luggage import parts_of, put_together, stays_at_home, word_for
from .nanny import live_as_nanny
from .process import ProcessBranch
from .protocol import Decoder, Frame
from .runner import live_as_runner
from .session import Seed
from .wiring import FarEnds, lay_wires

__all__ = ["open_spawned"]

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
    rest = {} if given.kit is None else {n: v for n, v in parts_of(given.kit).items() if n not in values}
    fds = list[int]()
    try:
        facts, home = _packed(values, Snapshot({}, namespace), fds)
        kit_facts, home = _packed(rest, Snapshot(values), fds, recurse=True)
        near, far = lay_wires()
        try:
            near.pid = _start(far)
        finally:
            far.close()
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise
    preload = [name for name in _PRELOADED if name in sys.modules]
    seed = {"op": "seed", "parcels": [facts, kit_facts], "home": home, "path": sys.path, "preload": preload}
    return ProcessBranch("spawn", near, Snapshot(values, namespace), reason, wish, seed=(seed, fds))


def _packed(
    values: dict[str, Any], snapshot: Snapshot, fds: list[int], *, recurse: bool = False
) -> tuple[Frame, dict[str, str]]:
    """Pack values, and put the memory file's descriptor into `fds`; return the parcel's facts, and what stays here."""
    parcel = pack(values, snapshot, lambda _: True, recurse=recurse)
    fds.append(parcel.fd)
    home = {}
    for row in parcel.refused:
        doc = stays_at_home(row["name"], values[row["name"]])
        if doc is None:
            what = word_for(row["name"])
            raise BranchError(f"{what} cannot travel to another process: {row['reason']}", "keep it out of ship=")
        home[row["name"]] = doc
    return parcel.facts(), home


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
    first, second = (Parcel(os.dup(fd), **facts) for fd, facts in zip(frame["fds"], frame["parcels"], strict=True))
    namespace = vars(sys.modules["__main__"])
    values = unpack(first, Snapshot({}, namespace))
    kit = put_together(values, unpack(second, Snapshot(values)), frame["home"])
    namespace.update(values)
    return Seed(namespace, kit)


if __name__ == "__main__":
    sys.modules["__main__"] = types.ModuleType("__main__")
    # Imported under its own name, now that `__main__` is the user's: what is pickled by reference must be found again.
    importlib.import_module("rlm_kernel.branches.spawned")._main(int(sys.argv[1]))
