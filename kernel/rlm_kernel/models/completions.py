"""Servers without chat: the conversation as one text that a base model goes on with, for `POST …/completions`.

Who speaks is written before each message, and the reply ends where the model would speak for the user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ModelRejected
from ..trajectory.records import Message

__all__ = ["PATH", "as_prompt", "flat", "has_no_chat"]

PATH = "/completions"
"""Below the base URL."""

_NAMES = {"system": "System", "user": "User", "assistant": "Assistant"}
_STOPS = ["\nUser:", "\nSystem:"]
_NO_ROUTE = frozenset({404, 405, 501})
_ABOUT_MODEL = re.compile(r"\b(?:model|deployment|engine)s?\b|model_not_found|DeploymentNotFound", re.IGNORECASE)
_CHAT_ONLY = frozenset({"messages", "response_format", "max_completion_tokens"})


def has_no_chat(status: int | None, words: str) -> bool:
    """Tell whether a server says that it has no chat completions; `words` are its refusal of one.

    A 404 about the model is none of that.
    """
    return status in _NO_ROUTE and not (status == 404 and _ABOUT_MODEL.search(words))


def as_prompt(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a chat completion as that of a plain one.

    Raises:
        ModelRejected: it shows images, which a text cannot.

    """
    kept = {name: value for name, value in body.items() if name not in _CHAT_ONLY}
    if "max_completion_tokens" in body:
        kept["max_tokens"] = body["max_completion_tokens"]
    if any(not isinstance(message["content"], str) for message in body["messages"]):
        raise ModelRejected("The server takes no images: it has no chat completions.", "ask another model")
    return {**kept, "prompt": flat(body["messages"]), "stop": _STOPS}


def flat(messages: Sequence[Message]) -> str:
    """Return the conversation as one text, at whose end the assistant speaks."""
    said = [f"{_NAMES.get(m['role'], 'User')}: {m['content']}" for m in messages]
    return "\n\n".join([*said, "Assistant:"])
