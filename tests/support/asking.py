"""Asking a scripted server through the model client, from a test that is not asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from rlm_kernel.models.client import Completion, ModelClient
from rlm_kernel.models.endpoint import Endpoint
from rlm_kernel.trajectory.records import Message

__all__ = ["ask", "endpoint_of", "with_client"]

T = TypeVar("T")


def endpoint_of(base_url: str, api_key: str | None = None, model: str = "m") -> Endpoint:
    """Return an endpoint with one model."""
    return Endpoint(base_url, model, model, api_key)


def with_client(endpoint: Endpoint, use: Callable[[ModelClient], Awaitable[T]], **options: Any) -> T:
    """Run `use` with a client that is closed afterwards."""

    async def run() -> T:
        client = ModelClient(endpoint, **options)
        try:
            return await use(client)
        finally:
            await client.close()

    return asyncio.run(run())


def ask(
    base_url: str, prompt: str = "hello", *, model: str = "m", repeat_guard: float = 0.35, **more: Any
) -> Completion:
    """Ask once."""
    messages = [Message(role="user", content=prompt)]
    endpoint = endpoint_of(base_url, model=model)
    return with_client(endpoint, lambda client: client.complete(messages, model, **more), repeat_guard=repeat_guard)
