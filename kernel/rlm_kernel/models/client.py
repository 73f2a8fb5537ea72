"""One model call: messages in, text out, over `openai.AsyncOpenAI` whatever the server is.

The embedded solver is no exception: it sits behind the same client, on an HTTP transport that stays in this process.
Import this module only when a model is about to be asked; it loads the openai package.
"""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx2
import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from ..errors import (
    ModelAuthError,
    ModelError,
    ModelNotFound,
    ModelRejected,
    ModelReplyError,
    ModelUnreachable,
)
from ..trajectory.records import Message, Usage
from .endpoint import Endpoint

__all__ = ["Completion", "ModelClient"]

_CONNECT_TIMEOUT = 10.0
_READ_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's turn; `reasoning` is kept apart, `finish_reason` is `stop`, or `length` when the reply was cut."""

    text: str
    reasoning: str
    finish_reason: str
    usage: Usage
    seconds: float


class ModelClient:
    """Asks the models of one endpoint. Use it on one event loop and close it there."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._client = openai.AsyncOpenAI(
            base_url=endpoint.base_url or "http://offline/v1",
            api_key=endpoint.api_key or "unused",
            http_client=_http_client(endpoint),
        )

    async def complete(self, messages: Sequence[Message], model: str) -> Completion:
        """Return the model's reply to `messages`; busy servers (429, 5xx) are asked again.

        Raises:
            ModelError: one of its kinds, when there will be no reply.

        """
        started = time.monotonic()
        try:
            answer = await self._client.chat.completions.create(
                model=model,
                messages=cast("list[ChatCompletionMessageParam]", list(messages)),
                extra_headers=None if self._endpoint.api_key else {"Authorization": openai.omit},
            )
        except openai.APIError as error:
            raise self._explain(error, model) from error
        except ValueError as error:  # a body that claims to be JSON and is not
            raise self._no_completion() from error
        return self._read(answer, time.monotonic() - started)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _read(self, answer: ChatCompletion, seconds: float) -> Completion:
        # The client hands through whatever the server sent, so the declared types prove nothing here.
        choices = getattr(answer, "choices", None)
        if not choices or choices[0].message is None:
            raise self._no_completion()
        message: Any = choices[0].message
        return Completion(
            text=message.content or "",
            reasoning=getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None) or "",
            finish_reason=choices[0].finish_reason or "",
            usage=_usage(answer),
            seconds=seconds,
        )

    def _no_completion(self) -> ModelReplyError:
        return ModelReplyError(
            f"{self._endpoint.base_url} answered, but not with a chat completion.",
            "check base_url: it must be the root of an OpenAI-compatible API, and usually ends in /v1",
        )

    def _explain(self, error: openai.APIError, model: str) -> ModelError:
        url = self._endpoint.base_url
        said = _said(error)
        match error:
            case openai.APITimeoutError():
                return ModelUnreachable(f"{url} did not answer in time.", "is the server overloaded?")
            case openai.APIConnectionError():
                return ModelUnreachable(
                    f"No server answers at {url}.", "is it running? Check base_url or OPENAI_BASE_URL"
                )
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                have = "refuses the API key" if self._endpoint.api_key else "wants an API key"
                return ModelAuthError(f"{url} {have}: {said}", "set the environment variable OPENAI_API_KEY")
            case openai.NotFoundError():
                return ModelNotFound(
                    f"{url} does not know the model {model!r}: {said}",
                    "check model=, and that base_url is the API's root (it usually ends in /v1)",
                )
            case openai.APIResponseValidationError():
                return self._no_completion()
            case openai.RateLimitError() | openai.InternalServerError():
                return ModelError(f"{url} is overloaded or broken: {said}", "try again later")
            case openai.APIStatusError():
                return ModelRejected(f"{url} refuses the request: {said}")
        return ModelError(f"The call to {url} failed: {said}")


def _said(error: openai.APIError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    status = f"{error.status_code} " if isinstance(error, openai.APIStatusError) else ""
    return status + str(message or error.message)[:300]


def _usage(answer: ChatCompletion) -> Usage:
    counted = answer.usage
    if counted is None:
        return Usage(calls=1)
    cost = getattr(counted, "cost", None)
    return Usage(
        calls=1,
        prompt_tokens=counted.prompt_tokens or 0,
        completion_tokens=counted.completion_tokens or 0,
        cost=float(cost) if isinstance(cost, (int, float)) else None,
    )


def _http_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    if endpoint.offline:
        from .offline.transport import OfflineTransport

        return httpx2.AsyncClient(transport=OfflineTransport())
    timeout = httpx2.Timeout(_READ_TIMEOUT, connect=_CONNECT_TIMEOUT)
    return httpx2.AsyncClient(verify=_ssl_context(), timeout=timeout, follow_redirects=True)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """Return one TLS context for all clients: loading the certificates costs more than everything else of a client."""
    return httpx2.create_ssl_context()
