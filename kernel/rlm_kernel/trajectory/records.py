"""The small records that events are made of: messages, errors, names, tokens and money. JSON types only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

__all__ = ["CellError", "KeptName", "Message", "Outcome", "RefusedName", "Status", "Usage"]

Status = Literal["running", "answered", "limit", "interrupted", "failed"]
"""How a run or a candidate stands; `limit` means it stopped before it had a final answer."""

Outcome = Literal["ok", "error", "timeout", "killed", "died", "interrupted"]
"""How a cell ended. After anything but `ok` and `error` the branch was rolled back to before the cell."""


class Message(TypedDict):
    """One chat message as it was sent: `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


class CellError(TypedDict):
    """An exception that ended a cell, or the reason why the cell was stopped."""

    type: str
    message: str
    traceback: str


class KeptName(TypedDict):
    """A variable brought back to the notebook; `size` in bytes where it is known cheaply."""

    name: str
    type: str
    preview: str


class RefusedName(TypedDict):
    """A variable that stayed behind, and why."""

    name: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money of some model calls; `cost` is in USD, `None` where it is unknown.

    `cached_tokens` are those of the prompt that the server had in its cache, where it says so. `estimated` is true if
    the server did not count the tokens of some call: they are then its characters / 4.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    estimated: bool = False
    cached_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Add up; an unknown cost of either side's calls makes the sum unknown."""
        known = [u.cost for u in (self, other) if u.calls]
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            None if not known or None in known else sum(c for c in known if c is not None),
            self.estimated or other.estimated,
            self.cached_tokens + other.cached_tokens,
        )
