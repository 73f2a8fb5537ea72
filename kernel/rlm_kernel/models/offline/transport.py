"""The embedded solver behind OpenAI's HTTP interface, inside the process: the client cannot tell it from a server.

client = openai.AsyncOpenAI(
    base_url="http://offline/v1", api_key="offline", http_client=httpx2.AsyncClient(transport=OfflineTransport())
)
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx2

from .noise import Noise
from .root import reply

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OfflineTransport"]

_MODEL = "offline"
_CHARACTERS_PER_TOKEN = 4
_STREAMED = 400


class OfflineTransport(httpx2.AsyncBaseTransport):
    """Serves `POST …/chat/completions`, whole or streamed, and `GET …/models`; all else is 404.

    Token counts are estimated at four characters per token, and cost nothing. The same request gets the same bytes
    back, but for the noise it asks for itself, see `noise`.
    """

    def __init__(self) -> None:
        self._tries: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        path = request.url.path.rstrip("/")
        if request.method == "GET" and path.endswith("/models"):
            return _json(
                200, {"object": "list", "data": [{"id": _MODEL, "object": "model", "created": 0, "owned_by": "rlm"}]}
            )
        if request.method != "POST" or not path.endswith("/chat/completions"):
            return _error(404, f"Unknown request: {request.method} {request.url.path}")
        try:
            body = json.loads(await request.aread())
            messages = [{"role": str(m["role"]), "content": _text(m.get("content"))} for m in body["messages"]]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return _error(400, "The body is not a chat completion request")
        noise = Noise(body, messages)
        trouble = await noise.trouble(self._tries[noise.name])
        self._tries[noise.name] += 1
        if trouble is not None:
            return _error(*trouble)
        completion = _completion(messages, noise.disturbed(reply(messages)))
        if body.get("stream"):
            usage = (body.get("stream_options") or {}).get("include_usage", False)
            events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in _chunks(completion, usage))
            return httpx2.Response(
                200, headers={"content-type": "text/event-stream"}, content=f"{events}data: [DONE]\n\n".encode()
            )
        return _json(200, completion)


def _completion(messages: list[dict[str, str]], text: str) -> dict[str, Any]:
    asked = sum(len(m["content"]) for m in messages) // _CHARACTERS_PER_TOKEN + 1
    said = len(text) // _CHARACTERS_PER_TOKEN + 1
    digest = hashlib.sha256(json.dumps(messages).encode()).hexdigest()[:24]
    return {
        "id": f"chatcmpl-{digest}",
        "object": "chat.completion",
        "created": 0,
        "model": _MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said, "cost": 0.0},
    }


def _chunks(completion: dict[str, Any], include_usage: bool) -> Iterator[dict[str, Any]]:
    """Yield a completion as the chunks of a stream."""
    base = {**{k: completion[k] for k in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    text = completion["choices"][0]["message"]["content"]
    for start in range(0, len(text), _STREAMED):
        delta = {"role": "assistant", "content": text[start : start + _STREAMED]}
        yield {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if include_usage:
        yield {**base, "choices": [], "usage": completion["usage"]}


def _text(content: object) -> str:
    """Return a message's text; content may also be a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return str(content or "")


def _json(status: int, body: dict[str, Any]) -> httpx2.Response:
    return httpx2.Response(status, json=body)


def _error(status: int, message: str) -> httpx2.Response:
    return _json(status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})
