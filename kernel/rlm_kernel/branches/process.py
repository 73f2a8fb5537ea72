"""A branch made of processes, from the kernel's side: forked from it, spawned, or forked from another branch's cell.

    kernel ── nanny ──fork── runner ──fork── checkpoint (asleep)

The kernel sends a cell to the runner. If the cell ends, its checkpoint is kept until the next one replaces it. If the
cell runs too long or dies, the kernel kills everything below the nanny except the checkpoints, and the latest takes
over: the session goes on as if the cell had never been. The kernel does the killing itself and never waits for a
process that model code can signal.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import fields
from typing import Any

from ..errors import BranchDied, KeepError, ProtocolError, RLMError
from ..trajectory.events import CellError, Outcome
from .clock import CellClock
from .graveyard import Graveyard, end_nanny
from .keep import Parcel, Snapshot
from .link import GONE, Link
from .linux import kill_below, kill_strays
from .protocol import Frame
from .replay import Take, Tape
from .result import CellResult, GivenAnswer
from .streams import OutputPipe
from .wiring import Wiring

__all__ = ["ProcessBranch", "Serve"]

Serve = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Answers a call from inside a cell: (name, arguments) → a JSON value; an `RLMError` is raised in the cell."""

_START_LIMIT = 30.0
_KEEP_LIMIT = 120.0


class ProcessBranch:
    """One session for cells. Use it on one event loop, between `start` and `close`.

    Attributes:
        kind: `fork`, `spawn`, or `child` of another branch's cell.
        reason: why this kind, in words.
        snapshot: the values both sides had at the beginning.

    A `seed` is a first frame, with a descriptor, that a nanny needs before it can start runners.

    """

    def __init__(
        self, kind: str, wiring: Wiring, snapshot: Snapshot, reason: str, seed: tuple[Frame, int] | None = None
    ) -> None:
        self.kind = kind
        self.reason = reason
        self.snapshot = snapshot
        self._wiring = wiring
        self._session = wiring.pid
        self._nanny: Link | None = None
        self._runner: Link | None = None
        self._checkpoint: Link | None = None
        self._out = OutputPipe(wiring.stdout)
        self._err = OutputPipe(wiring.stderr)
        self._graves = Graveyard()
        self._tape = Tape()
        self._seed = seed
        self._touched: list[str] = []
        self._closed = False

    async def start(self) -> None:
        """Attach to the running event loop and start the session.

        Raises:
            BranchDied: it did not come up; the message says what it printed.

        """
        loop = asyncio.get_running_loop()
        self._out.attach(loop)
        self._err.attach(loop)
        self._nanny = Link(self._wiring.nanny, self._wiring.pid, self._graves.note)
        if self._seed is not None:
            frame, fd = self._seed
            await self._nanny.send(frame, [fd])
        await self._start_runner()

    async def _start_runner(self) -> None:
        assert self._nanny is not None  # `start` comes first
        ours, theirs = socket.socketpair()
        await self._nanny.send({"op": "runner"}, [theirs.fileno()])
        theirs.close()
        self._runner = Link(ours)
        await self._await_ready(self._runner)

    async def _await_ready(self, runner: Link) -> None:
        frame = GONE
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_LIMIT):
                frame = await runner.receive()
        if frame["op"] != "ready":
            said = self._err.take().strip() or "it said nothing"
            raise BranchDied(f"The branch did not start: {said[-2000:]}")
        if runner.pid is None:
            runner.watch(frame["pid"])

    # ----- cells ---------------------------------------------------------------------------------------------

    async def run(self, code: str, *, timeout: float, serve: Serve) -> CellResult:
        """Run one cell, at most `timeout` seconds of its own time; a cell that is killed is rolled back.

        Raises:
            BranchDied: the session is lost, and could not be brought back.
            asyncio.CancelledError: the caller was cancelled; everything in the branch has been killed.

        """
        started = asyncio.get_running_loop().time()
        self._touched = []
        take = Take(code)
        outcome: Outcome
        try:
            frame = await self._result_of(take, timeout, serve)
            if frame is not None:
                result = self._finished(frame)
                self._tape.add(take, result.outcome)
                return result
            outcome, message = "died", await self._graves.obituary(self._alive().pid)
        except TimeoutError:
            outcome, message = "timeout", f"it ran longer than {timeout:g} s"
        except (ProtocolError, LookupError, TypeError, ValueError):
            outcome, message = "died", "it wrote into the session's own channel"
        except asyncio.CancelledError:
            self.kill()
            raise
        stdout, stderr, notes = await self._roll_back()
        return CellResult(
            outcome=outcome,
            seconds=asyncio.get_running_loop().time() - started,
            stdout=stdout,
            stderr=stderr,
            error=CellError(type=outcome, message=message, traceback=""),
            rolled_back=self._touched,
            notes=notes,
        )

    def output_so_far(self) -> tuple[str, str]:
        """Return what the cell that was stopped had printed: (stdout, stderr)."""
        return self._out.take(), self._err.take()

    async def _result_of(self, take: Take, timeout: float, serve: Serve) -> Frame | None:
        """Return the cell's result frame, `None` if the runner died."""
        runner = self._alive()
        await runner.send({"op": "run", "code": take.code, "checkpoint": True})
        async with asyncio.timeout(_START_LIMIT):
            if (frame := await runner.receive()) is GONE:
                return None
        self._adopt_checkpoint(frame)
        calls: set[asyncio.Task[None]] = set()
        clock = CellClock(timeout)
        async with clock.deadline:
            try:
                while (frame := await runner.receive())["op"] == "rpc":
                    calls.add(asyncio.create_task(self._answer(runner, frame, take, serve, clock)))
            finally:
                for call in calls:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
        return None if frame is GONE else frame

    async def _answer(self, runner: Link, frame: Frame, take: Take, serve: Serve, clock: CellClock) -> None:
        name, asked = frame["name"], frame["arguments"]
        with clock.paused():
            arguments = dict(asked)
            if frame["fds"]:
                wiring = Wiring.from_descriptors(frame["fds"], arguments.pop("nanny"))
                arguments["branch"] = ProcessBranch("child", wiring, Snapshot({}), "forked from the running cell")
            try:
                reply = {"value": await serve(name, arguments)}
            except RLMError as error:
                reply = {"error": str(error)}
            finally:
                if "branch" in arguments:
                    arguments["branch"].close()
            asked.pop("nanny", None)
            take.calls.append((name, asked, reply))
            await self._reply(runner, frame, reply)

    async def _reply(self, runner: Link, frame: Frame, reply: Frame) -> None:
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

    # ----- going back ----------------------------------------------------------------------------------------

    def _adopt_checkpoint(self, frame: Frame) -> None:
        """Take the checkpoint that was frozen before the cell; a session that cannot be frozen sends none."""
        if frame["op"] != "checkpoint":
            raise ProtocolError("the branch sent no checkpoint")
        self._touched = frame["touched"]
        if self._checkpoint is not None:
            self._checkpoint.close()
        self._checkpoint = Link(socket.socket(fileno=frame["fds"][0]), frame["pid"]) if frame["fds"] else None

    async def _roll_back(self) -> tuple[str, str, list[str]]:
        """Kill the runner and all it started, and go on from before the cell.

        Returns what the cell had printed, stdout and stderr, and notes on what could not be brought back.
        """
        checkpoint, self._checkpoint = self._checkpoint, None
        spare = [checkpoint.pid] if checkpoint and checkpoint.pid else []
        self._kill_all(spare)
        if self._runner is not None:
            self._runner.close()
        stdout, stderr = self.output_so_far()
        self._runner = checkpoint
        if checkpoint is None:
            return stdout, stderr, await self._replay()
        if self._graves.nanny_gone:
            await self._adopt_nanny(checkpoint)
        else:
            await checkpoint.send({"op": "resume"})
            await self._await_ready(checkpoint)
        return stdout, stderr, []

    async def _adopt_nanny(self, checkpoint: Link) -> None:
        """Let a checkpoint take the place of the nanny, which was killed, and start a runner from there."""
        ours, theirs = socket.socketpair()
        await checkpoint.send({"op": "adopt"}, [theirs.fileno()])
        theirs.close()
        if self._nanny is not None:
            self._nanny.close()
        assert checkpoint.pid is not None
        self._graves = Graveyard()
        self._nanny = Link(ours, checkpoint.pid, self._graves.note)
        self._wiring.pid = checkpoint.pid
        checkpoint.close()
        await self._start_runner()

    async def _replay(self) -> list[str]:
        """Start anew from the nanny and play the good cells; return a note for each that went differently."""
        await self._start_runner()
        notes = []
        for number, take in enumerate(self._tape.takes, 1):
            outcome = await self._play(take.copy())
            if outcome != take.outcome:
                notes.append(f"Note: cell {number} of this session ended differently when it was played again.")
        self.output_so_far()
        return notes

    async def _play(self, take: Take) -> str:
        runner = self._alive()
        await runner.send({"op": "run", "code": take.code, "checkpoint": False})
        async with asyncio.timeout(_KEEP_LIMIT):
            while (frame := await runner.receive())["op"] == "rpc":
                for fd in frame["fds"]:
                    os.close(fd)
                frame["arguments"].pop("nanny", None)
                await self._reply(runner, frame, take.reply_to(frame["name"], frame["arguments"]))
        return str(frame.get("outcome", "died"))

    def _alive(self) -> Link:
        if self._runner is None:
            raise BranchDied("The branch is not running.")
        return self._runner

    # ----- looking, keeping, closing -------------------------------------------------------------------------

    async def variables(self) -> list[dict[str, str]]:
        """Return the session's variables: name, type and one line about the value."""
        runner = self._alive()
        await runner.send({"op": "variables"})
        frame = await runner.receive()
        if frame["op"] != "variables":
            raise BranchDied("The branch died.")
        rows: list[dict[str, str]] = frame["variables"]
        return rows

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
        return Parcel(
            frame["fds"][0], **{field.name: frame[field.name] for field in fields(Parcel) if field.name != "fd"}
        )

    def _is_unchanged(self, frame: Frame) -> bool:
        asked = frame["arguments"]
        return bool(self.snapshot.fingerprint_of(asked["name"]) == asked["fingerprint"])

    def kill(self) -> None:
        """Kill everything that runs in the branch, at once; only the nanny stays."""
        self._kill_all([])

    def _kill_all(self, spare: list[int]) -> None:
        kill_below(self._wiring.pid, spare)
        if self._graves.nanny_gone:
            kill_strays(self._session, spare)

    def close(self) -> None:
        """Kill what is left of the branch and close every descriptor. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self.kill()
        if self._nanny is not None:
            self._nanny.close()
        else:
            self._wiring.nanny.close()
        end_nanny(self._wiring.pid)
        for link in (self._runner, self._checkpoint):
            if link is not None:
                link.close()
        self._out.close()
        self._err.close()
        if self._seed is not None:
            os.close(self._seed[1])
