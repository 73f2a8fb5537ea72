"""Frames between the kernel and a branch: a magic number, a length, JSON; file descriptors ride along.

    kernel → nanny        runner (+ its socket)
    nanny  → kernel       exit (pid, wait status)
    kernel → runner       update (+ memory file) · run · park · variables · keep · reply     (`reply` answers an `rpc`)
    runner → kernel       ready · checkpoint (+ its socket) · rpc · result · variables · kept (+ memory file)
    kernel → checkpoint   resume · branch (+ a nanny's ends) · adopt (+ the nanny's socket)

JSON, not pickle: what a branch sends must never run code in the kernel. Lengths are bounded on both sides, because
code in a branch can write anything into any of its descriptors.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from array import array
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

from ..errors import ProtocolError

__all__ = ["MAX_FRAME", "Channel", "Decoder", "Frame", "encode"]

Frame = dict[str, Any]

MAX_FRAME = 64 * 2**20
"""Largest JSON body of a frame, in bytes. Big values do not travel in frames but through shared memory."""

_HEADER = struct.Struct(">4sI")
_MAGIC = b"RLM1"
_MAX_FDS = 8
_FD = array("i")
_READ_SIZE = 2**16


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame.

    Raises:
        ProtocolError: the frame is larger than `MAX_FRAME`.

    """
    body = json.dumps(frame, separators=(",", ":")).encode("ascii")
    if len(body) > MAX_FRAME:
        raise ProtocolError(
            f"{len(body):,} bytes are too many for one message ({MAX_FRAME:,})", "send it in smaller pieces"
        )
    return _HEADER.pack(_MAGIC, len(body)) + body


class Decoder:
    """Turns received bytes and descriptors back into frames; anything malformed is a `ProtocolError`.

    A frame announces how many descriptors belong to it (`fds`); they are found under that key when it comes out.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._fds: deque[int] = deque()

    def read(self, sock: socket.socket) -> bool:
        """Take in what `sock` has, once; return `False` at the end of the stream."""
        # Not socket.recv_fds, which ignores its flags: what arrives must not be inherited by what is executed next.
        space = socket.CMSG_SPACE(_MAX_FDS * _FD.itemsize)
        data, ancillary, _, _ = sock.recvmsg(_READ_SIZE, space, socket.MSG_CMSG_CLOEXEC)
        self._bytes += data
        for level, kind, payload in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self._fds.extend(array("i", payload[: len(payload) // _FD.itemsize * _FD.itemsize]))
        return bool(data)

    def next(self) -> Frame | None:
        """Return the next whole frame, `None` while there is none."""
        if len(self._bytes) < _HEADER.size:
            return None
        magic, length = _HEADER.unpack_from(self._bytes)
        if magic != _MAGIC or length > MAX_FRAME:
            raise ProtocolError("the branch's channel carries bytes that are not ours")
        end = _HEADER.size + length
        if len(self._bytes) < end:
            return None
        body = bytes(self._bytes[_HEADER.size : end])
        del self._bytes[:end]
        return self._parse(body)

    def _parse(self, body: bytes) -> Frame:
        try:
            frame = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ProtocolError("the branch's channel carries a frame that is not JSON") from error
        wanted = frame.get("fds", 0) if isinstance(frame, dict) else None
        if not isinstance(wanted, int) or wanted > len(self._fds):
            raise ProtocolError("the branch's channel carries a frame of the wrong form")
        return {**frame, "fds": [self._fds.popleft() for _ in range(wanted)]}

    def close(self) -> None:
        """Close descriptors that arrived but were never claimed."""
        while self._fds:
            with suppress(OSError):
                os.close(self._fds.popleft())


class Channel:
    """The branch's blocking end. Any thread of a cell may ask; whoever waits first reads for all.

    Frames that are not for the reader are put into the mailbox of the one they are for: a `reply` under its id,
    everything else under `"command"`.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._decoder = Decoder()
        self._sending = threading.Lock()
        self._mail: dict[str, deque[Frame]] = {}
        self._arrival = threading.Condition()
        self._somebody_reads = False
        self._asked = 0

    def send(self, frame: Frame, fds: Sequence[int] = ()) -> None:
        """Send one frame, whole, with copies of the descriptors `fds`."""
        data = memoryview(encode({**frame, "fds": len(fds)} if fds else frame))
        with self._sending:
            if fds:
                sent = socket.send_fds(self._sock, [data], list(fds))
                data = data[sent:]
            self._sock.sendall(data)

    def command(self) -> Frame:
        """Wait for the kernel's next command."""
        return self._receive(["command"])[1]

    def ask(self, name: str, /, **arguments: Any) -> Frame:
        """Send an `rpc` and wait for its `reply`; safe from several threads."""
        return self.reply_to_any([self.post(name, **arguments)])[1]

    def post(self, name: str, /, *, give: Sequence[int] = (), **arguments: Any) -> str:
        """Send an `rpc`, give the descriptors away with it, and return the key of its reply without waiting."""
        with self._sending:
            self._asked += 1
            key = str(self._asked)
        try:
            self.send({"op": "rpc", "id": key, "name": name, "arguments": arguments}, give)
        finally:
            for fd in give:
                os.close(fd)
        return key

    def reply_to_any(self, keys: Collection[str]) -> tuple[str, Frame]:
        """Wait for the first `reply` to any of the posted calls; return it with its key."""
        return self._receive(keys)

    def close(self) -> None:
        """Close this end."""
        self._sock.close()

    def _receive(self, keys: Collection[str]) -> tuple[str, Frame]:
        while True:
            with self._arrival:
                while (key := next((k for k in keys if k in self._mail), None)) is None and self._somebody_reads:
                    self._arrival.wait()
                if key is not None:
                    return key, self._take(key)
                self._somebody_reads = True
            try:
                frame = self._read_one()
                with self._arrival:
                    addressee = frame["id"] if frame["op"] == "reply" else "command"
                    self._mail.setdefault(addressee, deque()).append(frame)
            finally:
                with self._arrival:
                    self._somebody_reads = False
                    self._arrival.notify_all()

    def _take(self, key: str) -> Frame:
        waiting = self._mail[key]
        frame = waiting.popleft()
        if not waiting:
            del self._mail[key]
        return frame

    def _read_one(self) -> Frame:
        while (frame := self._decoder.next()) is None:
            if not self._decoder.read(self._sock):
                raise EOFError("the kernel closed this branch")
        return frame
