"""A branch forked from this process: the kernel's side.

    kernel ──fork── nanny ──fork── runner ──fork── checkpoint (asleep)

The kernel sends a cell to the runner. If the cell ends, its checkpoint is kept until the next one replaces it. If the
cell runs too long or dies, the kernel kills everything below the nanny except the checkpoint, and that takes over: the
session goes on as if the cell had never been. The kernel does the killing itself and never waits for a process that
model code can signal.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import BranchDied, KeepError, ProtocolError, RLMError
from ..trajectory.events import CellError, Outcome
from .clock import CellClock
from .keep import Parcel, Snapshot
from .link import GONE, Link
from .linux import kill_below
from .protocol import Frame
from .result import CellResult, GivenAnswer
from .streams import OutputPipe

__all__ = ["ForkedBranch", "Serve", "Wiring"]

Serve = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Answers a call from inside a cell: (name, arguments) → a JSON value; an `RLMError` is raised in the cell."""

_START_LIMIT = 30.0
_RESUME_LIMIT = 10.0
_KEEP_LIMIT = 120.0
_OBITUARY_LIMIT = 0.2
_GOODBYE_LIMIT_MS = 500


@dataclass(frozen=True)
class Wiring:
    """The kernel's ends of a fresh branch."""

    nanny: int
    control: socket.socket
    reports: socket.socket
    stdout: int
    stderr: int


class ForkedBranch:
    """One session for cells; open it with `host.open_branch`, then use it on one event loop.

    Attributes:
        kind: `fork`.
        reason: why this kind was chosen, in words.

    """

    kind = "fork"

    def __init__(self, wiring: Wiring, snapshot: Snapshot, reason: str) -> None:
        self.reason = reason
        self.snapshot = snapshot
        self._wiring = wiring
        self._out = OutputPipe(wiring.stdout)
        self._err = OutputPipe(wiring.stderr)
        self._runner: Link | None = None
        self._reports: Link | None = None
        self._checkpoint: Link | None = None
        self._touched: list[str] = []
        self._closed = False

    async def start(self) -> None:
        """Attach to the running event loop and wait until the branch is ready.

        Raises:
            BranchDied: the branch did not come up; the message says what it printed.

        """
        loop = asyncio.get_running_loop()
        self._out.attach(loop)
        self._err.attach(loop)
        self._reports = Link(self._wiring.reports)
        self._runner = Link(self._wiring.control)
        async with asyncio.timeout(_START_LIMIT):
            frame = await self._runner.receive()
        if frame["op"] != "ready":
            said = self._err.take().strip() or "it said nothing"
            raise BranchDied(f"The branch did not start: {said[-2000:]}")
        self._runner.watch(frame["pid"])

    # ----- cells ---------------------------------------------------------------------------------------------

    async def run(self, code: str, *, timeout: float, serve: Serve) -> CellResult:
        """Run one cell, at most `timeout` seconds of its own time; a cell that is killed is rolled back.

        Raises:
            BranchDied: the cell, or the branch between two cells, died and there was nothing to go back to.
            asyncio.CancelledError: the caller was cancelled; everything in the branch has been killed.

        """
        started = asyncio.get_running_loop().time()
        self._touched = []
        outcome: Outcome
        try:
            frame = await self._result_of(code, timeout, serve)
            if frame is not None:
                return self._finished(frame)
            outcome, message = "died", await self._obituary()
        except TimeoutError:
            outcome, message = "timeout", f"it ran longer than {timeout:g} s"
        except (ProtocolError, LookupError, TypeError):
            outcome, message = "died", "it wrote into the session's own channel"
        except asyncio.CancelledError:
            self.kill()
            raise
        stdout, stderr = await self._roll_back()
        return CellResult(
            outcome=outcome,
            seconds=asyncio.get_running_loop().time() - started,
            stdout=stdout,
            stderr=stderr,
            error=CellError(type=outcome, message=message, traceback=""),
            rolled_back=self._touched,
        )

    def output_so_far(self) -> tuple[str, str]:
        """Return what the cell that was stopped had printed: (stdout, stderr)."""
        return self._out.take(), self._err.take()

    async def _result_of(self, code: str, timeout: float, serve: Serve) -> Frame | None:
        """Return the cell's result frame, `None` if the runner died."""
        runner = self._alive()
        await runner.send({"op": "run", "code": code})
        async with asyncio.timeout(_START_LIMIT):
            if (frame := await runner.receive()) is GONE:
                return None
        await self._adopt_checkpoint(frame)
        calls: set[asyncio.Task[None]] = set()
        clock = CellClock(timeout)
        async with clock.deadline:
            try:
                while (frame := await runner.receive())["op"] == "rpc":
                    calls.add(asyncio.create_task(self._answer(runner, frame, serve, clock)))
            finally:
                for call in calls:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
        return None if frame is GONE else frame

    async def _answer(self, runner: Link, frame: Frame, serve: Serve, clock: CellClock) -> None:
        with clock.paused():
            try:
                reply = {"value": await serve(frame["name"], frame["arguments"])}
            except RLMError as error:
                reply = {"error": str(error)}
            try:
                await runner.send({"op": "reply", "id": frame["id"], **reply})
            except ProtocolError as error:
                await runner.send({"op": "reply", "id": frame["id"], "error": str(error)})

    def _finished(self, frame: Frame) -> CellResult:
        if frame["op"] != "result" or frame["outcome"] not in ("ok", "error"):
            raise ProtocolError("the branch answered a cell with something else")
        given = frame["answer"]
        lost_out, lost_err = frame["lost"]
        return CellResult(
            outcome=frame["outcome"],
            seconds=frame["seconds"],
            stdout=self._out.take(lost_out),
            stderr=self._err.take(lost_err),
            value_text=frame["value_text"],
            displays=frame["displays"],
            error=frame["error"],
            answer=GivenAnswer(**given) if given else None,
            notes=frame["notes"],
        )

    # ----- checkpoints ---------------------------------------------------------------------------------------

    async def _adopt_checkpoint(self, frame: Frame) -> None:
        if frame["op"] != "checkpoint":
            raise ProtocolError("the branch sent no checkpoint")
        self._touched = frame["touched"]
        if self._checkpoint is not None:
            self._checkpoint.close()
        self._checkpoint = Link(socket.socket(fileno=frame["fds"][0]), frame["pid"])

    async def _roll_back(self) -> tuple[str, str]:
        """Kill the runner and all it started, let the checkpoint take over; return what the cell had printed."""
        checkpoint, self._checkpoint = self._checkpoint, None
        spare = [checkpoint.pid] if checkpoint and checkpoint.pid else []
        kill_below(self._wiring.nanny, spare)
        if self._runner is not None:
            self._runner.close()
        self._runner = checkpoint
        printed = self.output_so_far()
        if checkpoint is None:
            raise BranchDied("The branch died, and there was no checkpoint to go back to.")
        await checkpoint.send({"op": "resume"})
        with suppress(TimeoutError):
            async with asyncio.timeout(_RESUME_LIMIT):
                if (await checkpoint.receive())["op"] == "ready":
                    return printed
        raise BranchDied("The branch died, and its checkpoint did not take over.")

    async def _obituary(self) -> str:
        """Say how the runner died, as far as the nanny can tell in time."""
        pid, reports = self._alive().pid, self._reports
        with suppress(TimeoutError):
            async with asyncio.timeout(_OBITUARY_LIMIT):
                while reports is not None and (frame := await reports.receive()) is not GONE:
                    if frame["pid"] == pid:
                        return _how_it_died(frame["status"])
        return "its process ended"

    def _alive(self) -> Link:
        if self._runner is None:
            raise BranchDied("The branch is not running.")
        return self._runner

    # ----- keep and close ------------------------------------------------------------------------------------

    async def keep(self, names: str) -> Parcel:
        """Pack the answer and the variables that `names` means (`none`, `new`, `all`, or a list) for the notebook.

        Raises:
            KeepError: the branch died or took too long over it.

        """
        runner = self._alive()
        await runner.send({"op": "keep", "names": names})
        try:
            async with asyncio.timeout(_KEEP_LIMIT):
                while (frame := await runner.receive())["op"] == "rpc":
                    await runner.send({"op": "reply", "id": frame["id"], "value": self._is_unchanged(frame)})
        except TimeoutError:
            frame = GONE
        if frame["op"] != "kept":
            raise KeepError("The variables could not be packed.", "keep fewer of them: keep=name1,name2")
        buffers = [(int(start), int(length)) for start, length in frame["buffers"]]
        return Parcel(frame["fds"][0], frame["pickle_size"], buffers, frame["kept"], frame["refused"])

    def _is_unchanged(self, frame: Frame) -> bool:
        asked = frame["arguments"]
        return bool(self.snapshot.fingerprint_of(asked["name"]) == asked["fingerprint"])

    def kill(self) -> None:
        """Kill everything that runs in the branch, at once; only the nanny stays."""
        kill_below(self._wiring.nanny)

    def close(self) -> None:
        """Kill what is left of the branch and close every descriptor. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self.kill()
        _end(self._wiring.nanny)
        for link in (self._runner, self._reports, self._checkpoint):
            if link is not None:
                link.close()
        self._wiring.control.close()
        self._wiring.reports.close()
        self._out.close()
        self._err.close()


def _how_it_died(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with suppress(ValueError):
            return f"its process died of signal {number} ({signal.Signals(number).name})"
        return f"its process died of signal {number}"
    return f"its process exited with code {os.WEXITSTATUS(status)}"


def _end(nanny: int) -> None:
    """Let the nanny collect the dead and go; if it does not, kill it. Returns when it is gone."""
    with suppress(ProcessLookupError, ChildProcessError):
        pidfd = os.pidfd_open(nanny)
        try:
            os.kill(nanny, signal.SIGTERM)
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(_GOODBYE_LIMIT_MS):
                os.kill(nanny, signal.SIGKILL)
            os.waitpid(nanny, 0)
        finally:
            os.close(pidfd)
