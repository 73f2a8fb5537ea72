"""Every road leads to one server on loopback: what goes to any host arrives there with its path, query and headers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from .openai_server import ScriptedModel

__all__ = ["rerouted"]


@contextmanager
def rerouted(server: ScriptedModel) -> Iterator[list[str]]:
    """Send all HTTP of this process to `server`; the value is the list of the URLs that were meant."""
    meant: list[str] = []
    there = httpx2.URL(server.base_url)
    send_later, send_now = httpx2.AsyncClient.send, httpx2.Client.send

    def turn(request: httpx2.Request) -> httpx2.Request:
        meant.append(str(request.url))
        request.url = request.url.copy_with(scheme="http", host=there.host, port=there.port)
        return request

    async def later(client: Any, request: httpx2.Request, **options: Any) -> httpx2.Response:
        return await send_later(client, turn(request), **options)

    def now(client: Any, request: httpx2.Request, **options: Any) -> httpx2.Response:
        return send_now(client, turn(request), **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx2.AsyncClient, "send", later)
        patch.setattr(httpx2.Client, "send", now)
        yield meant
