"""Going back without a checkpoint: the good cells so far, with what they were answered, played to a fresh session."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .link import Link

__all__ = ["Take", "Tape", "play"]

_LIMIT = 120.0


@dataclass
class Take:
    """One cell as it went: its code, its outcome, and each call it made with the reply it got.

    `touched` are the variables it may have changed; `begun` says whether it got so far as to be run,
    `played` whether it has been played again.
    """

    code: str
    outcome: str = ""
    touched: list[str] = field(default_factory=list)
    begun: bool = False
    played: bool = False
    calls: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    def reply_to(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return, once each, the reply that the same call got; a call that was never made gets an error."""
        for place, (known, asked, reply) in enumerate(self.calls):
            if (known, asked) == (name, arguments):
                del self.calls[place]
                return reply
        return {"error": "this call was not made when the cell first ran"}

    def copy(self) -> Take:
        """Return a take to play from, so that this one can be played again."""
        return Take(self.code, self.outcome, calls=list(self.calls))


class Tape:
    """The good cells of a branch, in order."""

    def __init__(self) -> None:
        self.takes: list[Take] = []

    def add(self, take: Take, outcome: str) -> None:
        """Remember a cell that ended by itself."""
        take.outcome = outcome
        self.takes.append(take)

    def drop_poison(self) -> Take | None:
        """Take the last cell off, if it has been played again and the session still could not go on after it."""
        return self.takes.pop() if self.takes and self.takes[-1].played else None


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
