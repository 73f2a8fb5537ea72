"""What went wrong with a call, in the errors of this project: what the server said, and what to do about it."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import openai

from ..errors import (
    ModelAuthError,
    ModelBusy,
    ModelError,
    ModelNotFound,
    ModelOverflow,
    ModelRejected,
    ModelReplyError,
    ModelUnreachable,
)
from ..trajectory.redact import Redactor
from .address import Endpoint
from .refusals import Overflow, overflow, words_of

__all__ = ["broken_off", "explain", "no_completion", "pause_asked"]

_SAID = 300
_BUSY = (408, 409, 425, 429)
_STATUS = re.compile(r"[45]\d\d")
_NUMBER = re.compile(r"\d+(?:\.\d*)?", re.ASCII)
_NO_NUMBERS = Overflow(None, None, None)
_CROWDED = re.compile(r"find a memory slot|no kv slot|slot (?:is )?(?:un|not )available", re.IGNORECASE)
"""How llama.cpp says that the cache which its slots share is full; newer versions say the context size is exceeded."""


def explain(error: openai.APIError, endpoint: Endpoint, model: str) -> ModelError:
    """Return the error of ours for one of the client's. It never holds the API key, even if the server repeats it."""
    url, said = endpoint.shown, _said(error, endpoint)
    match error:
        case openai.APIConnectionError():
            return _unreachable(error, url)
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
    words, status = words_of(error), _status(error)
    spill = overflow(words)
    if spill is not None:
        return _too_long(spill, url, said, shared=status >= 500 and spill == _NO_NUMBERS)
    if "insufficient_quota" in words:
        return ModelError(f"{url} gives no more replies: {said}", "check plan and billing of your account there")
    if status in _BUSY or status >= 500 or _CROWDED.search(words):
        return _busy(error, f"{url} is overloaded or broken: {said}", words)
    if isinstance(error, openai.APIStatusError):
        return ModelRejected(f"{url} refuses the request: {said}")
    return ModelError(f"The call to {url} failed: {said}")


def no_completion(endpoint: Endpoint) -> ModelReplyError:
    """Return the error for an answer that is something else."""
    return ModelReplyError(
        f"{endpoint.shown} answered, but not with a chat completion.",
        "check base_url: it must be the root of an OpenAI-compatible API, and usually ends in /v1",
    )


def broken_off(endpoint: Endpoint, how: str, *, begun: bool) -> ModelUnreachable:
    """Return the error for a reply that did not come to its end; `how` says why, `begun` whether any of it came."""
    error = ModelUnreachable(f"The reply of {endpoint.shown} broke off: {how}.", "is the server overloaded?")
    error.transient = not begun
    return error


def pause_asked(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a `Retry-After` header, a number or a date (RFC 9110 §10.2.3), or of `retry-after-ms`."""
    for name, seconds in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if (text := headers.get(name, "").strip()) and _NUMBER.fullmatch(text):
            return float(text) * seconds
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _unreachable(error: openai.APIConnectionError, url: str) -> ModelUnreachable:
    causes = [type(cause).__name__ for cause in _causes(error)]
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        ours = ModelUnreachable(
            f"There is no secure connection to {url}: {_causes(error)[-1]}",
            "check base_url: does the server speak https, and is its certificate known here?",
        )
        ours.answered = False
        return ours
    if isinstance(error, openai.APITimeoutError) and "ConnectTimeout" not in causes:
        ours = ModelUnreachable(f"{url} did not answer in time.", "is the server overloaded?")
    else:
        ours = ModelUnreachable(f"No server answers at {url}.", "is it running? Check base_url or OPENAI_BASE_URL")
        ours.answered = False
    ours.transient = True
    return ours


def _causes(error: BaseException) -> list[BaseException]:
    """Return what led to an error, the first cause last."""
    cause = error.__cause__ or error.__context__
    return [] if cause is None else [cause, *_causes(cause)]


def _busy(error: openai.APIError, message: str, words: str) -> ModelBusy:
    busy = ModelBusy(message, "try again later")
    busy.crowded = bool(_CROWDED.search(words))
    busy.transient = not busy.crowded
    if isinstance(error, openai.APIStatusError):
        busy.retry_after = pause_asked(error.response.headers)
    return busy


def _too_long(spill: Overflow, url: str, said: str, *, shared: bool) -> ModelOverflow:
    size = f" of {spill.prompt:,} tokens" if spill.prompt else ""
    window = f" of {spill.window:,} tokens" if spill.window else ""
    error = ModelOverflow(
        f"The prompt{size} does not fit the window{window} at {url}: {said}",
        "send less at once: a shorter prompt, or smaller pieces of the text",
        spill.window,
    )
    error.crowded = shared
    return error


def _status(error: openai.APIError) -> int:
    """Return the HTTP status; that of an error within a stream is in its body, 0 if it is nowhere."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code
    code = error.body.get("code") if isinstance(error.body, dict) else None
    return int(code) if isinstance(code, int | str) and _STATUS.fullmatch(str(code)) else 0


def _said(error: openai.APIError, endpoint: Endpoint) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    status = f"{error.status_code} " if isinstance(error, openai.APIStatusError) else ""
    said = str(message or error.message)
    if endpoint.api_key:
        said = said.replace(endpoint.api_key, "[key]")
    return status + Redactor(os.environ).text(said)[:_SAID]
