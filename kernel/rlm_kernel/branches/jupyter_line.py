"""Calls from a Jupyter kernel to the notebook's side, from any thread. Sent along with `bootstrap`, see there.

They go as `input()` does: by an `input_request` whose prompt is `MARK` and a list of calls in JSON, answered by a list
of replies. A kernel can have only one such request open. So whoever holds the line takes along what other threads want
by then, and the notebook's side answers all of it at once.
"""

from __future__ import annotations

import builtins
import json
import threading
from collections import deque
from typing import Any

__all__ = ["MARK", "Line", "SubcallError"]

MARK = "\x10rlm "
"""How the prompt of an `input_request` begins that is a list of calls, and no question to the user."""


class SubcallError(RuntimeError):
    """Raised inside a cell: the sub-call could not be answered."""

    def __reduce__(self) -> tuple[Any, ...]:
        return RuntimeError, self.args  # the notebook's process has no module of this name


class Line:
    """The one line to the notebook's side."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._waiting = deque[_Call]()

    def ask(self, name: str, /, **arguments: Any) -> Any:
        """Make a call, and return its reply's value.

        Raises:
            SubcallError: the reply is an error.

        """
        reply = self.ask_all(name, [arguments])[0]
        if "error" in reply:
            raise SubcallError(reply["error"])
        return reply["value"]

    def ask_all(self, name: str, each: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Make several calls at once; return the replies in order: `{"value": …}` or `{"error": …}`, JSON all of it."""
        calls = [_Call(json.dumps({"name": name, "arguments": arguments})) for arguments in each]
        self._waiting.extend(calls)
        with self._busy:
            if any(call.reply is None for call in calls):
                self._carry([self._waiting.popleft() for _ in range(len(self._waiting))])
        return [call.reply or {"error": "the line to the notebook broke"} for call in calls]

    def _carry(self, calls: list[_Call]) -> None:
        try:
            replies = json.loads(builtins.input(f"{MARK}[{','.join(call.text for call in calls)}]"))
        except EOFError:  # the cell has ended, and nobody is on the line
            replies = [{"error": "the cell that asked has ended"}] * len(calls)
        for call, reply in zip(calls, replies, strict=True):
            call.reply = reply


class _Call:
    def __init__(self, text: str) -> None:
        self.text = text
        self.reply: dict[str, Any] | None = None
