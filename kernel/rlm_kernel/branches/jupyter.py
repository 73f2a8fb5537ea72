"""A branch whose process is any Jupyter kernel: `branch=kernel:<kernelspec>`.

Nothing is shared with that process. The context and the variables that the user lists are sent there once; what a cell
asks of the notebook's side comes back through the kernel's own `input()`. There are no checkpoints either: to go back,
the kernel is killed, a new one started, the values sent again, and the good cells so far run again, with the replies
that their calls got the first time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import closing
from dataclasses import replace
from typing import Any

from ..errors import BranchDied, BranchError, KeepError, ProtocolError
from ..trajectory.records import CellError, Outcome
from .branch import Branch, Serve
from .clock import CellClock
from .jupyter_calls import CellCalls, PlayedCalls
from .jupyter_freight import Freight
from .jupyter_output import CellOutput
from .jupyter_session import JupyterSession
from .keep import Parcel, Snapshot
from .replay import Take, Tape
from .result import CellResult, GivenAnswer, Update

__all__ = ["JupyterBranch"]

_AGAIN_LIMIT = 120.0
"""Seconds that a good cell may take when it is run again."""


class JupyterBranch:
    """One session for cells on a Jupyter kernel. Use it on one event loop, between `start` and `close`.

    Args:
        spec: the name of an installed kernelspec, of a Python kernel.
        freight: what the session starts with.
        reason: why this kind was chosen, in words.
        children: how many children of one cell may be at work at once.

    Attributes:
        kind: `kernel:` and the kernelspec's name.
        reason: as given.
        snapshot: what a parcel from here refers to by name: nothing.
        memory_limit: of no effect here; the kernel may be on another machine.

    """

    def __init__(self, spec: str, freight: Freight, reason: str, children: int) -> None:
        self.kind = f"kernel:{spec}"
        self.reason = reason
        self.snapshot = Snapshot({})
        self.memory_limit: int | None = None
        self._spec = spec
        self._freight = freight
        self._children = children
        self._session: JupyterSession | None = None
        self._listener: Callable[[str, str], object] = lambda *_: None
        self._output = CellOutput()
        self._tape = Tape()
        self._closed = False

    async def start(self) -> None:
        """Start the kernel, and send it what the session starts with.

        Raises:
            BranchError: there is no such kernel, or a value cannot go there; it is named.
            BranchDied: the kernel did not come up.

        """
        await self._open()

    # ----- cells ---------------------------------------------------------------------------------------------

    async def run(self, code: str, *, timeout: float, serve: Serve) -> CellResult:
        """Run one cell, at most `timeout` seconds of its own time; a cell that is killed is rolled back.

        Raises:
            BranchDied: the session is lost, and could not be brought back.
            asyncio.CancelledError: the caller was cancelled; the kernel has been killed.

        """
        try:
            notes = await self._recover()
            take = self._tape.begin(code)
            result = await self._attempt(take, timeout, serve)
        except asyncio.CancelledError:
            self.kill()
            raise
        if result.outcome in ("ok", "error"):
            self._tape.add(take, result.outcome)
        return replace(result, notes=notes + result.notes)

    async def variables(self) -> list[dict[str, str]]:
        """Return the session's variables: name, type and one line about the value."""
        return await self._alive().variables()

    def listen(self, on_output: Callable[[str, str], object]) -> None:
        """Have `on_output` told what cells print, as it comes: the stream's name and a piece of text."""
        self._listener = on_output

    def update(self, update: Update) -> None:
        """Have the session changed just before the next cell; an update is never lost to a roll-back."""
        self._tape.wait_for_next(update)

    def output_so_far(self) -> tuple[str, str]:
        """Return what the cell that was stopped had printed: (stdout, stderr)."""
        return self._output.printed()

    async def _attempt(self, take: Take, timeout: float, serve: Serve) -> CellResult:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._output = CellOutput(self._listener)
        outcome: Outcome
        try:
            await self._alive().update(take.updates)
            take.touched = await self._alive().prepare(take.code)
            clock = CellClock(timeout)
            calls = CellCalls(take, serve, clock, self._open_child, self._children)
            with closing(calls):
                async with clock.deadline:
                    report = await self._alive().perform(take.code, calls, self._output)
            return self._finished(report, loop.time() - started)
        except TimeoutError:
            outcome, message = "timeout", f"it ran longer than {timeout:g} s"
        except BranchDied as death:
            outcome, message = "died", death.message
        except (ProtocolError, LookupError, TypeError, ValueError):
            outcome, message = "died", "it broke the session's own part of the kernel"
        seconds = loop.time() - started
        stdout, stderr = self.output_so_far()
        self._tape.undo(take)
        notes = await self._roll_back([])
        return CellResult(
            outcome=outcome,
            seconds=seconds,
            stdout=stdout,
            stderr=stderr,
            error=CellError(type=outcome, message=message, traceback=""),
            rolled_back=take.touched,
            notes=notes,
        )

    def _finished(self, report: dict[str, Any], seconds: float) -> CellResult:
        self._output.lose(report["lost"])
        shown, given = self._output.displays, report["answer"]
        stdout, stderr = self.output_so_far()
        return CellResult(
            outcome=report["outcome"],
            seconds=seconds,
            stdout=stdout,
            stderr=stderr,
            value_text=shown.value_text,
            displays=shown.bundles,
            error=report["error"] or self._output.error,
            answer=GivenAnswer(**given) if given else None,
            diff=report["diff"],
            notes=report["notes"],
            allowance=report["allowance"],
        )

    def _open_child(self, freight: Freight) -> JupyterBranch:
        return JupyterBranch(self._spec, freight, "asked by a cell on such a kernel", self._children)

    # ----- going back ----------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Go on with a fresh session, on a new kernel, that has what was shipped."""
        if self._session is not None:
            self._session.close()
        self._session = JupyterSession(self._spec)
        await self._session.open()
        await self._freight.send(self._session)

    async def _recover(self) -> list[str]:
        """If the kernel died since the last cell, go back to before that cell; return notes on what was lost."""
        if not self._alive().death or not self._tape.takes:
            return []
        last = self._tape.takes[-1]
        self._tape.drop(last)
        return await self._roll_back([_lost(last, "the kernel died after its cell")])

    async def _roll_back(self, notes: list[str]) -> list[str]:
        """Begin anew and run the good cells again; return `notes` and one for each that was not the same this time."""
        while True:
            try:
                await self._open()
            except BranchError as error:
                raise BranchDied(f"The kernel could not be set up again: {error.message}") from error
            changed = list[str]()
            fatal = await self._replay(changed)
            if fatal is None:
                return notes + changed
            self._tape.drop(fatal)
            notes.append(_lost(fatal, "its cell did not end when it was run again"))

    async def _replay(self, changed: list[str]) -> Take | None:
        """Run the good cells again; return the one that took the kernel with it, if any."""
        for take in self._tape.takes:
            played = take.copy()
            try:
                async with asyncio.timeout(_AGAIN_LIMIT):
                    await self._alive().update(take.updates)
                    await self._alive().prepare(take.code)
                    report = await self._alive().perform(take.code, PlayedCalls(played), CellOutput())
            except (TimeoutError, BranchDied, ProtocolError):
                return take
            if report["outcome"] != take.outcome:
                changed.append(_lost(take, "its cell ended differently when it was run again"))
            elif played.calls:
                changed.append(_lost(take, "its cell asked something else when it was run again"))
        return None

    def _alive(self) -> JupyterSession:
        if self._session is None:
            raise BranchDied("The branch is not running.")
        return self._session

    # ----- keeping and closing -------------------------------------------------------------------------------

    async def keep(self, names: str) -> Parcel:
        """Pack the answer and the variables that `names` means (`none`, `new`, `all`, or a list) for the notebook.

        Raises:
            KeepError: the kernel died, took too long over it, or cannot do it.

        """
        try:
            return await self._alive().keep(names)
        except BranchError as error:
            raise KeepError("The variables could not be packed.", "keep fewer of them: keep=name1,name2") from error

    def kill(self) -> None:
        """Kill the kernel and all it started on this machine, at once; `close` is still to come."""
        if self._session is not None:
            self._session.kill()

    async def settle(self) -> None:
        """End the session."""
        self.close()

    def close(self) -> None:
        """Kill the kernel, wherever it is, and close every descriptor. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._freight.close()
        if self._session is not None:
            self._session.close()

    # ----- states that stay: there are none ------------------------------------------------------------------

    def name_state(self, label: Hashable) -> None:
        """Do nothing: a kernel's state cannot be kept beside the kernel."""

    @property
    def parked(self) -> dict[Hashable, int]:
        """Nothing, ever."""
        return {}

    def unpark(self, label: Hashable) -> None:
        """Do nothing."""

    async def visit(self, label: Hashable) -> Branch:
        """Refuse.

        Raises:
            BranchError: always.

        """
        raise BranchError(f"Earlier states cannot be visited on a Jupyter kernel (asked for {label}).")


def _lost(take: Take, why: str) -> str:
    names = ", ".join(f"`{name}`" for name in take.touched) or "what an earlier cell did"
    return f"Note: {names} could not be restored: {why}."
