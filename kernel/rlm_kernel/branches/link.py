"""The kernel's end of a channel to one process of a branch: frames in, frames out, and the news of its death."""

from __future__ import annotations

import asyncio
import os
import socket

from ..errors import ProtocolError
from .protocol import Decoder, Frame, encode

__all__ = ["GONE", "Link"]

GONE: Frame = {"op": "gone"}
"""What `receive` returns when the process has died or closed its end."""


class Link:
    """Frames to and from one process, read as they come and never waited for by blocking.

    The process's death is noticed by a pidfd, because a child of it may hold the other end of the socket open.
    """

    def __init__(self, sock: socket.socket, pid: int | None = None) -> None:
        self.pid = pid
        self._sock = sock
        self._sock.setblocking(False)
        self._decoder = Decoder()
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._pidfd: int | None = None
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
            self._frames.put_nowait(GONE)
            return
        self._loop.add_reader(self._pidfd, self._died)

    async def receive(self) -> Frame:
        """Wait for the next frame; `GONE` at the end."""
        return await self._frames.get()

    async def send(self, frame: Frame) -> None:
        """Send a frame; a process that is gone is not an error here, `receive` tells."""
        try:
            await self._loop.sock_sendall(self._sock, encode(frame))
        except (BrokenPipeError, ConnectionResetError):
            return

    def close(self) -> None:
        """Close this end; a checkpoint at the other end takes that as its dismissal."""
        self._stop_watching()
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
                self._frames.put_nowait(frame)
        except BlockingIOError:
            return
        except (OSError, ProtocolError):
            alive = False
        if not alive:
            self._loop.remove_reader(self._sock.fileno())
            self._frames.put_nowait(GONE)

    def _died(self) -> None:
        self._stop_watching()
        self._read()  # what it still said before it died
        self._frames.put_nowait(GONE)

    def _stop_watching(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
