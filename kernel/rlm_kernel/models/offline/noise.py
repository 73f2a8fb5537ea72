"""Noise: replies that go wrong on purpose, so that candidates, ties, retries and guards can be seen without a model.

The setting `noise` is the share of replies that it hits. What happens to one depends on nothing but the seed and the
conversation, so the same run gets the same noise, and another seed, or another candidate, another. It says so itself:
while noise is on every turn of the root begins with a remark, and a cell that spoils its answer has a comment.

    the root    its answer is made wrong: a number is off, a list lacks its last item, a text is marked as wrong
    a sub-call  one in four each: slow; turned away once, with 503; refused for good, with 400; answered wrongly

Where a conversation asks for confidence as `{"confidence": N}` the solver states it, 0 to 100: sure replies get high
numbers, spoiled ones lower numbers that overlap with them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

from .pieces import NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Noise"]

_REMARK = "Noise is on: some of my replies are wrong on purpose."
_READY = 'answer["ready"] = True'
_SPOIL = """\
# noise: this answer is made wrong on purpose
right = answer["content"]
if isinstance(right, (int, float)) and not isinstance(right, bool):
    answer["content"] = right + {off}
elif isinstance(right, list) and right:
    answer["content"] = right[:-1]
else:
    answer["content"] = f"{{right}} (wrong on purpose)"
answer["ready"] = True"""
_ASKS = '{"confidence":'
_SLOW = 0.3


class Noise:
    """Disturbs what the solver replies.

    Args:
        body: a request; its fields `noise` (0 to 1) and `seed` decide.
        messages: its conversation.

    """

    def __init__(self, body: Mapping[str, Any], messages: Sequence[Mapping[str, str]]) -> None:
        share, seed = body.get("noise"), body.get("seed")
        self._on = isinstance(share, (int, float)) and share > 0
        self._root = bool(messages) and messages[0]["role"] == "system"
        self._asked = any(_ASKS in message["content"] for message in messages if message["role"] != "assistant")
        self.name = hashlib.sha256(json.dumps([seed, list(messages)]).encode()).hexdigest()
        """Of the request: equal ones have the same."""
        hit, self._kind, self._off, self._sure = (byte / 256 for byte in bytes.fromhex(self.name)[:4])
        self._hit = self._on and hit < float(share or 0)

    async def trouble(self, tries: int) -> tuple[int, str] | None:
        """Return the status and the words of the error in place of a reply, if there is to be one; slow ones wait here.

        `tries` is how often this request came before.
        """
        if not self._hit or self._root:
            return None
        match int(self._kind * 4):
            case 0:
                await asyncio.sleep(_SLOW)
            case 1 if tries == 0:
                return 503, "turned away on purpose: noise is on"
            case 2:
                return 400, "refused on purpose: noise is on"
        return None

    def disturbed(self, text: str) -> str:
        """Return a reply as it is sent."""
        if self._root:
            text = f"{_REMARK}\n\n{text}" if self._on else text
            if self._hit and _READY in text:
                text = text.replace(_READY, _SPOIL.format(off=1 + int(self._off * 9)))
        elif self._hit and self._kind >= 0.75:
            text = "\n".join(text.splitlines()[:-1]) or NOT_FOUND
        return f"{text}\n\n{_ASKS} {self._confidence()}}}" if self._asked else text

    def _confidence(self) -> int:
        return 30 + int(self._sure * 50) if self._hit else 70 + int(self._sure * 30)
