"""What a reply is filed under: a digest of everything that determines it, and of nothing else.

A request counts by its model reference, messages, parameters, schema and images, with the role it was made in; an
equal one of the same candidate gets the next sample number, so that a question asked twice can have two replies. The
server's address and key, time limits and priorities do not count. The longest length of a reply does: a shorter limit
cuts the reply.

Secrets are masked first, and memory addresses such as `<object at 0x7f…>` levelled, because they change from run to
run and say nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .unicode import well_formed

if TYPE_CHECKING:
    from ..trajectory.redact import Redactor

__all__ = ["Content", "content_of"]

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]{1,16}(?=[>…])")
_ROOM = 32
"""Hexadecimal digits of a key: 128 bits."""


@dataclass(frozen=True, slots=True)
class Content:
    """A request as far as it determines the reply.

    Attributes:
        role: what it was made for, see `Where`.
        messages: the conversation, each message with `role` and `content`.
        parameters: everything else by name; images by their digest.
        prefixes: a digest of the first message, of the first two, and so on.

    """

    role: str
    messages: list[dict[str, Any]]
    parameters: dict[str, Any]
    prefixes: tuple[str, ...]

    def key(self, candidate: int, sample: int) -> str:
        """Return the key of the reply to the request's `sample`-th asking, from 0, by a candidate."""
        return _digest([self.role, self.prefixes[-1], self.parameters, candidate, sample])[:_ROOM]


def content_of(request: Mapping[str, Any], role: str, redactor: Redactor) -> Content:
    """Return what counts of a request.

    Args:
        request: `model`, `messages` (one at least), and any other JSON values by name; `images` are data URLs. What is
            `None` or empty counts as not given.
        role: what it is made for.
        redactor: masks secrets.

    """
    given = {name: value for name, value in request.items() if value not in (None, [], (), {}, "")}
    messages = _levelled(redactor.record(list(given.pop("messages"))))
    images = [f"sha256:{hashlib.sha256(image.encode()).hexdigest()}" for image in given.pop("images", ())]
    parameters = _levelled(redactor.record(given)) | ({"images": images} if images else {})
    prefixes, running = [], hashlib.sha256()
    for message in messages:
        running.update(_canonical(message))
        prefixes.append(running.hexdigest())
    return Content(role, messages, parameters, tuple(prefixes))


def _levelled(value: Any) -> Any:
    if isinstance(value, str):
        return _ADDRESS.sub(" at 0x…", well_formed(value))
    if isinstance(value, list):
        return [_levelled(item) for item in value]
    if isinstance(value, dict):
        return {key: _levelled(item) for key, item in value.items()}
    return value


def _digest(value: object) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
