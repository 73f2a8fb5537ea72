"""The kernel's end of a branch's output pipes: always drained, never growing."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import Callable
from contextlib import suppress

__all__ = ["OutputPipe"]

_KEPT = 2 * 2**20
_READ_SIZE = 2**16


class OutputPipe:
    """Keeps the first and last 2 MB of what one stream of the running cell printed, and counts the rest.

    Attributes:
        listener: told every piece of text as it comes, in full.

    """

    def __init__(self, fd: int) -> None:
        self.listener: Callable[[str], object] | None = None
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._fd = fd
        os.set_blocking(fd, False)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._head = self._tail = b""
        self._total = 0

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drain from now on."""
        self._loop = loop
        loop.add_reader(self._fd, self.drain)

    def drain(self) -> None:
        """Take in what is there."""
        with suppress(BlockingIOError):
            while data := os.read(self._fd, _READ_SIZE):
                self._total += len(data)
                if self.listener is not None:
                    self.listener(self._decode(data))
                room = _KEPT - len(self._head)
                self._head += data[:room]
                self._tail = (self._tail + data[room:])[-_KEPT:]
                if len(data) < _READ_SIZE:
                    return

    def take(self, lost: int = 0) -> str:
        """Return the cell's output so far and start anew; `lost` bytes never came this far."""
        self.drain()
        missing = self._total + lost - len(self._head) - len(self._tail)
        note = f"\n… [{missing:,} bytes cut] …\n".encode() if missing else b""
        text = (self._head + note + self._tail).decode("utf-8", "replace")
        self._head = self._tail = b""
        self._total = 0
        return text

    def close(self) -> None:
        """Stop draining and close the pipe."""
        if self._loop is not None:
            self._loop.remove_reader(self._fd)
        os.close(self._fd)
