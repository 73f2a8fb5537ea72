"""Going back without a checkpoint: the good cells so far, with what they were answered, played to a fresh session."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..errors import RLMError
from .branch import Serve
from .clock import CellClock
from .link import Link
from .result import Update
from .updates import into_file

__all__ = ["Take", "Tape", "play", "send_updates"]

_LIMIT = 120.0


@dataclass
class Take:
    """One cell as it went: its code, its outcome, and each call it made with the reply it got.

    `updates` changed the session just before it. `touched` are the variables it may have changed; `begun` says
    whether it got so far as to be run, `played` whether it has been played again.
    """

    code: str
    updates: list[Update] = field(default_factory=list)
    outcome: str = ""
    touched: list[str] = field(default_factory=list)
    begun: bool = False
    played: bool = False
    calls: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    async def answer(
        self, name: str, asked: dict[str, Any], serve: Serve, clock: CellClock, **more: Any
    ) -> dict[str, Any]:
        """Answer a call with what `serve` says, outside the cell's time, and put it down, but for `more`."""
        with clock.paused():
            try:
                reply = {"value": await serve(name, {**asked, **more})}
            except RLMError as error:
                reply = {"error": str(error)}
            except Exception as error:  # noqa: BLE001 (whatever it is, a cell that gets no reply waits for it)
                reply = {"error": f"the call failed on the notebook's side: {type(error).__name__}: {error}"}
        self.calls.append((name, asked, reply))
        return reply

    def reply_to(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return, once each, the reply that the same call got; a call that was never made gets an error."""
        for place, (known, asked, reply) in enumerate(self.calls):
            if (known, asked) == (name, arguments):
                del self.calls[place]
                return reply
        return {"error": "this call was not made when the cell first ran"}

    def copy(self) -> Take:
        """Return a take to play from, so that this one can be played again."""
        return Take(self.code, self.updates, self.outcome, calls=list(self.calls))


class Tape:
    """The good cells of a branch, in order, and the updates that wait for the next one.

    An update is never lost: those of a cell that is undone, or taken off, go to the cell that comes after it.
    """

    def __init__(self) -> None:
        self.takes: list[Take] = []
        self._waiting: list[Update] = []

    def wait_for_next(self, update: Update) -> None:
        """Have the next cell begin with an update."""
        self._waiting.append(update)

    def begin(self, code: str) -> Take:
        """Return the take of the next cell."""
        updates, self._waiting = self._waiting, []
        return Take(code, updates)

    def add(self, take: Take, outcome: str) -> None:
        """Remember a cell that ended by itself."""
        take.outcome = outcome
        self.takes.append(take)

    def undo(self, take: Take) -> None:
        """Let the updates of a cell that was undone with them wait for the next one."""
        self._waiting = take.updates + self._waiting

    def drop(self, take: Take) -> None:
        """Take a cell off."""
        place = next(place for place, known in enumerate(self.takes) if known is take)
        del self.takes[place]
        if place < len(self.takes):
            self.takes[place].updates = take.updates + self.takes[place].updates
        else:
            self.undo(take)

    def drop_poison(self) -> Take | None:
        """Take the last cell off, if it has been played again and the session still could not go on after it."""
        last = self.takes[-1] if self.takes and self.takes[-1].played else None
        if last is not None:
            self.drop(last)
        return last


async def send_updates(updates: list[Update], runner: Link) -> None:
    """Have a session changed before its next cell."""
    if updates:
        fd = into_file(updates)
        try:
            await runner.send({"op": "update"}, [fd])
        finally:
            os.close(fd)


async def play(take: Take, runner: Link) -> str:
    """Run a good cell again, answered as it was then; return how it ended this time."""
    await runner.send({"op": "run", "code": take.code, "checkpoint": False})
    with suppress(TimeoutError):
        async with asyncio.timeout(_LIMIT):
            while (frame := await runner.receive(calls=True))["op"] == "rpc":
                for fd in frame["fds"]:
                    os.close(fd)
                frame["arguments"].pop("nanny", None)
                await runner.reply(frame, take.reply_to(frame["name"], frame["arguments"]))
            return str(frame.get("outcome", "died"))
    return "timeout"
