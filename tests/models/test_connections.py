"""The connections of a client: one per call in flight, used again, and through a proxy where there is one."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import psutil
import pytest

from rlm_kernel.models.client import ModelClient
from rlm_kernel.trajectory.records import Message
from support.asking import ask, endpoint_of, with_client
from support.openai_server import ScriptedModel

HELLO = [Message(role="user", content="hello")]


def test_a_call_uses_a_connection_that_is_free() -> None:
    with ScriptedModel() as server:
        port = urlsplit(server.base_url).port

        def mine() -> set[int]:
            ours = psutil.Process().net_connections("tcp")
            return {c.laddr.port for c in ours if c.raddr and c.raddr.port == port and c.status == "ESTABLISHED"}

        async def rounds(client: ModelClient) -> None:
            seen = []
            for _ in range(3):
                await asyncio.gather(*(client.complete(HELLO, "m") for _ in range(8)))
                seen.append(mine())
            await client.complete(HELLO, "m")
            assert len(seen[0]) <= 8
            assert seen[0] == seen[1] == seen[2] == mine()

        with_client(endpoint_of(server.base_url), rounds)
        assert mine() == set()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedModel() as proxy:
        monkeypatch.setenv(variable, proxy.base_url.removesuffix("/v1"))
        assert ask("http://nowhere.invalid/v1").text == "hello"
        assert proxy.posted == ["http://nowhere.invalid/v1/chat/completions"]


def test_a_server_that_is_no_matter_of_the_proxy_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ScriptedModel() as server:
        assert ask(server.base_url).text == "hello"
