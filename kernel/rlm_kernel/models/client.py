"""One model call: messages in, a `Completion` out, over `openai.AsyncOpenAI` whatever the server is.

Replies are streamed, so that a call can be stopped at any moment, and the server's work with it. The embedded solver is
no exception: it sits behind the same client, on an HTTP transport that stays in this process.

    dialect     the request as this server takes it, learned from its refusals …
    turns       … its messages, where roles must alternate
    completions … and all of it where there is no chat
    refusals    … and the numbers in them
    streaming   the reply as it comes in …
    repeats     … and the guard against one that repeats itself
    failures    what went wrong, in errors of our own
    connections to the server, or to the embedded solver
    unicode     text that can travel

Import this module only when a model is about to be asked; it loads the openai package.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import openai

from ..errors import ModelUnreachable
from ..settings import Settings
from ..trajectory.records import Message, Usage
from .address import Endpoint
from .completions import PATH, as_prompt, has_no_chat
from .connections import http_client
from .dialect import Dialect, Request
from .failures import broken_off, explain, no_completion
from .refusals import words_of
from .streaming import Reading, follow

__all__ = ["Completion", "ModelClient"]


_MOST_LESSONS = 6


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's turn.

    Attributes:
        text: the reply.
        reasoning: what the model thought before it, where the server sends it.
        finish_reason: as the server says it, such as `stop`; empty if it said none.
        usage: exact for this call, or marked as an estimate.
        seconds: from the request to the end of the reply.
        cut: the reply reached its longest length, or ended without the server saying that it is done.
        stopped: the guard that acted, if one did: `repeat_guard` cut a reply that repeats itself, `reasoning_only` put
            the end of the reasoning in the place of an empty reply. The text says so too.
        notes: in words, what was asked for and had to be changed or left out for this server, when that was learned.
        saved: of a reply from a recording, what it once took; it cost nothing now, so `usage` is empty.

    """

    text: str
    reasoning: str
    finish_reason: str
    usage: Usage
    seconds: float
    cut: bool = False
    stopped: str = ""
    notes: tuple[str, ...] = ()
    saved: Usage | None = None

    @property
    def recorded(self) -> bool:
        """Whether it comes from a recording."""
        return self.saved is not None

    @property
    def counted(self) -> Usage:
        """What the server counted for this turn, now or when it was recorded."""
        return self.usage if self.saved is None else self.saved


class ModelClient:
    """Asks the models of one endpoint. Use it on one event loop and close it there.

    Args:
        endpoint: the server.
        repeat_guard: share of repeated 4-word phrases, 0 to 1, at which a reply is stopped; 0 for never.
        chunk_timeout: longest silence within a reply, in seconds.

    """

    def __init__(
        self, endpoint: Endpoint, *, repeat_guard: float = Settings.repeat_guard, chunk_timeout: float = 60.0
    ) -> None:
        self._endpoint = endpoint
        self._repeat_guard = repeat_guard
        self._chunk_timeout = chunk_timeout
        self._dialects: dict[str, Dialect] = {}
        self._has_chat = True
        self._headers: dict[str, str | openai.Omit] = {"Authorization": openai.omit, **endpoint.headers}
        self._client = openai.AsyncOpenAI(
            base_url=endpoint.base_url or "http://offline/v1",
            api_key=endpoint.api_key or "unused",
            http_client=http_client(endpoint),
            default_query=dict(endpoint.query),
            max_retries=0,  # see `retries`, which knows of slots, deadlines and the other calls
        )

    async def complete(
        self,
        messages: Sequence[Message],
        model: str,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        timeout: float | None = None,
        schema: Mapping[str, Any] | None = None,
        images: Sequence[str] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> Completion:
        """Return the model's reply to `messages`, asked once; `retries.persist` asks again.

        Cancelling the call closes its connection at once.

        Args:
            messages: the conversation.
            model: who is asked.
            max_tokens: longest reply, in tokens; less is asked for where the window or the server allows no more.
            temperature: of sampling; else the server's own.
            timeout: time limit of the whole call, in seconds.
            schema: JSON schema for the reply; the server may ignore or refuse it, so check the reply.
            images: data URLs, shown with the user's last message.
            extra: further fields of the request's body.

        Raises:
            ModelOverflow: the prompt does not fit the window.
            ModelError: one of its other kinds, when there will be no reply.

        """
        started = time.monotonic()
        request = Request(messages, max_tokens, temperature, schema, images, extra or {})
        try:
            async with asyncio.timeout(timeout):
                reading, notes = await self._ask(request, model)
        except TimeoutError:
            raise ModelUnreachable(
                f"{self._endpoint.shown} gave no whole reply within {timeout:g} s.", "is the server overloaded?"
            ) from None
        words = reading.words()
        return Completion(
            text=words.text,
            reasoning=words.reasoning,
            finish_reason=reading.finish_reason,
            usage=reading.usage(sum(len(message["content"]) for message in messages)),
            seconds=time.monotonic() - started,
            cut=reading.cut,
            stopped=words.stopped,
            notes=tuple(notes),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _ask(self, request: Request, model: str) -> tuple[Reading, list[str]]:
        """Ask until the server takes the request; return the reply, and what was learned on the way."""
        at = self._endpoint
        dialect = self._dialects.setdefault(model, Dialect(model, own=at.own, provider=at.provider))
        notes: list[str] = []
        missing: openai.APIError | None = None
        while True:
            chat, body = self._has_chat, dialect.body(request)
            path, body = (at.path(model), body) if chat else (PATH, as_prompt(body))
            try:
                return await self._listen(path, body), notes
            except openai.APIError as error:
                no_route = has_no_chat(_status(error), words_of(error))
                if no_route and chat:
                    self._has_chat, missing = False, error
                    notes.append("the server has no chat completions; it was sent the conversation as one text")
                    continue
                if no_route and missing is not None:
                    self._has_chat, error = True, missing  # it has neither: the first refusal says more
                teaches = _is_refusal(error) and len(notes) < _MOST_LESSONS
                lesson = dialect.learn(words_of(error), request, body) if teaches else ""
                if not lesson:
                    raise explain(error, at, model) from None  # its own text may hold the key
                notes.append(lesson)

    async def _listen(self, path: str, body: dict[str, Any]) -> Reading:
        reading = Reading(self._repeat_guard)
        # The typed method would turn every message and chunk into a model of its own: 30 ms for 200 messages.
        stream = await self._client.post(
            path,
            cast_to=object,
            body=body,
            options={"headers": self._headers},
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
        async with stream:
            try:
                if "text/event-stream" in stream.response.headers.get("content-type", ""):
                    await follow(stream, reading, self._chunk_timeout)
                else:
                    reading.take(json.loads(await stream.response.aread()))
            except TimeoutError:
                silent = f"it was silent for {self._chunk_timeout:g} s"
                raise broken_off(self._endpoint, silent, begun=True) from None
            except (openai.APIConnectionError, httpx2.TransportError):
                raise broken_off(self._endpoint, "the connection was lost", begun=reading.begun) from None
            except (ValueError, RecursionError):  # what claims to be JSON and is not
                if reading.recognized:
                    raise broken_off(self._endpoint, "half a message came", begun=reading.begun) from None
                raise no_completion(self._endpoint) from None
        if not reading.recognized:
            raise no_completion(self._endpoint)
        return reading


def _is_refusal(error: openai.APIError) -> bool:
    """Tell whether the server does not want this request; an error within a stream has no status."""
    return _status(error) in (None, 400, 413, 422, 500) and not isinstance(error, openai.APIConnectionError)


def _status(error: openai.APIError) -> int | None:
    return error.status_code if isinstance(error, openai.APIStatusError) else None
