"""A branch made of processes, from the kernel's side: the conversation with its session.

Forked from the kernel, spawned, forked from another branch's running cell, or from a checkpoint: what differs is only
how the nanny came to be. A cell that is killed is undone, either because a checkpoint takes over, or by playing the
good cells to a fresh runner where the session could not be frozen.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Hashable
from contextlib import suppress

from ..errors import BranchDied, KeepError, ProtocolError
from ..trajectory.records import CellError, Outcome
from .branch import Serve
from .clock import CellClock
from .household import START_LIMIT, Household, Wish
from .keep import Parcel, Snapshot
from .link import GONE, Link
from .protocol import Frame
from .replay import Take, Tape, play, send_updates
from .result import CellResult, GivenAnswer, Update
from .watchdog import MemoryWatch
from .wiring import Wiring

__all__ = ["ProcessBranch"]

_KEEP_LIMIT = 120.0
_WATCH_EVERY = 0.05
_TOLD = ("outcome", "seconds", "value_text", "displays", "error", "diff", "notes", "allowance")
"""What a `result` frame says as a `CellResult` does."""


class ProcessBranch:
    """One session for cells. Use it on one event loop, between `start` and `close`.

    Args:
        kind: `fork`, `spawn`, `child` of another branch's cell, or `visit` to a checkpoint.
        wiring: this process's ends.
        snapshot: the values both sides had at the beginning.
        reason: why this kind, in words.
        wish: what the session may use.
        seed: see `Household`.

    Attributes:
        memory_limit: bytes that one cell may use beyond what the session has; `None` for most of what is free.

    """

    def __init__(
        self,
        kind: str,
        wiring: Wiring,
        snapshot: Snapshot,
        reason: str,
        wish: Wish | None = None,
        seed: tuple[Frame, list[int]] | None = None,
    ) -> None:
        self.kind = kind
        self.reason = reason
        self.snapshot = snapshot
        self.memory_limit: int | None = None
        self._wish = wish or Wish()
        self._home = Household(wiring, self._wish, seed)
        self._tape = Tape()

    async def start(self) -> None:
        """Attach to the running event loop and start the session.

        Raises:
            BranchDied: it did not come up; the message says what it printed.

        """
        await self._home.start()

    # ----- cells ---------------------------------------------------------------------------------------------

    async def run(self, code: str, *, timeout: float, serve: Serve) -> CellResult:
        """Run one cell, at most `timeout` seconds of its own time; a cell that is killed is rolled back.

        Raises:
            BranchDied: the session is lost, and could not be brought back.
            asyncio.CancelledError: the caller was cancelled; everything in the branch has been killed.

        """
        started = asyncio.get_running_loop().time()
        take = self._tape.begin(code)
        try:
            outcome, message = await self._try(take, timeout, serve)
            if isinstance(message, CellResult):
                return message
        except asyncio.CancelledError:
            self.kill()
            raise
        frozen = await self._home.roll_back()
        stdout, stderr = self.output_so_far()
        if not (frozen and take.begun):  # else its updates are in the checkpoint
            self._tape.undo(take)
        poison = None if take.begun else self._tape.drop_poison()
        notes = await self._restore(frozen=frozen, whole=take.begun or poison is not None)
        if poison is not None:
            notes.append("Note: the cell before had left the session unable to go on, so it was undone too.")
            take.touched += poison.touched
        return CellResult(
            outcome=outcome,
            seconds=asyncio.get_running_loop().time() - started,
            stdout=stdout,
            stderr=stderr,
            error=CellError(type=outcome, message=message, traceback=""),
            rolled_back=take.touched,
            notes=notes,
        )

    def update(self, update: Update) -> None:
        """Have the session changed just before the next cell; an update is never lost to a roll-back."""
        self._tape.wait_for_next(update)

    def output_so_far(self) -> tuple[str, str]:
        """Return what the cell that was stopped had printed: (stdout, stderr)."""
        return self._home.out.take(), self._home.err.take()

    def listen(self, on_output: Callable[[str, str], object]) -> None:
        """Have `on_output` told what cells print, as it comes: the stream's name and a piece of text."""
        self._home.out.listener = functools.partial(on_output, "stdout")
        self._home.err.listener = functools.partial(on_output, "stderr")

    async def _try(self, take: Take, timeout: float, serve: Serve) -> tuple[Outcome, str | CellResult]:
        """Return how the cell ended: with its result, or with the reason why the session must go back."""
        try:
            frame = await self._result_of(take, timeout, serve)
            if frame["op"] == "breach":
                return "killed", frame["reason"]
            if frame is not GONE:
                result = self._finished(frame)
                self._tape.add(take, result.outcome)
                return result.outcome, result
            return "died", await self._home.obituary()
        except TimeoutError:
            return "timeout", f"it ran longer than {timeout:g} s"
        except (ProtocolError, LookupError, TypeError, ValueError):
            return "died", "it wrote into the session's own channel"

    async def _result_of(self, take: Take, timeout: float, serve: Serve) -> Frame:
        """Return the cell's result frame, `GONE` if the runner died, or `breach` if it used too much memory."""
        runner = self._alive()
        await send_updates(take.updates, runner)
        await runner.send({"op": "run", "code": take.code, "checkpoint": True})
        async with asyncio.timeout(START_LIMIT):
            if (frame := await runner.receive()) is GONE:
                return GONE
        take.touched = self._home.adopt_checkpoint(frame)
        take.begun = True
        clock = CellClock(timeout)
        tasks = {asyncio.create_task(self._watch(runner))}
        async with clock.deadline:
            try:
                while (frame := await runner.receive(calls=True))["op"] == "rpc":
                    tasks.add(asyncio.create_task(self._answer(runner, frame, take, serve, clock)))
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return frame

    async def _watch(self, runner: Link) -> None:
        assert runner.pid is not None  # it has run a cell
        watch = MemoryWatch(runner.pid, self.memory_limit, forked=self._home.checkpoint is not None)
        while not (reason := watch.breach()):
            await asyncio.sleep(_WATCH_EVERY)
        runner.inject({"op": "breach", "reason": reason})

    async def _answer(self, runner: Link, frame: Frame, take: Take, serve: Serve, clock: CellClock) -> None:
        asked = frame["arguments"]
        nanny = asked.pop("nanny", None)
        more = {}
        if frame["fds"]:
            wiring = Wiring.from_descriptors(frame["fds"], nanny)
            more["branch"] = self._offspring("child", wiring, Snapshot({}), "forked from a cell")
        try:
            await runner.reply(frame, await take.answer(frame["name"], asked, serve, clock, **more))
        except asyncio.CancelledError:
            runner.turn_down({**frame, "fds": []})
            raise
        finally:
            for branch in more.values():
                branch.close()

    def _finished(self, frame: Frame) -> CellResult:
        if frame["op"] != "result" or frame["outcome"] not in ("ok", "error"):
            raise ProtocolError("the branch answered a cell with something else")
        given = frame["answer"]
        lost_out, lost_err = frame["lost"]
        return CellResult(
            stdout=self._home.out.take(lost_out),
            stderr=self._home.err.take(lost_err),
            answer=GivenAnswer(**given) if given else None,
            **{name: frame[name] for name in _TOLD},
        )

    # ----- going back ----------------------------------------------------------------------------------------

    async def _restore(self, *, frozen: bool, whole: bool) -> list[str]:
        """Play again what the session has lost beyond the cell; return a note for each that went differently.

        Without a checkpoint that is every good cell. With one it is nothing, if the checkpoint is the `whole` of it;
        else the last cell, because the runner died before it had frozen the state after that.
        """
        if not frozen:
            await self._home.start_runner()
        lost = self._tape.takes if not frozen else [] if whole else self._tape.takes[-1:]
        notes = []
        for take in lost:
            take.played = True
            await send_updates([] if frozen else take.updates, self._alive())
            if await play(take.copy(), self._alive()) != take.outcome:
                names = f" ({', '.join(take.touched)})" if take.touched else ""
                notes.append(f"Note: an earlier cell ended differently when it was played again{names}.")
        self.output_so_far()
        return notes

    def _alive(self) -> Link:
        if self._home.runner is None:
            raise BranchDied("The branch is not running.")
        return self._home.runner

    # ----- checkpoints that stay, looking, keeping, closing ----------------------------------------------------

    def name_state(self, label: Hashable) -> None:
        """Call the state as it is now `label`, so that its checkpoint is parked and can be visited later."""
        self._home.labels.append(label)

    async def settle(self) -> None:
        """End the session; parked checkpoints, that of the present state included, stay until `close`."""
        await self._home.settle()

    @property
    def parked(self) -> dict[Hashable, int]:
        """The pids of parked checkpoints by their labels, oldest first."""
        return {label: link.pid or 0 for label, link in self._home.parked.items()}

    def unpark(self, label: Hashable) -> None:
        """Drop a parked checkpoint, or one of its labels."""
        self._home.unpark(label)

    async def visit(self, label: Hashable) -> ProcessBranch:
        """Return a branch, not started yet, that goes on from a parked checkpoint; the checkpoint stays as it is.

        Raises:
            BranchDied: the checkpoint is gone.

        """
        return self._offspring("visit", await self._home.visit(label), self.snapshot, "forked from a checkpoint")

    def _offspring(self, kind: str, wiring: Wiring, snapshot: Snapshot, reason: str) -> ProcessBranch:
        """Return a branch that was forked from one of this one's processes, under the same limits."""
        branch = ProcessBranch(kind, wiring, snapshot, reason, self._wish)
        branch.memory_limit = self.memory_limit
        return branch

    async def variables(self) -> list[dict[str, str]]:
        """Return the session's variables: name, type, one line about the value (`preview`), and a `card` of it."""
        runner = self._alive()
        await runner.send({"op": "variables"})
        frame = await runner.receive()
        if frame["op"] != "variables":
            raise BranchDied("The branch died.")
        return list(frame["variables"])

    async def keep(self, names: str) -> Parcel:
        """Pack the answer and the variables that `names` means (`none`, `new`, `all`, or a list) for the notebook.

        Raises:
            KeepError: the branch died or took too long over it.

        """
        runner = self._alive()
        await runner.send({"op": "keep", "names": names})
        frame = GONE
        with suppress(TimeoutError):
            async with asyncio.timeout(_KEEP_LIMIT):
                while (frame := await runner.receive(calls=True))["op"] == "rpc":
                    if frame["name"] == "unchanged":
                        same = self.snapshot.agrees(**frame["arguments"])
                        await runner.send({"op": "reply", "id": frame["id"], "value": same})
                    else:
                        runner.turn_down(frame)
        if frame["op"] != "kept":
            raise KeepError("The variables could not be packed.", "keep fewer of them: keep=name1,name2")
        return Parcel(frame["fds"][0], **frame["facts"])

    def kill(self) -> None:
        """Kill everything that runs in the branch, at once; the nanny and parked checkpoints stay."""
        self._home.kill()

    def close(self) -> None:
        """Kill what is left of the branch and close every descriptor. Closing twice is harmless."""
        self._home.close()
