"""A reply as it comes in: chunks put together, reasoning kept apart, loops noticed.

`Reading` takes the chunks of a stream one after another, or a whole completion as its only chunk; `follow` feeds it a
stream, and gives up on one that falls silent. Nothing a server sends can make it raise: what is not a piece of a
completion is passed over.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from ..trajectory.records import Usage
from .repeats import RepeatGuard
from .unicode import well_formed

__all__ = ["REASONING_ONLY", "REPEAT_GUARD", "Reading", "Words", "follow"]

REPEAT_GUARD = "repeat_guard"
"""Name of the guard that stops a reply which repeats itself."""

REASONING_ONLY = "reasoning_only"
"""Name of the guard that shows the end of the reasoning in place of an empty reply."""

_CONTENT_FLOOR = 4_000
_TAIL = 1_500
_REFRAIN = 100
_CHARACTERS_PER_TOKEN = 4
_THINKING = re.compile(r"\s*<think(?:ing)?>(.*?)(?:</think(?:ing)?>\s*|\Z)", re.DOTALL)
_THOUGHT = re.compile(r"((?:(?!```).)*?)^</think(?:ing)?>[ \t]*$\s*", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Words:
    """What came of a reply: its text, its reasoning, and the name of the guard that acted on it, if one did."""

    text: str
    reasoning: str
    stopped: str


class Reading:
    """Puts one reply together.

    Args:
        threshold: of the repeat guard, on the reasoning, and on the content after 4,000 characters; 0 for no guard.

    Attributes:
        begun: whether any text has come in.
        finish_reason: as the server says it.
        looping: whether the reply repeats itself; nothing more needs to be read.
        recognized: whether any of it was a piece of a chat completion.

    """

    def __init__(self, threshold: float) -> None:
        self.begun = self.looping = self.recognized = False
        self.finish_reason = ""
        self._ended = False
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._content_guard = RepeatGuard(threshold, _CONTENT_FLOOR)
        self._reasoning_guard = RepeatGuard(threshold)
        self._counted: dict[str, Any] = {}

    def take(self, chunk: object) -> None:
        """Add a chunk of a stream, or a whole completion."""
        if not isinstance(chunk, dict):
            return
        if isinstance(chunk.get("usage"), dict):
            self._counted = chunk["usage"]
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return
        said = choices[0].get("delta") or choices[0].get("message") or self._spoken(choices[0].get("text"))
        self.finish_reason = str(choices[0].get("finish_reason") or self.finish_reason)
        self.recognized |= isinstance(said, dict) or bool(self.finish_reason)
        self._ended = bool(self.finish_reason) or "message" in choices[0]
        if isinstance(said, dict):
            self._hear(said)

    @property
    def cut(self) -> bool:
        """Whether the reply reached its longest length, or ended without the server saying that it is done."""
        return self.finish_reason == "length" or not (self._ended or self.looping)

    def words(self) -> Words:
        """Return what was said; in place of an empty reply stands the end of its reasoning, marked as that."""
        text, reasoning = _apart(well_formed("".join(self._content)), well_formed("".join(self._reasoning)))
        if text.strip():
            return Words(_once(text), reasoning, REPEAT_GUARD) if self.looping else Words(text, reasoning, "")
        if not reasoning.strip():
            return Words(text, reasoning, "")
        guard = REPEAT_GUARD if self.looping else REASONING_ONLY
        why = "it repeated itself and was stopped" if self.looping else "no reply followed"
        end = reasoning.strip()[-_TAIL:]
        return Words(f"[only reasoning came, {why}; this is its end]\n{end}", reasoning, guard)

    def usage(self, asked: int) -> Usage:
        """Return what the call took; without counts from the server an estimate, `asked` characters of prompt given."""
        if not self._counted:
            heard = sum(map(len, self._content)) + sum(map(len, self._reasoning))
            return Usage(1, -(-asked // _CHARACTERS_PER_TOKEN), -(-heard // _CHARACTERS_PER_TOKEN), estimated=True)
        cost = self._counted.get("cost")
        details = self._counted.get("prompt_tokens_details")
        return Usage(
            calls=1,
            prompt_tokens=_count(self._counted.get("prompt_tokens")),
            completion_tokens=_count(self._counted.get("completion_tokens")),
            cost=float(cost) if isinstance(cost, (int, float)) else None,
            cached_tokens=_count(details.get("cached_tokens")) if isinstance(details, dict) else 0,
        )

    def _spoken(self, text: object) -> dict[str, Any] | None:
        """Return a piece of a plain completion as one of a chat; it does not begin with a space."""
        if not isinstance(text, str):
            return None
        return {"content": text if self.begun else text.lstrip()}

    def _hear(self, said: dict[str, Any]) -> None:
        content = _text(said.get("content")) or _text(said.get("refusal"))
        reasoning = _text(said.get("reasoning_content")) or _text(said.get("reasoning"))
        self._content.append(content)
        self._reasoning.append(reasoning)
        self.begun |= bool(content or reasoning)
        self.looping |= self._content_guard.feed(content) | self._reasoning_guard.feed(reasoning)


async def follow(chunks: AsyncIterator[object], reading: Reading, patience: float) -> None:
    """Read until the stream ends or the reply repeats itself.

    Raises:
        TimeoutError: after its first words, the stream was silent for `patience` seconds. Before them a model may think
            for as long as the whole call has time.

    """
    clock = asyncio.get_running_loop()
    async with asyncio.timeout(None) as waiting:
        async for chunk in chunks:
            reading.take(chunk)
            if reading.looping:
                return
            if reading.begun:
                waiting.reschedule(clock.time() + patience)


def _apart(content: str, reasoning: str) -> tuple[str, str]:
    """Move a `<think>` block that opens the content to the reasoning; some servers send only its closing tag."""
    block = _THINKING.match(content) or ("</think" in content and _THOUGHT.match(content))
    return (content[block.end() :], reasoning + block[1].strip()) if block else (content, reasoning)


def _once(text: str) -> str:
    """Return a looping text up to the end of the first round of its loop."""
    end = text.find(text[-_REFRAIN:]) + _REFRAIN
    return f"{text[:end]}\n[the reply repeated itself from here on and was stopped]"


def _text(value: object) -> str:
    """Return a text, or the texts of a list of parts."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) else 0
