"""Frames survive any cut, and nothing that code in a branch writes into its channel is taken for one."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.branches.protocol import MAX_FRAME, Channel, Decoder, encode
from rlm_kernel.errors import ProtocolError

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def received(data: bytes) -> list[dict[str, Any]]:
    left, right = socket.socketpair()
    decoder, frames = Decoder(), []
    with left, right:
        left.sendall(data)
        left.shutdown(socket.SHUT_WR)
        while decoder.read(right):
            while (frame := decoder.next()) is not None:
                frames.append(frame)
    decoder.close()
    return frames


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), max_size=5))
def test_frames_arrive_as_they_were_sent(frames: list[dict[str, object]]) -> None:
    sent = [{k: v for k, v in frame.items() if k != "fds"} for frame in frames]
    assert received(b"".join(map(encode, sent))) == [{**frame, "fds": []} for frame in sent]


@given(st.binary(min_size=8, max_size=300).filter(lambda data: not data.startswith(b"RLM1")))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        received(data)


@pytest.mark.parametrize("body", [b"nonsense", b"[1]", b'{"fds": 3}', b'{"fds": "x"}', b"\xff\xfe"])
def test_a_well_framed_lie_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        received(b"RLM1" + len(body).to_bytes(4, "big") + body)


def test_a_length_beyond_the_limit_is_refused_at_once() -> None:
    with pytest.raises(ProtocolError):
        received(b"RLM1" + (MAX_FRAME + 1).to_bytes(4, "big"))
    with pytest.raises(ProtocolError, match="smaller pieces"):
        encode({"text": "x" * (MAX_FRAME + 1)})


def test_descriptors_ride_along(pair: Pair) -> None:
    reader, writer = os.pipe()
    Channel(pair[0]).send({"op": "kept"}, [writer])
    os.close(writer)
    decoder = Decoder()
    decoder.read(pair[1])
    frame = decoder.next()
    assert frame is not None
    os.write(frame["fds"][0], b"through")
    os.close(frame["fds"][0])
    assert os.read(reader, 100) == b"through"
    os.close(reader)


def test_replies_find_the_thread_that_asked(pair: Pair) -> None:
    channel, answers = Channel(pair[0]), {}

    def ask(number: int) -> None:
        answers[number] = channel.ask("echo", number=number)["value"]

    threads = [threading.Thread(target=ask, args=[n]) for n in range(20)]
    for thread in threads:
        thread.start()
    kernel, asked = Channel(pair[1]), []
    asked = [kernel.command() for _ in threads]
    for frame in reversed(asked):
        kernel.send({"op": "reply", "id": frame["id"], "value": frame["arguments"]["number"]})
    for thread in threads:
        thread.join()
    assert answers == {n: n for n in range(20)}


def test_one_thread_can_wait_for_the_first_of_several_replies(pair: Pair) -> None:
    channel, kernel = Channel(pair[0]), Channel(pair[1])
    keys = [channel.post("child", number=number) for number in range(3)]
    asked = [kernel.command() for _ in keys]
    for place in (2, 0, 1):
        kernel.send({"op": "reply", "id": asked[place]["id"], "value": place})
        key, reply = channel.reply_to_any(keys)
        assert (key, reply["value"]) == (keys[place], place)
        keys[place] = "done"


def test_a_command_reaches_the_main_loop_while_a_thread_still_waits(pair: Pair) -> None:
    channel, kernel = Channel(pair[0]), Channel(pair[1])
    stray = threading.Thread(target=channel.ask, args=["late"])
    stray.start()
    asked = kernel.command()
    kernel.send({"op": "run"})
    assert channel.command()["op"] == "run"
    kernel.send({"op": "reply", "id": asked["id"]})
    stray.join()
