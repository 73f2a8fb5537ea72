"""`model=auto`: the first model that a server lists, asked once; and servers that have no chat, or strict roles."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise
from typing import Any

import pytest

from rlm_kernel import RLM
from rlm_kernel.errors import ModelNotFound, ModelRejected, OptionError
from rlm_kernel.models.client import Completion, ModelClient
from rlm_kernel.models.discovery import listed, pages, unlisted
from rlm_kernel.models.endpoint import endpoint_for
from rlm_kernel.models.probe import served
from rlm_kernel.settings import Settings
from rlm_kernel.trajectory.records import Message
from support.asking import ask, endpoint_of, with_client
from support.openai_server import Answer, Raw, Reply, ScriptedModel
from support.solving import cell

TURNS = [cell("print(llm_query('ping'))"), cell('answer["content"] = "done"; answer["ready"] = True')]
NO_CHAT = {"/v1/chat/completions": Raw(404, "<h1>Not Found</h1>", "text/html")}
TALK = [
    Message(role="system", content="Be brief."),
    Message(role="user", content="One."),
    Message(role="user", content="Two."),
]


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    """Forget what servers said: loopback ports come back."""
    pages.clear()


@pytest.mark.parametrize(
    "page",
    [
        {"object": "list", "data": [{"id": "first"}, {"id": "second"}]},
        {"models": [{"name": "first", "model": "x"}, {"model": "second"}]},
        [{"id": "first"}, {"id": "second"}],
        ["first", "second"],
    ],
)
def test_peers_40_auto_is_the_first_of_each_shape_of_list(page: Any) -> None:
    with ScriptedModel(root=TURNS, pages={"/v1/models": page}) as server:
        for _ in range(2):
            endpoint = endpoint_for(Settings(model="auto", base_url=server.base_url), {})
            assert (endpoint.model, endpoint.sub_model) == ("first", "first")
        asyncio.run(served(endpoint, Settings()))
        assert server.visited.count("/v1/models") == 1
    assert list(listed(page)) == ["first", "second"]


def test_peers_40_a_run_with_nothing_but_a_url_asks_the_model_that_is_there() -> None:
    with ScriptedModel(root=TURNS, pages={"/v1/models": {"data": [{"id": "there"}]}}) as server:
        run = RLM(namespace={}, base_url=server.base_url).solve("What?", "some text")
    assert (run.status, run.model) == ("answered", "there")
    assert {request["model"] for request in server.requests} == {"there"}


@pytest.mark.parametrize("page", [{"data": []}, {}, [], {"data": [{"x": 1}, 3, None]}, "nonsense"])
def test_auto_without_a_list_names_the_way_out_and_asks_again(page: Any) -> None:
    with ScriptedModel(pages={"/v1/models": page}) as server:
        for _ in range(2):
            with pytest.raises(OptionError, match="lists no model") as caught:
                endpoint_for(Settings(base_url=server.base_url), {})
        assert "model=NAME" in caught.value.hint
        assert server.visited == ["/v1/models"] * 2


def test_auto_at_a_server_that_is_not_there_names_the_way_out() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(OptionError, match="could not be asked for its models") as caught:
            endpoint_for(Settings(model="auto", base_url=base_url), {})
    assert {"model=NAME", "RLM_MODEL"} <= set(caught.value.hint.replace(",", "").split())


def test_auto_shows_the_key_and_says_the_status() -> None:
    refused = ScriptedModel(pages={"/v1/models": Raw.error(401, "no")})
    with refused as server, pytest.raises(OptionError, match="HTTP status 401") as caught:
        endpoint_for(Settings(base_url=server.base_url), {"OPENAI_API_KEY": "sk-secret-0123456789"})
    assert "secret" not in str(caught.value)


def test_peers_40_a_model_that_is_not_listed_is_a_note() -> None:
    with ScriptedModel(pages={"/v1/models": {"data": [{"id": f"m{n}"} for n in range(9)]}}) as server:
        endpoint = endpoint_of(server.base_url, model="m9")
        assert unlisted(endpoint, "m9") == "", "it was not asked yet"
        asyncio.run(served(endpoint, Settings()))
        assert "does not list the model 'm9', but m0, m1, m2, m3, m4, …" in unlisted(endpoint, "m9")
        assert unlisted(endpoint, "m3") == ""


def test_peers_40_a_server_without_chat_gets_the_conversation_as_one_text() -> None:
    with ScriptedModel(root=TURNS, sub=lambda prompt: f" {prompt.upper()}", routes=NO_CHAT) as server:
        run = RLM(namespace={}, model="base", base_url=server.base_url, window=50_000).solve("What?", "some text")
    assert (run.status, run.answer) == ("answered", "done")
    assert server.posted.count("/v1/chat/completions") == 1, "that there is no chat is learned once"
    assert any("no chat completions" in guard.detail for turn in run.iterations for guard in turn.guards)
    root = next(request for request in server.requests if "prompt" in request)
    assert root["prompt"].startswith("System: ")
    assert root["prompt"].endswith("\n\nAssistant:")
    assert "\nUser:" in root["stop"]
    assert root["max_tokens"] > 0
    assert "messages" not in root
    assert run.candidates[0].subcalls[0].text == "PING"


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("plain", [False, True])
def test_peers_40_calls_in_flight_together_all_learn_that_there_is_no_chat(status: int, plain: bool) -> None:
    async def together(client: ModelClient) -> list[Completion]:
        hello = [Message(role="user", content="hello")]
        return await asyncio.gather(*(client.complete(hello, "m") for _ in range(8)))

    routes = {"/v1/chat/completions": Raw(status, '{"detail": "Not Found"}')}
    with ScriptedModel(sub=lambda prompt: Reply(f" {prompt}!", plain=plain), routes=routes) as server:
        assert {done.text for done in with_client(endpoint_of(server.base_url), together)} == {"User: hello!"[6:]}


def test_a_model_that_is_unknown_is_not_taken_for_a_missing_chat() -> None:
    unknown = Raw.error(404, "The model `m` does not exist.")
    with ScriptedModel(routes={"/v1/chat/completions": unknown}) as server:
        with pytest.raises(ModelNotFound, match="does not exist"):
            ask(server.base_url)
        assert server.posted == ["/v1/chat/completions"]


def test_a_url_that_is_no_api_is_told_by_its_first_refusal() -> None:
    both = {**NO_CHAT, "/v1/completions": Raw(404, "other", "text/html")}
    with ScriptedModel(routes=both) as server:
        with pytest.raises(ModelNotFound) as caught:
            ask(server.base_url)
        assert server.posted == ["/v1/chat/completions", "/v1/completions"]
    assert "other" not in str(caught.value)


def test_a_server_without_chat_is_shown_no_image() -> None:
    with ScriptedModel(routes=NO_CHAT) as server, pytest.raises(ModelRejected, match="no images"):
        ask(server.base_url, images=["data:image/png;base64,aGVsbG8="])


def alternating(body: dict[str, Any]) -> Answer:
    """Refuse what the templates of some open models refuse."""
    roles = [message["role"] for message in body["messages"]]
    if any(a == b for a, b in pairwise(roles)):
        return Raw.error(500, "Conversation roles must alternate user/assistant/user/assistant/...")
    return "fine"


def no_system(body: dict[str, Any]) -> Answer:
    """Refuse system messages as well."""
    system = any(message["role"] == "system" for message in body["messages"])
    return Raw.error(400, "System role not supported") if system else alternating(body)


@pytest.mark.parametrize(
    ("respond", "sent"),
    [
        (alternating, [("system", "Be brief."), ("user", "One.\n\nTwo.")]),
        (no_system, [("user", "Be brief.\n\nOne.\n\nTwo.")]),
    ],
)
def test_engines_59_same_role_messages_are_merged_where_a_refusal_asks_for_it(
    respond: Any, sent: list[tuple[str, str]]
) -> None:
    async def twice(client: ModelClient) -> list[Completion]:
        return [await client.complete(TALK, "m") for _ in range(2)]

    with ScriptedModel(respond=respond) as server:
        first, second = with_client(endpoint_of(server.base_url), twice)
    assert [(m["role"], m["content"]) for m in server.requests[-1]["messages"]] == sent
    assert [(m["role"], m["content"]) for m in server.requests[-2]["messages"]] == sent
    assert (first.text, bool(first.notes), second.notes) == ("fine", True, ())
    assert len(server.requests[0]["messages"]) == 3, "nothing is changed before it is refused"
