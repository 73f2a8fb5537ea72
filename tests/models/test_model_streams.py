"""How replies come in: streamed, whole, slowly, broken off, stopped, with the reasoning before them."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import Any

import pytest

from rlm_kernel.errors import ModelError, ModelReplyError, ModelUnreachable
from rlm_kernel.models.client import ModelClient
from rlm_kernel.trajectory.records import Message
from support.asking import ask, endpoint_of, with_client
from support.openai_server import CUT, Raw, Reply, ScriptedModel

HELLO = [Message(role="user", content="hello")]
LOOP = "I should look at the table of orders once more before I say anything. "
PROSE = " ".join(f"Sentence number {n} tells of {n * n} different things, among them word{n}." for n in range(200))


def reply(**how: Any) -> ScriptedModel:
    return ScriptedModel(respond=lambda body: Reply(**how))


def test_chunks_are_put_together() -> None:
    with reply(chunks=["Hel", "", "lo ", {"role": "assistant"}, {"content": None}, "wörld"]) as server:
        done = ask(server.base_url)
    assert (done.text, done.reasoning, done.finish_reason, done.cut) == ("Hello wörld", "", "stop", False)


def test_a_character_that_comes_in_halves_is_put_together() -> None:
    with reply(chunks=["a\ud83d", "\ude00b\ud83d"], reasoning="") as server:
        assert ask(server.base_url).text == "a\U0001f600b\ufffd"


@pytest.mark.parametrize("plain", [True, False])
def test_reasoning_is_kept_apart(plain: bool) -> None:
    with reply(text="42", reasoning="six times seven", plain=plain) as server:
        done = ask(server.base_url)
    assert (done.text, done.reasoning, done.stopped) == ("42", "six times seven", "")


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("<think>six times\nseven</think>\n\n42", "42", "six times\nseven"),
        ("\n<thinking>hm</thinking>42", "42", "hm"),
        ("six times seven\n</think>\n\n42", "42", "six times seven"),
        ("42 <think>not at the start</think>", "42 <think>not at the start</think>", ""),
        ("```repl\nprint('''\n</think>\n''')\n```", "```repl\nprint('''\n</think>\n''')\n```", ""),
    ],
)
def test_a_think_block_at_the_start_is_reasoning(content: str, text: str, reasoning: str) -> None:
    with reply(chunks=list(content)) as server:
        done = ask(server.base_url)
    assert (done.text, done.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    "how",
    [
        {"reasoning": PROSE, "finish_reason": "length"},
        {"text": f"<think>{PROSE}", "finish_reason": "length"},
        {"reasoning": PROSE, "plain": True},
    ],
)
def test_engines_31_reasoning_alone_is_shown_in_part_and_marked(how: dict[str, Any]) -> None:
    with reply(**how) as server:
        done = ask(server.base_url)
    head, _, end = done.text.partition("\n")
    assert head == "[only reasoning came, no reply followed; this is its end]"
    assert end == PROSE[-1500:]
    assert (done.stopped, done.reasoning) == ("reasoning_only", PROSE)
    assert done.cut is (how.get("finish_reason") == "length")


def test_a_reply_at_its_longest_is_marked_as_cut() -> None:
    with reply(text="half a sen", finish_reason="length") as server:
        assert ask(server.base_url).cut


def test_a_stream_that_ends_without_a_word_why_is_marked_as_cut() -> None:
    with reply(text="half a sen", finish_reason=None) as server:
        assert ask(server.base_url).cut
    with reply(text="an old server", finish_reason=None, plain=True) as server:
        assert not ask(server.base_url).cut


def test_a_connection_that_breaks_within_the_reply_is_an_error() -> None:
    lost = pytest.raises(ModelUnreachable, match="broke off: the connection was lost")
    with reply(chunks=["half a ", CUT]) as server, lost:
        ask(server.base_url)


def test_a_reply_that_falls_silent_is_given_up() -> None:
    with reply(chunks=["half a ", threading.Event()]) as server:
        with pytest.raises(ModelUnreachable, match=r"broke off: it was silent for 0\.1 s"):
            with_client(endpoint_of(server.base_url), lambda c: c.complete(HELLO, "m"), chunk_timeout=0.1)
        assert server.disconnected.wait(30)


def test_a_model_may_think_before_its_first_word() -> None:
    thought = threading.Event()

    async def patient(client: ModelClient) -> str:
        call = asyncio.create_task(client.complete(HELLO, "m"))
        assert not (await asyncio.wait([call], timeout=0.3))[0]
        thought.set()
        return (await call).text

    with reply(chunks=[{"role": "assistant", "content": ""}, thought, "done"]) as server:
        assert with_client(endpoint_of(server.base_url), patient, chunk_timeout=0.1) == "done"


def test_engines_10_a_silent_stream_ends_with_the_time_limit() -> None:
    with reply(chunks=[threading.Event()]) as server:
        with pytest.raises(ModelUnreachable, match=r"within 0\.2 s"):
            ask(server.base_url, timeout=0.2)
        assert server.disconnected.wait(30)


def test_engines_16_cancelling_a_call_hangs_up() -> None:
    begun = threading.Event()

    def chunks() -> Any:
        yield "a"
        begun.set()
        yield threading.Event()

    async def cancel(client: ModelClient, server: ScriptedModel) -> None:
        call = asyncio.create_task(client.complete(HELLO, "m"))
        assert await asyncio.to_thread(begun.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await asyncio.to_thread(server.disconnected.wait, 30)

    with reply(chunks=chunks()) as server:
        with_client(endpoint_of(server.base_url), lambda client: cancel(client, server))


@pytest.mark.parametrize("how", ["reasoning_content", "reasoning"])
def test_engines_32_a_looping_reasoning_is_stopped(how: str) -> None:
    with reply(chunks=({how: LOOP} for _ in itertools.count())) as server:
        done = ask(server.base_url)
        assert server.disconnected.wait(30)
    assert (done.stopped, done.cut, done.finish_reason) == ("repeat_guard", False, "")
    assert done.text.startswith("[only reasoning came, it repeated itself and was stopped")
    assert len(done.text) < 1600
    assert len(done.reasoning) < 3000
    assert done.usage.estimated
    assert done.usage.completion_tokens == -(-len(done.reasoning) // 4)


def test_engines_33_a_looping_reply_is_stopped_in_every_call_of_a_batch() -> None:
    async def batch(client: ModelClient) -> list[tuple[str, str]]:
        calls = [client.complete(HELLO, "m") for _ in range(4)]
        return [(done.stopped, done.text) for done in await asyncio.gather(*calls)]

    with ScriptedModel(respond=lambda body: Reply(chunks=itertools.chain([PROSE], itertools.repeat(LOOP)))) as server:
        done = with_client(endpoint_of(server.base_url), batch)
        assert server.disconnected.wait(30)
    for stopped, text in done:
        assert stopped == "repeat_guard"
        assert text.startswith(PROSE)
        assert text.count(LOOP) <= 3
        assert text.endswith("[the reply repeated itself from here on and was stopped]")


def test_a_loop_goes_on_where_the_guard_is_off() -> None:
    with reply(chunks=[LOOP] * 200) as server:
        done = ask(server.base_url, repeat_guard=0)
    assert (done.stopped, done.text) == ("", LOOP * 200)


def test_an_error_within_the_stream_is_an_error() -> None:
    body = 'data: {"error": {"message": "the model has crashed", "code": 502}}\n\n'
    said = Raw(200, body, "text/event-stream")
    with ScriptedModel([said], lambda _: said) as server, pytest.raises(ModelError, match="the model has crashed"):
        ask(server.base_url)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("data: {nonsense\n\n", "text/event-stream"),
        ("data: [1, 2]\n\ndata: [DONE]\n\n", "text/event-stream"),
        ('data: {"choices": 7}\n\ndata: {"choices": [null]}\n\ndata: {"choices": []}\n\n', "text/event-stream"),
        ("", "text/event-stream"),
        ('["nothing"]', "application/json"),
        ("[" * 100_000, "application/json"),
    ],
)
def test_nonsense_is_no_completion(body: str, kind: str) -> None:
    with ScriptedModel(respond=lambda _: Raw(200, body, kind)) as server, pytest.raises(ModelReplyError):
        ask(server.base_url)


def test_an_odd_completion_is_read_as_far_as_it_goes() -> None:
    odd = (
        'data: {"choices": [{"delta": {"content": [{"type": "text", "text": "a"}, 7]}}], "usage": null}\n\n'
        'data: {"choices": [{"delta": null}], "usage": {"prompt_tokens": null, "cost": "free"}}\n\n'
        ': a comment\n\ndata: {"choices": [{"delta": {"refusal": "b", "reasoning": {}}, "finish_reason": "stop"}]}\n\n'
    )
    with ScriptedModel(respond=lambda _: Raw(200, odd, "text/event-stream")) as server:
        done = ask(server.base_url)
    assert (done.text, done.finish_reason) == ("ab", "stop")
    assert (done.usage.prompt_tokens, done.usage.cost) == (0, None)
