"""What the client asks for, and how it gets along with servers that want to be asked otherwise."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from rlm_kernel.errors import ModelAuthError, ModelError, ModelOverflow, ModelRejected, ModelUnreachable
from rlm_kernel.models.client import Completion, ModelClient
from rlm_kernel.models.dialect import Dialect, Request
from rlm_kernel.models.endpoint import Endpoint
from rlm_kernel.trajectory.records import Message, Usage
from support.asking import ask, endpoint_of, with_client
from support.openai_server import Answer, Raw, Reply, ScriptedModel

HELLO = [Message(role="user", content="hello")]
RED = "data:image/png;base64,aGVsbG8="


def refusing(field: str, message: str, status: int = 400) -> Callable[[dict[str, Any]], Answer]:
    """Return a server's script: requests with `field` are refused, others are answered."""
    return lambda body: Raw.error(status, message) if field in body else "fine"


def test_a_request_says_only_what_was_asked_for() -> None:
    with ScriptedModel() as server:
        ask(server.base_url)
    [request] = server.requests
    assert "authorization" not in {name.lower() for name in request.pop("headers")}
    assert request == {
        "model": "m",
        "messages": HELLO,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_request_carries_limits_sampling_and_extra_fields() -> None:
    with ScriptedModel() as server:
        done = ask(server.base_url, max_tokens=100, temperature=0.5, extra={"seed": 7, "top_k": 3})
    [request] = server.requests
    assert [request[name] for name in ("max_tokens", "temperature", "seed", "top_k")] == [100, 0.5, 7, 3]
    assert (done.text, done.cut, done.stopped, done.notes) == ("hello", False, "", ())


@pytest.mark.parametrize(
    ("model", "own", "ceiling"),
    [
        ("gpt-5-mini", True, "max_completion_tokens"),
        ("o3", True, "max_completion_tokens"),
        ("o4-mini-2025", True, "max_completion_tokens"),
        ("gpt-4.1", True, "max_tokens"),
        ("gpt-5-mini", False, "max_tokens"),
        ("qwen3-32b", False, "max_tokens"),
    ],
)
def test_engines_26_decode_ceiling_has_the_name_the_server_knows(model: str, own: bool, ceiling: str) -> None:
    body = Dialect(model, own=own).body(Request(HELLO, max_tokens=9))
    assert {name for name in body if name.startswith("max_")} == {ceiling}
    assert body[ceiling] == 9


def test_engines_26_decode_ceiling_changes_its_name_when_refused_and_stays_changed() -> None:
    refusal = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )

    async def twice(client: ModelClient) -> list[Completion]:
        return [await client.complete(HELLO, "m", max_tokens=5) for _ in range(2)]

    with ScriptedModel(respond=refusing("max_tokens", refusal)) as server:
        first, second = with_client(endpoint_of(server.base_url), twice)
    assert [r.get("max_tokens") for r in server.requests] == [5, None, None]
    assert [r.get("max_completion_tokens") for r in server.requests] == [None, 5, 5]
    assert "max_completion_tokens" in first.notes[0]
    assert second.notes == ()


def test_a_refusal_is_learned_by_calls_in_flight_together() -> None:
    async def together(client: ModelClient) -> list[Completion]:
        return await asyncio.gather(*(client.complete(HELLO, "m", max_tokens=5) for _ in range(8)))

    with ScriptedModel(respond=refusing("max_tokens", "max_tokens: unknown field")) as server:
        assert {done.text for done in with_client(endpoint_of(server.base_url), together)} == {"fine"}


@pytest.mark.parametrize(
    "refusal",
    [
        "max_tokens is too large: 16384. This model supports at most 4096 completion tokens.",
        "max_tokens: 16384 > 4096, which is the maximum allowed number of output tokens for m",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 4096]",
    ],
)
def test_the_longest_reply_a_server_gives_is_learned(refusal: str) -> None:
    async def twice(client: ModelClient) -> list[str]:
        return [(await client.complete(HELLO, "m", max_tokens=16_384)).text for _ in range(2)]

    with ScriptedModel(
        respond=lambda body: "fine" if body["max_tokens"] <= 4096 else Raw.error(400, refusal)
    ) as server:
        assert with_client(endpoint_of(server.base_url), twice) == ["fine", "fine"]
    assert [r["max_tokens"] for r in server.requests] == [16_384, 4096, 4096]


@pytest.mark.parametrize(
    ("field", "message", "asked"),
    [
        ("stream", "Streaming is not supported for this model.", {}),
        ("stream_options", "stream_options: extra inputs are not permitted", {}),
        ("temperature", "Unsupported value: 'temperature' does not support 0.2 with this model.", {"temperature": 0.2}),
        ("response_format", "response_format is not supported by this server", {"schema": {"type": "object"}}),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_what_a_server_refuses_is_left_out_from_then_on(
    field: str, message: str, asked: dict[str, Any], status: int
) -> None:
    async def twice(client: ModelClient) -> list[Completion]:
        return [await client.complete(HELLO, "m", **asked) for _ in range(2)]

    with ScriptedModel(respond=refusing(field, message, status)) as server:
        first, second = with_client(endpoint_of(server.base_url), twice)
    assert [field in r for r in server.requests] == [True, False, False]
    assert (first.text, second.text, second.notes) == ("fine", "fine", ())
    assert field in first.notes[0]


def test_a_bad_schema_is_left_out_once() -> None:
    def respond(body: dict[str, Any]) -> Answer:
        bad = body.get("response_format", {}).get("json_schema", {}).get("schema") == {"type": "list"}
        return Raw.error(400, "Invalid schema for response_format 'reply'") if bad else "{}"

    async def both(client: ModelClient) -> None:
        await client.complete(HELLO, "m", schema={"type": "list"})
        await client.complete(HELLO, "m", schema={"type": "object"})

    with ScriptedModel(respond=respond) as server:
        with_client(endpoint_of(server.base_url), both)
    assert ["response_format" in r for r in server.requests] == [True, False, True]
    assert server.requests[-1]["response_format"]["type"] == "json_schema"
    assert server.requests[-1]["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_a_server_that_refuses_everything_is_given_up() -> None:
    said = "max_tokens max_completion_tokens stream_options stream temperature are all wrong"
    with ScriptedModel(respond=lambda body: Raw.error(400, said)) as server:
        with pytest.raises(ModelRejected, match="are all wrong"):
            ask(server.base_url, max_tokens=5, temperature=1.0, extra={"max_tokens": 3})
        assert len(server.requests) < 8


def test_engines_83_images_go_with_the_last_message_of_the_user() -> None:
    messages = [*HELLO, Message(role="assistant", content="hi"), Message(role="user", content="what is this?")]

    async def look(client: ModelClient) -> Completion:
        return await client.complete(messages, "m", images=[RED, RED])

    with ScriptedModel(respond=lambda body: "red") as server:
        assert with_client(endpoint_of(server.base_url), look).text == "red"
    image = {"type": "image_url", "image_url": {"url": RED}}
    assert server.requests[0]["messages"] == [
        *messages[:2],
        {"role": "user", "content": [{"type": "text", "text": "what is this?"}, image, image]},
    ]


OVERFLOWS = [
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (5000 in the messages, "
    "4000 in the completion). Please reduce the length of the messages or completion.",
    "'max_tokens' or 'max_completion_tokens' is too large: 4000. This model's maximum context length is 8192 tokens "
    "and your request has 5000 input tokens (4000 > 8192 - 5000).",
    "You passed 5000 input tokens and requested 4000 output tokens. However, the model's context length is only 8192 "
    "tokens, resulting in a maximum input length of 4192 tokens.",
    "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 9000 "
    "tokens: 5000 tokens from the input messages and 4000 tokens for the completion.",
    "input length and `max_tokens` exceed context limit: 5000 + 4000 > 8192, decrease input length or `max_tokens`",
    "`inputs` tokens + `max_new_tokens` must be <= 8192. Given: 5000 `inputs` tokens and 4000 `max_new_tokens`",
    "This endpoint's maximum context length is 8,192 tokens. However, you requested about 9000 tokens.",
]


@pytest.mark.parametrize("refusal", OVERFLOWS)
def test_engines_40_overflow_shrinks_the_reply_to_fit(refusal: str) -> None:
    fits = 8192 - 5000 - 256

    def respond(body: dict[str, Any]) -> Answer:
        return "fine" if body["max_tokens"] <= fits else Raw.error(400, refusal)

    with ScriptedModel(respond=respond) as server:
        done = ask(server.base_url, max_tokens=4000)
    assert [r["max_tokens"] for r in server.requests] == [4000, fits]
    assert (done.text, "8,192" in done.notes[0]) == ("fine", True)


TOO_LONG = [
    (
        Raw.error(
            400, "the request exceeds the available context size, try increasing it", n_prompt_tokens=9000, n_ctx=8192
        )
    ),
    (Raw.error(400, "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it")),
    (Raw.error(400, "prompt is too long: 9000 tokens > 8192 maximum")),
    (Raw.error(400, "The input token count (9000) exceeds the maximum number of tokens allowed (8192).")),
    (Raw.error(400, "Input tokens exceed the configured limit of 8192 tokens. Your messages resulted in 9000 tokens.")),
    (
        Raw.error(
            400, "Prompt contains 9000 tokens and 0 draft tokens, too large for model with 8192 maximum context length"
        )
    ),
    (Raw.error(400, "The input (9000 tokens) is longer than the model's context length (8192 tokens).")),
    (
        Raw.error(
            413, "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
        )
    ),
]


@pytest.mark.parametrize("refusal", TOO_LONG)
def test_engines_40_overflow_of_the_prompt_is_an_error_with_the_window(refusal: Raw) -> None:
    with ScriptedModel(respond=lambda body: refusal) as server:
        with pytest.raises(ModelOverflow, match="9,000 tokens does not fit the window of 8,192") as caught:
            ask(server.base_url, max_tokens=4000)
        assert len(server.requests) == 1
    assert caught.value.window == 8192
    assert pickle.loads(pickle.dumps(caught.value)).window == 8192


def test_engines_40_overflow_without_numbers_is_an_error_too() -> None:
    refusal = Raw.error(400, "Please reduce the length of the messages or completion.", code="context_length_exceeded")
    with ScriptedModel(respond=lambda body: refusal) as server, pytest.raises(ModelOverflow) as caught:
        ask(server.base_url, max_tokens=4000)
    assert caught.value.window is None


def test_engines_40_overflow_is_answered_once() -> None:
    with ScriptedModel(respond=lambda body: Raw.error(400, OVERFLOWS[0])) as server:
        with pytest.raises(ModelOverflow):
            ask(server.base_url, max_tokens=4000)
        assert len(server.requests) == 2


def test_engines_78_every_call_has_its_own_usage() -> None:
    def respond(body: dict[str, Any]) -> Answer:
        number = int(body["messages"][0]["content"])
        return Reply("ok", usage={"prompt_tokens": number, "completion_tokens": 1000 + number, "cost": number / 8})

    async def together(client: ModelClient) -> list[Completion]:
        calls = [client.complete([Message(role="user", content=str(n))], "m") for n in range(64)]
        return await asyncio.gather(*calls)

    with ScriptedModel(respond=respond) as server:
        done = with_client(endpoint_of(server.base_url), together)
    assert [d.usage for d in done] == [Usage(1, n, 1000 + n, n / 8) for n in range(64)]
    total = sum((d.usage for d in done), Usage())
    assert (total.calls, total.prompt_tokens, total.cost) == (64, 2016, 252.0)


@pytest.mark.parametrize("plain", [False, True])
def test_a_server_that_does_not_count_gets_an_estimate(plain: bool) -> None:
    with ScriptedModel(sub=lambda prompt: Reply("x" * 40, usage=None, plain=plain)) as server:
        done = ask(server.base_url, "y" * 401)
    assert done.usage == Usage(1, 101, 10, None, estimated=True)
    assert (done.usage + Usage(1, 1, 1)).estimated
    assert not (Usage() + Usage(1, 1, 1)).estimated


def test_64_calls_are_in_flight_at_once() -> None:
    async def together(client: ModelClient, server: ScriptedModel) -> list[Completion]:
        calls = asyncio.gather(*(client.complete(HELLO, "m") for _ in range(64)))
        for _ in range(64):
            assert await asyncio.to_thread(server.arrived.acquire, timeout=30)
        server.held.set()
        return await calls

    with ScriptedModel() as server:
        server.hold()
        done = with_client(endpoint_of(server.base_url), lambda client: together(client, server))
    assert len(done) == 64


SECRET = "sk-very-secret-1234567890"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_the_key_is_in_no_error(status: int) -> None:
    messages = [Message(role="user", content="hello")]

    async def fail(client: ModelClient) -> ModelError:
        with pytest.raises(ModelError) as caught:
            await client.complete(messages, "m")
        assert SECRET not in repr(client)
        return caught.value

    with ScriptedModel(respond=lambda body: Raw.error(status, f"bad key {SECRET}, sorry")) as server:
        secret_url = server.base_url.replace("http://", f"http://user:{SECRET}@") + f"?key={SECRET}"
        endpoint = Endpoint(server.base_url, "m", "m", SECRET)
        error = with_client(endpoint, fail)
        assert f"Bearer {SECRET}" in server.requests[0]["headers"].values()
    assert SECRET not in f"{error}{error!r}{endpoint!r}{error.__cause__!r}"
    assert "bad key [key], sorry" in str(error)
    assert Endpoint(secret_url, "m", "m", None).shown == server.base_url


def test_a_key_that_is_wanted_is_named() -> None:
    with ScriptedModel(respond=lambda body: Raw.error(401, "no")) as server, pytest.raises(ModelAuthError) as caught:
        ask(server.base_url)
    assert "OPENAI_API_KEY" in caught.value.hint


def test_the_offline_solver_costs_nothing() -> None:
    done = ask("", model="offline")
    assert done.usage.cost == 0.0
    assert not done.usage.estimated
    assert done.finish_reason == "stop"
    assert not done.cut


def test_engines_10_a_silent_server_ends_with_the_time_limit() -> None:
    """Also peers 37."""
    with ScriptedModel() as server:
        server.hold()
        with pytest.raises(ModelUnreachable, match=r"no whole reply within 0\.2 s"):
            ask(server.base_url, timeout=0.2)


def test_many_clients_leave_nothing_behind(nothing_left_behind: None) -> None:
    with ScriptedModel() as server:
        for _ in range(5):
            ask(server.base_url)


def test_any_text_can_be_sent() -> None:
    with ScriptedModel(respond=lambda body: "fine") as server:
        assert ask(server.base_url, "a\ud800b\x00ü\U0001f600").text == "fine"
    assert server.requests[0]["messages"][0]["content"] == "a\ufffdb\x00ü\U0001f600"
