"""HTTP to an endpoint: its connections, or the embedded solver in their place."""

from __future__ import annotations

import functools
import ssl

import httpx2
import openai

from .address import Endpoint

__all__ = ["http_client"]

_CONNECT_TIMEOUT = 10.0
_READ_TIMEOUT = 600.0
_KEPT_CONNECTIONS = 64


def http_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    """Return a client for `endpoint`, to be closed by the caller; it opens as many connections as calls are made."""
    if endpoint.offline:
        from .offline.transport import OfflineTransport

        return httpx2.AsyncClient(transport=OfflineTransport())
    timeout = httpx2.Timeout(_READ_TIMEOUT, connect=_CONNECT_TIMEOUT)
    limits = httpx2.Limits(max_connections=0)
    return openai.DefaultAioHttpClient(verify=_ssl_context(), timeout=timeout, limits=limits, follow_redirects=True)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """Return one TLS context for all clients: loading the certificates costs more than everything else of a client."""
    return httpx2.create_ssl_context()
