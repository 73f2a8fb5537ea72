"""The vocabulary in a branch made of processes: calls go to the kernel over the branch's channel."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from ..engine.describe import describe
from ..errors import SubcallError
from ..vocabulary.kit import Kit
from ..vocabulary.session import Vocabulary
from .protocol import Channel

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
        self._channel = channel
        self._open_child = open_child
        self._pid = os.getpid()

    def resumed(self) -> None:
        """Note that this process goes on as the branch (a checkpoint was resumed)."""
        self._pid = os.getpid()

    def _ask(self, prompts: list[str], model: str | None, *, batched: bool) -> list[dict[str, str]]:
        self._check_process()
        reply = self._channel().ask("llm_query", prompts=prompts, model=model, batched=batched)
        if "error" in reply:
            raise SubcallError(reply["error"])
        return list(reply["value"])

    def _rlm_query(self, prompt: str, context: Any = None) -> str:
        """Give a question about `context` (this session's own by default) to a child; return its answer as text."""
        self._check_process()
        if threading.current_thread() is not threading.main_thread():
            raise SubcallError("rlm_query works only in the cell's own thread; llm_query works in any")
        if not isinstance(prompt, str):
            raise TypeError(f"a question is text, not {type(prompt).__qualname__}")
        value = self.kit.context if context is None else context
        card = describe(value)
        pid, fds = self._open_child(self.kit.child(value))
        reply = self._channel().ask("rlm_query", give=fds, nanny=pid, prompt=prompt, card=card)
        if "error" in reply:
            raise SubcallError(reply["error"])
        return str(reply["value"])

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise SubcallError("sub-calls work in the session itself and its threads, not in a child process")
