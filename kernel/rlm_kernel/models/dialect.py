"""How one server wants to be asked for one model, learned from its refusals.

Servers differ in what they take: the name of the limit on a reply, streams, temperatures, schemas. Each is asked in the
full form first. A refusal that names a parameter is remembered, and the request goes out again without it; a refusal
because of the context's length is met with a shorter reply, once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..trajectory.records import Message
from .providers import OTHER, Provider
from .refusals import Overflow, overflow, reply_cap
from .turns import alternates, folded, merged
from .unicode import well_formed

__all__ = ["Dialect", "Request"]

_REASONING_MODEL = re.compile(r"(?:o\d|gpt-5)(?![a-z0-9])")
_CEILINGS = ("max_tokens", "max_completion_tokens")
_OPTIONAL = {
    "stream_options": r"\bstream_options\b|include_usage",
    "stream": r"\bstream(?:ing)?\b",
    "response_format": r"response_format|json_schema|structured output",
    "temperature": r"\btemperature\b",
    "seed": r"\bseed\b",
    "random_seed": r"\brandom_seed\b",
}
"""What a request can do without, and how refusals call it."""

_ALTERNATE = re.compile(r"roles? must alternate|alternat\w+ (?:between )?user", re.IGNORECASE)
_NO_SYSTEM = re.compile(r"system role (?:is )?not supported|only user and assistant roles", re.IGNORECASE)
_BAD_SCHEMA = re.compile("invalid schema", re.IGNORECASE)
_MARGIN = 256
_LEAST_REPLY = 256


@dataclass(slots=True)
class Request:
    """One call as the engine wants it.

    Attributes:
        messages: the conversation.
        max_tokens: longest reply, in tokens.
        temperature: of sampling.
        schema: JSON schema that the reply must fit.
        images: data URLs, shown with the user's last message.
        extra: further fields of the request's body.
        shortened: whether `max_tokens` was lowered to make prompt and reply fit the window.

    """

    messages: Sequence[Message]
    max_tokens: int | None = None
    temperature: float | None = None
    schema: Mapping[str, Any] | None = None
    images: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    shortened: bool = False


class Dialect:
    """What the server takes for `model`; `own` is whether it is OpenAI's, `provider` its row in the table."""

    def __init__(self, model: str, *, own: bool, provider: Provider = OTHER) -> None:
        self._model = model
        self._renamed = provider.renamed
        self._merging = provider.merges
        self._folding = False
        self._ceilings = list(reversed(_CEILINGS) if own and _REASONING_MODEL.match(model) else _CEILINGS)
        self._longest_reply: int | None = None
        self._refused = set(provider.refused)

    def body(self, request: Request) -> dict[str, Any]:
        """Return the request as the server takes it."""
        body: dict[str, Any] = {
            "model": self._model,
            "messages": _sent(self._shaped(request.messages), request.images),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.max_tokens is not None:
            ceiling = next(name for name in self._ceilings if name not in self._refused)
            body[ceiling] = min(request.max_tokens, self._longest_reply or request.max_tokens)
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.schema is not None:
            schema = {"name": "reply", "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        named = {self._renamed.get(name, name): value for name, value in (body | dict(request.extra)).items()}
        return {name: value for name, value in named.items() if name not in self._refused}

    def learn(self, words: str, request: Request, body: Mapping[str, Any]) -> str:
        """Draw the lesson of a refusal of `body`.

        Returns:
            In words, what the next try does differently; empty if there is nothing else to try.

        """
        spill = overflow(words)
        if spill is not None:
            return _shorten(request, spill)
        return (
            self._cap(words, body)
            or self._rename(words, body)
            or self._reshape(words, body)
            or self._leave_out(words, request, body)
        )

    def _shaped(self, messages: Sequence[Message]) -> Sequence[Message]:
        if self._folding:
            return folded(messages)
        return merged(messages) if self._merging else messages

    def _reshape(self, words: str, body: Mapping[str, Any]) -> str:
        """Take to turns that alternate, and where that is not enough, do without a system message."""
        sent = body.get("messages", [])
        if _ALTERNATE.search(words) and not alternates(sent):
            self._merging = True
            return "the server wants roles to alternate; messages of the same role were joined"
        strict = _ALTERNATE.search(words) or _NO_SYSTEM.search(words)
        if strict and any(message["role"] == "system" for message in sent):
            self._folding = True
            return "the server takes no system message; it was joined to the user's"
        return ""

    def _cap(self, words: str, body: Mapping[str, Any]) -> str:
        cap = reply_cap(words)
        if not cap or all(body.get(name, 0) <= cap for name in _CEILINGS):
            return ""
        self._longest_reply = cap
        return f"the server allows replies of at most {cap:,} tokens"

    def _rename(self, words: str, body: Mapping[str, Any]) -> str:
        refused = next((name for name in self._ceilings if name in body and name in words), None)
        others = [name for name in self._ceilings if name != refused and name not in self._refused]
        if refused is None or not others:
            return ""
        self._refused.add(refused)
        return f"the server refuses {refused}; it was sent {others[0]} instead"

    def _leave_out(self, words: str, request: Request, body: Mapping[str, Any]) -> str:
        known = (n for n, pattern in _OPTIONAL.items() if n in body and re.search(pattern, words, re.IGNORECASE))
        name = next(known, None)
        if name is None:
            return ""
        if name == "response_format" and _BAD_SCHEMA.search(words):
            request.schema = None  # this schema, not every schema
        else:
            self._refused |= {name, "stream_options"} if name == "stream" else {name}
        return f"the server refuses {name}; it was left out"


def _shorten(request: Request, spill: Overflow) -> str:
    """Ask for a reply that fits beside the prompt, if there is room for one and it was not tried before."""
    room = spill.room(request.max_tokens)
    fits = None if room is None else room - _MARGIN
    if fits is None or fits < _LEAST_REPLY or request.shortened:
        return ""
    request.max_tokens = min(fits, request.max_tokens or fits)
    request.shortened = True
    return f"the reply was limited to {request.max_tokens:,} tokens, to fit the window of {spill.window:,}"


def _sent(messages: Sequence[Message], images: Sequence[str]) -> list[Any]:
    """Return the messages as they are sent, with the images as parts of the user's last one."""
    sent: list[dict[str, Any]] = [{"role": m["role"], "content": well_formed(m["content"])} for m in messages]
    if images:
        last = next(message for message in reversed(sent) if message["role"] == "user")
        shown = [{"type": "image_url", "image_url": {"url": url}} for url in images]
        last["content"] = [{"type": "text", "text": last["content"]}, *shown]
    return sent
