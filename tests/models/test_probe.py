"""A server is asked once what it serves; what it does not say comes from the table, and the source says so."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from rlm_kernel.models.discovery import pages
from rlm_kernel.models.endpoint import OFFLINE, Endpoint, endpoint_for
from rlm_kernel.models.probe import Served, served
from rlm_kernel.settings import Settings
from support.asking import endpoint_of
from support.openai_server import Raw, ScriptedModel


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    """Forget what servers said: loopback ports come back."""
    pages.clear()


def look(base_url: str, model: str = "m", **options: Any) -> Served:
    return asyncio.run(served(endpoint_of(base_url, model=model), Settings(**options)))


@pytest.mark.parametrize(
    ("props", "slots"),
    [
        ({"default_generation_settings": {"n_ctx": 98_304, "params": {}}, "total_slots": 4}, 4),
        ({"n_ctx": 98_304, "total_slots": 2}, 2),
        ({"default_generation_settings": {}, "n_ctx": 98_304}, None),
    ],
)
def test_engines_80_llama_cpp_says_its_window_and_slots(props: dict[str, Any], slots: int | None) -> None:
    with ScriptedModel(pages={"/props": props, "/v1/models": {"data": [{"id": "m", "max_model_len": 7}]}}) as server:
        assert look(server.base_url) == Served(98_304, slots, "the server's /props")


@pytest.mark.parametrize("key", ["max_model_len", "context_length", "context_window"])
@pytest.mark.parametrize("shape", [lambda rows: {"data": rows}, lambda rows: rows])
def test_engines_80_a_list_of_models_says_the_window(key: str, shape: Any) -> None:
    rows = shape([{"id": "other", key: 1}, {"id": "gpt-4", key: 40_960}])
    with ScriptedModel(pages={"/v1/models": rows}) as server:
        assert look(server.base_url + "/", "gpt-4") == Served(40_960, None, "the server's /models")


def test_engines_80_the_setting_comes_first_and_asks_nobody() -> None:
    with ScriptedModel(pages={"/props": {"n_ctx": 5}}) as server:
        assert look(server.base_url, window=9_000) == Served(9_000, None, "the setting window")
        assert server.visited == []


def test_a_server_is_asked_once() -> None:
    with ScriptedModel(pages={"/props": {"n_ctx": 5_000}}) as server:
        assert look(server.base_url) == look(server.base_url, "another")
        assert server.visited == ["/props", "/v1/models"]


def test_the_key_is_shown_to_the_server() -> None:
    with ScriptedModel(pages={"/props": {"n_ctx": 5_000}}) as server:
        asyncio.run(served(endpoint_of(server.base_url, "sk-1"), Settings()))
        assert asyncio.run(served(endpoint_of(server.base_url), Settings())).window == 5_000


@pytest.mark.parametrize(
    "page",
    [
        Raw(500, "oh"),
        Raw(200, "<h1>Welcome</h1>", "text/html"),
        [],
        {"data": None},
        {"data": [{"id": "gpt-4"}, 7]},
        {"n_ctx": "many", "default_generation_settings": 3},
        {"n_ctx": True, "data": [{"id": "gpt-4", "max_model_len": -1}]},
    ],
)
def test_engines_80_a_server_that_does_not_say_leaves_the_table_and_a_word(page: Any) -> None:
    with ScriptedModel(pages={"/props": page, "/v1/models": page}) as server:
        root = server.base_url
        assert look(root, "gpt-4") == Served(8_192, None, f"known of gpt-4; {root} does not say")
        assert look(root, "mine") == Served(128_000, None, f"assumed of mine, which is not known; {root} does not say")


def test_engines_80_a_server_that_cannot_be_reached_is_asked_again_later() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        found = look(base_url, "gpt-4")
    assert found == Served(8_192, None, f"known of gpt-4; {base_url} could not be asked (ConnectError)")
    assert pages == {}


def test_the_offline_solver_and_openai_are_not_asked() -> None:
    for endpoint in (Endpoint("", OFFLINE, OFFLINE, None), endpoint_for(Settings(), {"OPENAI_API_KEY": "k"})):
        assert asyncio.run(served(endpoint, Settings())).source.startswith(("known of gpt-5", "assumed of offline"))
