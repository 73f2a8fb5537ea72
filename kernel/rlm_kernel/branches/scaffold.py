"""The vocabulary in a branch made of processes: calls go to the kernel over the branch's channel."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from ..engine.describe import describe
from ..errors import SubcallError
from ..vocabulary.kit import Kit
from ..vocabulary.session import Child, Vocabulary
from .luggage import connect
from .protocol import Channel, Frame

__all__ = ["OpenChild", "Scaffold"]

OpenChild = Callable[[Kit], tuple[int, list[int]]]
"""Forks a branch of this process: its kit → the nanny's pid, and descriptors to give to the kernel."""


class Scaffold(Vocabulary):
    """The vocabulary of one session.

    Args:
        namespace: the session's variables.
        kit: what the question brings along.
        channel: returns the channel to the kernel that is in use now (it changes at a rollback).
        open_child: forks a branch of this process.

    """

    error = SubcallError

    def __init__(
        self, namespace: dict[str, Any], kit: Kit, channel: Callable[[], Channel], open_child: OpenChild
    ) -> None:
        super().__init__(namespace, kit)
        connect(kit, self.call)
        self._channel = channel
        self._open_child = open_child
        self._pid = os.getpid()

    def resumed(self) -> None:
        """Note that this process goes on as the branch (a checkpoint was resumed)."""
        self._pid = os.getpid()

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Ask the notebook's side, from any thread; return its reply.

        Raises:
            SubcallError: the reply is an error.

        """
        self._check_process()
        reply = self._channel().ask(name, **arguments)
        if "error" in reply:
            raise SubcallError(reply["error"])
        return reply["value"]

    def children(self, tasks: list[Child]) -> list[dict[str, Any]]:
        """Fork a branch of this moment for each task and have the kernel run a child there; return replies in order.

        At most `kit.max_children` are at work at once. A child that fails, or cannot be forked, is an `error` in its
        place.

        Raises:
            SubcallError: this is not the cell's own thread: a fork of another would have lost the cell's.

        """
        self._check_process()
        if threading.current_thread() is not threading.main_thread():
            raise SubcallError("rlm_query works only in the cell's own thread; llm_query works in any")
        channel = self._channel()
        replies: list[dict[str, Any]] = [{} for _ in tasks]
        waiting, at_work = deque(enumerate(tasks)), dict[str, int]()
        while waiting or at_work:
            while waiting and len(at_work) < self.kit.max_children:
                place, task = waiting.popleft()
                try:
                    at_work[self._begin(channel, task)] = place
                except OSError as error:
                    replies[place] = _failed(f"the system refused a new process: {error.strerror}")
            if at_work:
                key, reply = channel.reply_to_any(at_work)
                replies[at_work.pop(key)] = _failed(reply["error"]) if "error" in reply else reply["value"]
        return replies

    def _begin(self, channel: Channel, task: Child) -> str:
        card = self.describe(task.kit.context)
        pid, fds = self._open_child(task.kit)
        asked: Frame = {"prompt": task.prompt, "schema": task.schema, "max_iterations": task.max_iterations}
        return channel.post("rlm_query", give=fds, nanny=pid, card=card, **asked)

    def describe(self, value: Any) -> str:
        """Return the card of a child's context."""
        return describe(value, sample=self.kit.sample, redact=self.kit.redact)

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise SubcallError("sub-calls work in the session itself and its threads, not in a child process")


def _failed(error: str) -> dict[str, Any]:
    return {"error": error, "kind": "failed"}
