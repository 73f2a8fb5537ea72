"""HTTP to an endpoint: its connections, or the embedded solver in their place.

The library's pool looks at all of its connections whenever a call begins or ends, which with 64 of them takes as long
as the call's own work. Here each call in flight has a pool with one connection.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator, Callable
from urllib.request import getproxies

import httpx2

from .address import Endpoint

__all__ = ["http_client"]

_CONNECT_TIMEOUT = 10.0
_READ_TIMEOUT = 600.0


def http_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    """Return a client for `endpoint`, to be closed by the caller; it opens as many connections as calls are made."""
    if endpoint.offline:
        from .offline.transport import OfflineTransport

        return httpx2.AsyncClient(transport=OfflineTransport())
    timeout = httpx2.Timeout(_READ_TIMEOUT, connect=_CONNECT_TIMEOUT)
    mounts = {} if "all" in getproxies() else {"all://": _Lanes(_lane)}  # other proxies are mounted before "all"
    return httpx2.AsyncClient(verify=_ssl_context(), timeout=timeout, mounts=mounts, follow_redirects=True)


def _lane() -> httpx2.AsyncHTTPTransport:
    return httpx2.AsyncHTTPTransport(verify=_ssl_context(), limits=httpx2.Limits(max_connections=1))


class _Lanes(httpx2.AsyncBaseTransport):
    """Gives each call a lane, `make()`, to itself; the one used last is used next."""

    def __init__(self, make: Callable[[], httpx2.AsyncBaseTransport]) -> None:
        self._make = make
        self._all: list[httpx2.AsyncBaseTransport] = []
        self._free: list[httpx2.AsyncBaseTransport] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if not self._free:
            self._free.append(self._make())
            self._all.append(self._free[-1])
        lane = self._free.pop()
        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            self._free.append(lane)
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Occupied(response.stream, lambda: self._free.append(lane))
        return response

    async def aclose(self) -> None:
        for lane in self._all:
            await lane.aclose()


class _Occupied(httpx2.AsyncByteStream):
    """A reply on its lane, which is free again when the reply is closed."""

    def __init__(self, reply: httpx2.AsyncByteStream, free: Callable[[], object]) -> None:
        self._reply = reply
        self._free: Callable[[], object] | None = free

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._reply.__aiter__()

    async def aclose(self) -> None:
        free, self._free = self._free, None
        try:
            await self._reply.aclose()
        finally:
            if free is not None:
                free()


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """Return one TLS context for all clients: loading the certificates costs more than everything else of a client."""
    return httpx2.create_ssl_context()
