"""Everything a server can do wrong: the right outcome for each, as many requests as should be, and nothing hangs."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from rlm_kernel.errors import (
    ModelAuthError,
    ModelBusy,
    ModelError,
    ModelNotFound,
    ModelOverflow,
    ModelRejected,
    ModelReplyError,
    ModelUnreachable,
)
from rlm_kernel.models.client import Completion
from rlm_kernel.models.models import Models
from rlm_kernel.settings import resolve
from rlm_kernel.trajectory.records import Message, Usage
from rlm_kernel.trajectory.redact import Redactor
from support.asking import endpoint_of
from support.openai_server import CUT, Answer, Raw, Reply, ScriptedModel

T = TypeVar("T")

TIMES = {"prompt_tokens": 3, "completion_tokens": 2}


def with_models(base_url: str, use: Callable[[Models], Awaitable[T]], **settings: object) -> T:
    async def run() -> T:
        models = Models(resolve(settings, {}), endpoint_of(base_url), redactor=Redactor({}), environ={})
        try:
            return await use(models)
        finally:
            await models.close()

    return asyncio.run(run())


def ask(base_url: str, prompt: str = "hello", timeout: float | None = None, **settings: object) -> Completion:
    messages = [Message(role="user", content=prompt)]
    return with_models(base_url, lambda models: models.complete(messages, "m", timeout=timeout), **settings)


def ask_all(base_url: str, count: int, **settings: object) -> list[Any]:
    """Ask `count` prompts at once, the numbers from 0 on; return replies and errors in order."""

    async def use(models: Models) -> list[Any]:
        prompts = [[Message(role="user", content=str(n))] for n in range(count)]
        return await asyncio.gather(*(models.complete(p, "m") for p in prompts), return_exceptions=True)

    return with_models(base_url, use, **settings)


def first(*failures: Answer) -> Callable[[dict[str, Any]], Answer]:
    """Return a server's script: these first, then `fine`."""
    left = list(failures)
    return lambda body: left.pop(0) if left else Reply("fine", usage=TIMES)


SOON = {"Retry-After": "0.05"}
HALF = 'data: {"id": "chatcmpl-1", "choices": [{"delta": {"cont'
WORD = 'data: {"choices": [{"index": 0, "delta": {"content": "wo"}}]}\n\n'
EVENTS = "text/event-stream"
PAGE = Raw(200, "<html>Welcome</html>", "text/html")


@pytest.mark.parametrize(
    "failure",
    [
        *(Raw(status, "{}", headers=SOON) for status in (408, 409, 429, 500, 502, 503, 504, 529)),
        Raw(429, "slow down", "text/plain", headers={"Retry-After-Ms": "50"}),
        Raw(200, 'data: {"error": {"code": 503, "message": "overloaded"}}\n\n', EVENTS),
        Reply(chunks=[CUT]),
        Reply(chunks=[{"role": "assistant"}, CUT]),
    ],
)
def test_peers_42_what_may_pass_is_tried_again(failure: Answer) -> None:
    """Also engines 59."""
    with ScriptedModel(respond=first(failure)) as server:
        done = ask(server.base_url)
        assert (done.text, done.usage, len(server.requests)) == ("fine", Usage(1, 3, 2), 2)


@pytest.mark.parametrize(
    ("failure", "error", "words"),
    [
        (Raw.error(400, "bad field"), ModelRejected, "bad field"),
        (Raw.error(401, "no"), ModelAuthError, "wants an API key"),
        (Raw.error(403, "no"), ModelAuthError, "wants an API key"),
        (Raw.error(404, "model m does not exist"), ModelNotFound, "does not know the model"),
        (Raw.error(422, "bad field"), ModelRejected, "bad field"),
        (Raw.error(429, "pay", code="insufficient_quota"), ModelError, "gives no more replies"),
        (Raw.error(400, "prompt is too long: 9 tokens > 8 maximum"), ModelOverflow, "does not fit"),
        (PAGE, ModelReplyError, "not with a chat completion"),
        (Raw(200, '{"choices": [{"mess'), ModelReplyError, "not with a chat completion"),
        (Raw(200, HALF + "\n\n", EVENTS), ModelReplyError, "not with a chat completion"),
        (Raw(200, WORD + HALF + "\n\n", EVENTS), ModelUnreachable, "broke off: half a message came"),
        (Reply(chunks=["half a", CUT]), ModelUnreachable, "broke off: the connection was lost"),
    ],
)
def test_peers_42_what_will_not_pass_is_an_error_at_once(failure: Answer, error: type[ModelError], words: str) -> None:
    with ScriptedModel(respond=lambda body: failure) as server:
        with pytest.raises(error, match=words) as caught:
            ask(server.base_url)
        assert type(caught.value) is error
        assert len(server.requests) == 1


def test_a_server_that_stays_overloaded_is_given_up() -> None:
    with ScriptedModel(respond=lambda body: Raw(503, "{}", headers=SOON)) as server:
        with pytest.raises(ModelBusy, match="503"):
            ask(server.base_url, retries=2)
        assert len(server.requests) == 3


def test_a_long_wait_that_the_time_limit_does_not_allow_is_not_begun() -> None:
    with ScriptedModel(respond=lambda body: Raw(429, "{}", headers={"Retry-After": "50"})) as server:
        with pytest.raises(ModelBusy, match="429"):
            ask(server.base_url, timeout=40)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        Raw.error(500, "failed to find a memory slot for batch of size 512"),
        Raw.error(400, "slot unavailable"),
        Raw.error(500, "Context size has been exceeded."),
    ],
)
def test_engines_63_a_crowded_server_is_asked_once_more_alone(refusal: Raw) -> None:
    there = 0
    beside: list[int] = []
    lock, both = threading.Lock(), threading.Barrier(2)

    def respond(body: dict[str, Any]) -> Answer:
        nonlocal there
        with lock:
            there += 1
            beside.append(there)
        try:
            if len(beside) <= 2:
                both.wait(30)
                return "fine" if body["messages"][0]["content"] == "0" else refusal
            return "alone"
        finally:
            with lock:
                there -= 1

    with ScriptedModel(respond=respond) as server:
        replies = ask_all(server.base_url, 2)
    assert [r.text for r in replies] == ["fine", "alone"]
    assert beside[2:] == [1]


def test_a_prompt_that_does_not_fit_even_alone_is_an_overflow() -> None:
    with ScriptedModel(respond=lambda body: Raw.error(500, "Context size has been exceeded.")) as server:
        with pytest.raises(ModelOverflow):
            ask(server.base_url)
        assert len(server.requests) == 2


def test_engines_59_a_reply_without_counts_is_estimated_and_one_without_text_is_empty() -> None:
    replies = {"0": Reply("abcd", usage=None), "1": Reply("", usage=TIMES)}
    with ScriptedModel(respond=lambda body: replies[body["messages"][0]["content"]]) as server:
        uncounted, empty = ask_all(server.base_url, 2)
        assert len(server.requests) == 2
    assert (uncounted.text, uncounted.usage) == ("abcd", Usage(1, 1, 1, estimated=True))
    assert (empty.text, empty.usage, empty.cut) == ("", Usage(1, 3, 2), False)


@pytest.mark.parametrize("plain", [True, False])
def test_a_huge_reply_comes_in_whole(plain: bool) -> None:
    text = "".join(f"{n:07d}," for n in range(50_000_000 // 8))
    with ScriptedModel(respond=lambda body: Reply(text, plain=plain)) as server:
        assert ask(server.base_url).text == text


def test_engines_10_silence_ends_with_the_time_limit_and_is_not_tried_again() -> None:
    with ScriptedModel() as server:
        server.hold()
        with pytest.raises(ModelUnreachable, match=r"no whole reply within 0\.3 s"):
            ask(server.base_url, timeout=0.3)
        assert len(server.requests) == 1
    with ScriptedModel(respond=lambda body: Reply(chunks=["a", threading.Event()])) as server:
        with pytest.raises(ModelUnreachable, match=r"no whole reply within 0\.3 s"):
            ask(server.base_url, timeout=0.3)
        assert server.disconnected.wait(30)
        assert len(server.requests) == 1


def test_a_plain_port_is_not_a_secure_one() -> None:
    with ScriptedModel() as server, pytest.raises(ModelUnreachable, match="no secure connection") as caught:
        ask(server.base_url.replace("http:", "https:"))
    assert "https" in caught.value.hint


@contextmanager
def rude_server() -> Iterator[tuple[str, list[int]]]:
    """Accept connections and close them without a word; the value is the base URL and the ports that came."""
    came: list[int] = []
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, (_, port) = listening.accept()
                except OSError:
                    return
                came.append(port)
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1", came
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_256_calls_to_a_dead_server_are_one_message_and_three_connections() -> None:
    with rude_server() as (url, came):
        errors = ask_all(url, 256, max_concurrency=64)
        assert {(type(e), str(e)) for e in errors} == {(ModelUnreachable, str(errors[0]))}
        assert len(came) == 3
    assert str(errors[0]).startswith(f"No server answers at {url}.")


def test_256_calls_to_a_closed_port_end_soon(nothing_left_behind: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    errors = ask_all(url, 256, max_concurrency=64)
    assert {str(e) for e in errors} == {str(errors[0])}


def test_engines_63_16_candidates_with_64_calls_each_stay_within_32_in_flight() -> None:
    """Also engines 78 and peers 8: order is kept, and the sum of all usage is the server's own."""
    lock, there, most, told = threading.Lock(), 0, 0, [0, 0]

    def respond(body: dict[str, Any]) -> Answer:
        nonlocal there, most
        prompt = body["messages"][0]["content"]
        with lock:
            there += 1
            most = max(most, there)
        time.sleep(0.005)  # the server's latency
        counts = len(prompt), sum(map(int, prompt.split("/")))
        with lock:
            there -= 1
            told[0] += counts[0]
            told[1] += counts[1]
        return Reply(f"to {prompt}", usage={"prompt_tokens": counts[0], "completion_tokens": counts[1]})

    async def candidate(models: Models, number: int) -> list[Completion]:
        prompts = [f"{number}/{n}" for n in range(64)]
        return await asyncio.gather(*(models.complete([Message(role="user", content=p)], "m") for p in prompts))

    async def all_candidates(models: Models) -> list[list[Completion]]:
        calls = asyncio.gather(*(candidate(models, number) for number in range(16)))
        for _ in range(32):
            assert await asyncio.to_thread(server.arrived.acquire, timeout=30)
        assert not await asyncio.to_thread(server.arrived.acquire, timeout=0.3)
        server.held.set()
        return await calls

    with ScriptedModel(respond=respond) as server:
        server.hold()
        done = with_models(server.base_url, all_candidates, max_concurrency=32)
        assert len(server.requests) == 1024
    assert [[d.text for d in row] for row in done] == [[f"to {c}/{n}" for n in range(64)] for c in range(16)]
    total = sum((d.usage for row in done for d in row), Usage())
    assert (total.calls, total.prompt_tokens, total.completion_tokens) == (1024, *told)
    assert most <= 32
