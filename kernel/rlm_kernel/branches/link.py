"""The kernel's end of a channel to one process of a branch: frames in, frames out, and the news of its death."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..errors import ProtocolError
from .protocol import Decoder, Frame, encode

__all__ = ["GONE", "Link"]

GONE: Frame = {"op": "gone"}
"""What `receive` returns when the process has died or closed its end."""

_DEATH_LIMIT_MS = 2_000


class Link:
    """Frames to and from one process, read as they come and never waited for by blocking.

    The process's death is noticed by a pidfd, because a child of it may hold the other end of the socket open.

    Args:
        sock: this end.
        pid: whose death to notice; or later, by `watch`.
        handler: takes the frames instead of `receive`.

    """

    def __init__(
        self, sock: socket.socket, pid: int | None = None, handler: Callable[[Frame], None] | None = None
    ) -> None:
        self.pid = pid
        self._sock = sock
        self._sock.setblocking(False)
        self._decoder = Decoder()
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._take = handler or self._frames.put_nowait
        self._pidfd: int | None = None
        self._reading = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._read)
        if pid is not None:
            self.watch(pid)

    def watch(self, pid: int) -> None:
        """Say `GONE` when process `pid` dies."""
        self.pid = pid
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._take(GONE)
            return
        self._loop.add_reader(self._pidfd, self._died)

    async def receive(self, *, calls: bool = False) -> Frame:
        """Wait for the next frame; `GONE` at the end.

        Without `calls` an `rpc` is turned down: it comes from a thread that outlived the cell it belonged to.
        """
        while (frame := await self._frames.get())["op"] == "rpc" and not calls:
            self.turn_down(frame)
        return frame

    async def reply(self, call: Frame, reply: Frame) -> None:
        """Answer an `rpc`; a reply that is too large for a frame becomes an error that says so."""
        try:
            await self.send({"op": "reply", "id": call["id"], **reply})
        except ProtocolError as error:
            await self.send({"op": "reply", "id": call["id"], "error": str(error)})

    def turn_down(self, call: Frame) -> None:
        """Answer an `rpc` that nobody serves, without waiting, so that its thread does not wait for ever."""
        for fd in call["fds"]:
            os.close(fd)
        reply = {"op": "reply", "id": call["id"], "error": "the cell that asked has ended"}
        with suppress(OSError):
            self._sock.send(encode(reply))

    def catch_up(self) -> None:
        """Take in, without waiting, what has arrived and has not been read yet."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        while self._reading and poll.poll(0):
            self._read()

    def await_death(self) -> None:
        """Block, briefly, until the watched process is dead with all its threads: then its children have moved on."""
        if self._pidfd is not None:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            poll.poll(_DEATH_LIMIT_MS)

    def inject(self, frame: Frame) -> None:
        """Let `receive` return a frame of our own making."""
        self._take(frame)

    async def send(self, frame: Frame, fds: Sequence[int] = ()) -> None:
        """Send a frame, with copies of `fds`; a process that is gone is not an error here, `receive` tells."""
        data = encode({**frame, "fds": len(fds)} if fds else frame)
        with suppress(BrokenPipeError, ConnectionResetError, OSError):
            if fds:  # descriptors travel with small frames to a process that waits for them: the socket has room
                socket.send_fds(self._sock, [data], list(fds))
            else:
                await self._loop.sock_sendall(self._sock, data)

    def close(self) -> None:
        """Close this end; a checkpoint at the other end takes that as its dismissal."""
        self._stop_watching()
        if self._reading:
            self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self._decoder.close()
        while not self._frames.empty():
            for fd in self._frames.get_nowait().get("fds", ()):
                os.close(fd)

    def _read(self) -> None:
        try:
            alive = self._decoder.read(self._sock)
            while (frame := self._decoder.next()) is not None:
                self._take(frame)
        except BlockingIOError:
            return
        except (OSError, ProtocolError):
            alive = False
        if not alive and self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())
            self._take(GONE)

    def _died(self) -> None:
        self._stop_watching()
        if self._reading:
            self._read()  # what it still said before it died
        self._take(GONE)

    def _stop_watching(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
