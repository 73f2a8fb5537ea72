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
    wait, at_once = httpx2.AsyncHTTPTransport.handle_async_request, httpx2.HTTPTransport.handle_request

    def turn(request: httpx2.Request) -> httpx2.Request:
        meant.append(str(request.url))
        request.url = request.url.copy_with(scheme="http", host=there.host, port=there.port)
        return request

    async def handle_async(transport: Any, request: httpx2.Request) -> httpx2.Response:
        return await wait(transport, turn(request))

    def handle(transport: Any, request: httpx2.Request) -> httpx2.Response:
        return at_once(transport, turn(request))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", handle_async)
        patch.setattr(httpx2.HTTPTransport, "handle_request", handle)
        yield meant
