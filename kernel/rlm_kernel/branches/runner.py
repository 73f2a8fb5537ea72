"""The runner: the process in which a branch's cells run, and how it freezes copies of itself.

Before each cell it forks. The *child* is the checkpoint: it sleeps on a socket of its own until it is told to take over
or its socket is closed. The *parent* keeps its pid and runs the cell, so that thread pools which a cell starts are
still there for the next one.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import time
import types
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .capture import Displays, cell_error, redirect_streams, replace_display
from .hygiene import reset_asyncio, reset_history, reset_input, reset_logging, reset_signals
from .keep import ANSWER, Snapshot, pack
from .linux import die_with_parent, last_to_be_spared, name_process
from .openmp import pause_openmp
from .protocol import Channel, Frame
from .scaffold import SCAFFOLD_NAMES, Scaffold
from .shell import FILE_PREFIX, branch_shell
from .values import touched_names

__all__ = ["Runner"]


class Runner:
    """One branch's session.

    Args:
        sock: the control socket.
        pipes: the writing ends of the output pipes, (stdout, stderr).
        namespace: the user's variables; in this process they are the branch's own.
        context: the value of `context`.

    """

    def __init__(self, sock: socket.socket, pipes: tuple[int, int], namespace: dict[str, Any], context: Any) -> None:
        self._nanny = os.getppid()
        self._join_branch("rlm-runner")
        self._channel = Channel(sock)
        self._snapshot = Snapshot(namespace)
        self._same: dict[str, bool] = {}
        old = {1: sys.stdout, 2: sys.stderr}
        self._writers = redirect_streams(*pipes)
        reset_signals()
        reset_asyncio()
        reset_input()
        reset_logging({id(old[1]): sys.stdout, id(old[2]): sys.stderr})
        self._displays = Displays()
        self._shell = branch_shell(namespace)
        reset_history(self._shell)
        self._hook = replace_display(self._shell, self._displays)
        self._namespace = namespace
        self._scaffold = Scaffold(namespace, context, lambda: self._channel)
        self._checkpoints: list[int] = []

    def serve(self) -> None:
        """Obey the kernel until it closes the channel."""
        self._channel.send({"op": "ready", "pid": os.getpid()})
        with suppress(EOFError):
            while True:
                frame = self._channel.command()
                if frame["op"] == "run":
                    self._run(frame)
                elif frame["op"] == "keep":
                    self._keep(frame)

    def _join_branch(self, name: str) -> None:
        os.setpgid(0, 0)
        name_process(name)
        die_with_parent(self._nanny, signal.SIGKILL)
        last_to_be_spared()

    # ----- cells ---------------------------------------------------------------------------------------------

    def _run(self, frame: Frame) -> None:
        code = frame["code"]
        if self._checkpoint(self._touched(code)):
            return
        self._displays.reset()
        for writer in self._writers:
            writer.reset()
        self._hook.code = code
        started = time.monotonic()
        outcome = self._shell.run_cell(code, store_history=False)
        seconds = time.monotonic() - started
        error = outcome.error_before_exec or outcome.error_in_exec
        self._channel.send(
            {
                "op": "result",
                "outcome": "error" if error else "ok",
                "error": cell_error(error, FILE_PREFIX) if error else None,
                "seconds": seconds,
                "value_text": self._displays.value_text,
                "displays": self._displays.bundles,
                "answer": self._scaffold.describe_answer(),
                "notes": self._scaffold.repair(),
                "lost": self._flush(),
            }
        )

    def _flush(self) -> list[int]:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # the cell may have closed or replaced it
                stream.flush()
        return [writer.dropped for writer in self._writers]

    def _touched(self, code: str) -> list[str]:
        with suppress(Exception):  # a cell that cannot be transformed fails by itself when it runs
            code = self._shell.transform_cell(code)
        modules = {n for n, v in self._namespace.items() if isinstance(v, types.ModuleType)}
        return sorted(touched_names(code) - modules - set(SCAFFOLD_NAMES))

    # ----- checkpoints ---------------------------------------------------------------------------------------

    def _checkpoint(self, touched: list[str]) -> bool:
        """Freeze a copy; return false in the runner, true in the copy once it has taken over."""
        self._reap()
        pause_openmp()
        ours, theirs = socket.socketpair()
        gc.freeze()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of earlier cells are known not to follow
            pid = os.fork()
        if pid == 0:
            theirs.close()
            self._sleep(ours)
            return True
        gc.unfreeze()
        ours.close()
        self._checkpoints.append(pid)
        self._channel.send({"op": "checkpoint", "pid": pid, "touched": touched}, [theirs.fileno()])
        theirs.close()
        return False

    def _sleep(self, sock: socket.socket) -> None:
        """Wait as a checkpoint; return when this copy is to go on as the runner."""
        os.setpgid(0, 0)
        name_process("rlm-checkpoint")
        self._channel.close()
        self._channel = Channel(sock)
        try:
            self._channel.command()
        except EOFError:
            os._exit(0)
        self._join_branch("rlm-runner")
        self._writers = redirect_streams(1, 2)  # a thread of the old runner may have held the old streams' locks
        self._checkpoints = []
        self._scaffold.resumed()
        self._channel.send({"op": "ready", "pid": os.getpid()})

    def _reap(self) -> None:
        for pid in list(self._checkpoints):
            with suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            self._checkpoints.remove(pid)

    # ----- keep ----------------------------------------------------------------------------------------------

    def _keep(self, frame: Frame) -> None:
        self._same.clear()
        wanted = self._wanted(frame["names"])
        given = self._scaffold.answer()
        if given is not None:
            wanted[ANSWER] = given[1]
        parcel = pack(wanted, self._snapshot, self._unchanged)
        self._channel.send(
            {
                "op": "kept",
                "pickle_size": parcel.pickle_size,
                "buffers": parcel.buffers,
                "kept": parcel.kept,
                "refused": parcel.refused,
            },
            [parcel.fd],
        )
        os.close(parcel.fd)

    def _wanted(self, names: str) -> dict[str, Any]:
        """Return the variables that `keep=names` means; see the setting's documentation."""
        own = {n: v for n, v in self._namespace.items() if self._is_users(n, v)}
        if names == "none":
            return {}
        if names == "new":
            return {n: v for n, v in own.items() if n not in self._snapshot.values}
        if names == "all":
            return {n: v for n, v in own.items() if self._is_changed(n, v)}
        listed = [name.strip() for name in names.split(",")]
        return {n: self._namespace[n] for n in listed if n in self._namespace and n not in SCAFFOLD_NAMES}

    def _is_users(self, name: str, value: Any) -> bool:
        hidden: Mapping[str, Any] = self._shell.user_ns_hidden
        return not (
            name.startswith("_")
            or name in SCAFFOLD_NAMES
            or (name in hidden and hidden[name] is value)
            or isinstance(value, types.ModuleType)
        )

    def _is_changed(self, name: str, value: Any) -> bool:
        values = self._snapshot.values
        if name not in values or values[name] is not value:
            return True
        return self._snapshot.name_of(value) is not None and not self._unchanged(name)

    def _unchanged(self, name: str) -> bool:
        if name not in self._same:
            mine = self._snapshot.fingerprint_of(name)
            reply = self._channel.ask("unchanged", name=name, fingerprint=mine)
            self._same[name] = bool(reply.get("value"))
        return self._same[name]
