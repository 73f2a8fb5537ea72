"""What went wrong with a call, in the errors of this project: what the server said, and what to do about it."""

from __future__ import annotations

import openai

from ..errors import (
    ModelAuthError,
    ModelError,
    ModelNotFound,
    ModelOverflow,
    ModelRejected,
    ModelReplyError,
    ModelUnreachable,
)
from .endpoint import Endpoint
from .refusals import Overflow, overflow, words_of

__all__ = ["broken_off", "explain", "no_completion"]

_SAID = 300


def explain(error: openai.APIError, endpoint: Endpoint, model: str) -> ModelError:
    """Return the error of ours for one of the client's. It never holds the API key, even if the server repeats it."""
    url, said = endpoint.shown, _said(error, endpoint)
    match error:
        case openai.APITimeoutError():
            return ModelUnreachable(f"{url} did not answer in time.", "is the server overloaded?")
        case openai.APIConnectionError():
            return ModelUnreachable(f"No server answers at {url}.", "is it running? Check base_url or OPENAI_BASE_URL")
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            have = "refuses the API key" if endpoint.api_key else "wants an API key"
            return ModelAuthError(f"{url} {have}: {said}", "set the environment variable OPENAI_API_KEY")
        case openai.NotFoundError():
            return ModelNotFound(
                f"{url} does not know the model {model!r}: {said}",
                "check model=, and that base_url is the API's root (it usually ends in /v1)",
            )
        case openai.APIResponseValidationError():
            return no_completion(endpoint)
    spill = overflow(words_of(error))
    if spill is not None:
        return _too_long(spill, url, said)
    match error:
        case openai.RateLimitError() | openai.InternalServerError():
            return ModelError(f"{url} is overloaded or broken: {said}", "try again later")
        case openai.APIStatusError():
            return ModelRejected(f"{url} refuses the request: {said}")
    return ModelError(f"The call to {url} failed: {said}")


def no_completion(endpoint: Endpoint) -> ModelReplyError:
    """Return the error for an answer that is something else."""
    return ModelReplyError(
        f"{endpoint.shown} answered, but not with a chat completion.",
        "check base_url: it must be the root of an OpenAI-compatible API, and usually ends in /v1",
    )


def broken_off(endpoint: Endpoint, how: str) -> ModelUnreachable:
    """Return the error for a reply that did not come to its end; `how` says why."""
    return ModelUnreachable(f"The reply of {endpoint.shown} broke off: {how}.", "is the server overloaded?")


def _too_long(spill: Overflow, url: str, said: str) -> ModelOverflow:
    size = f" of {spill.prompt:,} tokens" if spill.prompt else ""
    window = f" of {spill.window:,} tokens" if spill.window else ""
    return ModelOverflow(
        f"The prompt{size} does not fit the window{window} at {url}: {said}",
        "send less at once: a shorter prompt, or smaller pieces of the text",
        spill.window,
    )


def _said(error: openai.APIError, endpoint: Endpoint) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    status = f"{error.status_code} " if isinstance(error, openai.APIStatusError) else ""
    said = str(message or error.message)
    if endpoint.api_key:
        said = said.replace(endpoint.api_key, "[key]")
    return status + said[:_SAID]
