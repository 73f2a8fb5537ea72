"""What the engine writes down about the calls of one trajectory: sub-calls, consultations, guards that acted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..errors import RLMError
from ..trajectory.events import Event, GuardActed, SubcallEnded, SubcallStarted
from ..trajectory.records import Usage

__all__ = ["Log", "Subcall"]


@dataclass
class Subcall:
    """A sub-call under way: its number, and what came of it so far."""

    number: int
    text: str = ""
    error: str = ""
    usage: Usage = field(default_factory=Usage)


class Log:
    """Emits events of one trajectory and numbers its sub-calls from 1.

    Attributes:
        candidate: whose trajectory it is.
        depth: of that trajectory, 0 for the root.
        emit: records events.
        iteration: the turn that is under way; 0 before the first.
        made: sub-calls so far.

    """

    def __init__(self, candidate: int, depth: int, emit: Callable[[Event], None]) -> None:
        self.candidate = candidate
        self.depth = depth
        self.emit = emit
        self.iteration = 0
        self.made = 0
        self._said: set[str] = set()

    def guard(self, name: str, detail: str) -> None:
        """Record that a guard, called as its setting, did something."""
        self.emit(GuardActed(self.candidate, self.iteration, name, detail))

    def guard_once(self, name: str, detail: str) -> None:
        """Record that a guard acted unless it said just that before: a loop may run into one limit a million times."""
        if detail not in self._said:
            self._said.add(detail)
            self.guard(name, detail)

    @contextmanager
    def subcall(self, kind: str, model: str, prompt: str, batch: int | None) -> Iterator[Subcall]:
        """Record a sub-call from its start to its end, whichever way it ends; set `text` and `usage` inside."""
        self.made += 1
        call = Subcall(self.made)
        self.emit(SubcallStarted(self.candidate, call.number, batch, model, prompt, kind))
        started = time.monotonic()
        try:
            yield call
        except BaseException as error:
            call.error = _in_words(error)
            raise
        finally:
            seconds = time.monotonic() - started
            self.emit(SubcallEnded(self.candidate, call.number, call.text, call.error, call.usage, seconds))


def _in_words(error: BaseException) -> str:
    match error:
        case asyncio.CancelledError():
            return "cancelled"
        case RLMError():
            return error.message
    return f"{type(error).__name__}: {error}"
