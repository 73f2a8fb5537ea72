"""The runner: the process in which a branch's cells run, and how it freezes and multiplies itself.

Before each cell it forks. The *child* is the checkpoint: it sleeps on a socket of its own until it is told to take
over, or to fork a runner that goes on from there, or until its socket is closed. The *parent* keeps its pid and runs
the cell, so that thread pools which a cell starts are still there for the next one.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn

from ..vocabulary.kit import Kit
from .hygiene import scrub_descriptors
from .inherited import defuse
from .linux import die_with_parent, last_to_be_spared, name_process, thread_names
from .nanny import live_as_nanny
from .openmp import pause_openmp
from .protocol import Channel, Frame
from .session import Seed, Session
from .updates import from_file
from .watchdog import limit_address_space
from .wiring import FarEnds, lay_wires

__all__ = ["live_as_runner"]

_LOST_POOLS = ("polars-",)
"""Names of threads that a fork loses and their library waits for forever; such a session cannot be frozen."""


def live_as_runner(sock: socket.socket, ends: FarEnds, wish: Frame, seed: Callable[[], Seed]) -> None:
    """Be a runner in this fresh fork of a nanny, until the kernel closes `sock`; `seed` makes the session's start.

    `wish` is the frame that asked for it: `threads`, `seed` and `address_space` limit what the session may use.
    """
    _Runner(sock, ends, wish, seed).serve()


class _Runner:
    def __init__(self, sock: socket.socket, ends: FarEnds, wish: Frame, seed: Callable[[], Seed]) -> None:
        self._nanny = os.getppid()
        _join("rlm-runner", self._nanny)
        defuse(threads=wish["threads"], seed=wish["seed"])
        self._children: list[int] = []
        self._channel = Channel(sock)
        self._session = Session(seed(), (ends.stdout, ends.stderr), self._channel, self._open_child)
        if wish["address_space"] is not None:
            limit_address_space(wish["address_space"])
        self._channel.send({"op": "ready", "pid": os.getpid()})

    def serve(self) -> None:
        """Obey the kernel until it closes the channel; a checkpoint that takes over goes on here as well."""
        while True:
            try:
                frame = self._channel.command()
            except EOFError:
                return
            self._reap()
            self._obey(frame)

    def _obey(self, frame: Frame) -> None:
        match frame["op"]:
            case "update":
                self._session.update(from_file(frame["fds"][0]))
            case "run":
                freeze = frame["checkpoint"] and not _has_lost_pools()
                touched = self._session.prepare(frame["code"], frozen=freeze)
                if frame["checkpoint"] and self._checkpoint(touched, freeze=freeze):
                    return
                self._channel.send(self._session.run(frame["code"]))
            case "park":
                self._checkpoint([], freeze=not _has_lost_pools())
            case "variables":
                self._channel.send(self._session.variables())
            case "keep":
                parcel = self._session.keep(frame["names"])
                self._channel.send({"op": "kept", "facts": parcel.facts()}, [parcel.fd])
                os.close(parcel.fd)

    # ----- checkpoints ---------------------------------------------------------------------------------------

    def _checkpoint(self, touched: list[str], *, freeze: bool) -> bool:
        """Freeze a copy, if it can be; return false in the runner, true in a copy that has taken over."""
        if not freeze:
            self._channel.send({"op": "checkpoint", "pid": 0, "touched": touched})
            return False
        ours, theirs = socket.socketpair()
        stream = random.getstate()
        pid = self._fork()
        if pid == 0:
            random.setstate(stream)  # Python seeds it anew at every fork, but this is the same session, frozen
            theirs.close()
            self._sleep(ours)
            return True
        ours.close()
        self._channel.send({"op": "checkpoint", "pid": pid, "touched": touched}, [theirs.fileno()])
        theirs.close()
        return False

    def _sleep(self, sock: socket.socket) -> None:
        """Wait as a checkpoint; return when this process, or a fork of it, is to go on as a runner."""
        os.setpgid(0, 0)
        name_process("rlm-checkpoint")
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # visits that end leave no zombie behind
        self._channel.close()
        self._children = []
        asleep = Channel(sock)
        while True:
            try:
                frame = asleep.command()
            except EOFError:
                os._exit(0)
            self._reap()
            if frame["op"] == "resume":
                return self._wake(asleep)
            if frame["op"] == "adopt":
                asleep.close()
                self._become_nanny(frame["fds"][0])
            if frame["op"] == "branch":
                asleep.send({"op": "branched", "pid": self._receive_visit(frame["fds"])})

    def _wake(self, channel: Channel, pipes: tuple[int, int] = (1, 2)) -> None:
        _join("rlm-runner", self._nanny)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._children = []
        self._channel = channel
        self._session.resume(channel, pipes)
        channel.send({"op": "ready", "pid": os.getpid()})

    def _receive_visit(self, fds: list[int]) -> int:
        """Fork a branch that goes on from this checkpoint, which itself stays as it is; return its nanny's pid."""
        ends = FarEnds(socket.socket(fileno=fds[0]), fds[1], fds[2])
        checkpoint = os.getpid()
        pid = self._fork()
        if pid == 0:
            scrub_descriptors(ends.descriptors)
            live_as_nanny(checkpoint, ends, self._live_on)
        ends.close()
        return pid

    def _become_nanny(self, fd: int) -> NoReturn:
        """Take the place of a nanny that was killed: runners are forked from here from now on."""
        ends = FarEnds(socket.socket(fileno=fd), 1, 2)
        live_as_nanny(os.getppid(), ends, self._live_on)

    def _live_on(self, sock: socket.socket, ends: FarEnds, _: Frame) -> None:
        self._nanny = os.getppid()
        self._wake(Channel(sock), (ends.stdout, ends.stderr))
        self.serve()

    # ----- processes -----------------------------------------------------------------------------------------

    def _open_child(self, kit: Kit) -> tuple[int, list[int]]:
        """Fork a branch of this process for `rlm_query`; return the nanny's pid and the kernel's ends."""
        near, far = lay_wires()
        runner = os.getpid()
        pid = self._fork()
        if pid == 0:
            self._channel.close()
            scrub_descriptors(far.descriptors)
            live_as_nanny(runner, far, partial(live_as_runner, seed=lambda: self._session.bequeath(kit)))
        far.close()
        return pid, near.release()

    def _fork(self) -> int:
        pause_openmp()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of earlier cells are known not to follow
            pid = os.fork()
        if pid:
            self._children.append(pid)
            with suppress(ProcessLookupError, PermissionError):
                os.setpgid(pid, pid)  # the child does so too, but a cell may be faster with a signal to its group
        return pid

    def _reap(self) -> None:
        for pid in list(self._children):
            with suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            self._children.remove(pid)


def _has_lost_pools() -> bool:
    return any(name.startswith(_LOST_POOLS) for name in thread_names())


def _join(name: str, parent: int) -> None:
    """Make this process one of a branch's: its own process group, gone with its parent, first to go without memory."""
    os.setpgid(0, 0)
    name_process(name)
    die_with_parent(parent, signal.SIGKILL)
    last_to_be_spared()
