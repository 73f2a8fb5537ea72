"""The far side of a Jupyter branch: the names a cell finds there, and what it left behind when it has ended.

The text of this file is sent to the kernel and executed there before anything else. So it needs only the standard
library and those files of ours that are sent with it (see `jupyter_sources`), whatever else the kernel has installed.
The names mean what they mean in any branch, see `vocabulary`. What this side wants from the notebook's it asks
for as `input()` does: by an `input_request`, whose prompt is `MARK` and a call in JSON.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
import threading
import traceback
import types
from contextlib import suppress
from typing import Any

from ..engine.shaping import clip
from ..vocabulary.kit import Kit
from ..vocabulary.session import SCAFFOLD_NAMES, Vocabulary
from .changes import Changes
from .touching import touched_names

__all__ = ["HERE", "MARK", "Session", "SubcallError", "call"]

MARK = "\x10rlm "
"""How the prompt of an `input_request` begins that is a call, and no question to the user."""

HERE = "<rlm-branch>"
"""The file name of the far side's own code; whatever is executed there and mentions it is ours, and no cell."""

_CELL = "<cell "
_STREAM_LIMIT = 16 * 2**20
_TRACEBACK_LIMIT = 20_000


class SubcallError(RuntimeError):
    """Raised inside a cell: the sub-call could not be answered."""

    def __reduce__(self) -> tuple[Any, ...]:
        return RuntimeError, self.args  # the notebook's process has no module of this name


def call(name: str, **arguments: Any) -> Any:
    """Ask the notebook's side, and return its reply; both are JSON.

    Raises:
        SubcallError: the reply is an error.

    """
    reply = json.loads(builtins.input(MARK + json.dumps({"name": name, "arguments": arguments})))
    if "error" in reply:
        raise SubcallError(reply["error"])
    return reply["value"]


class Session(Vocabulary):
    """The vocabulary in the kernel's variables, and what a cell left behind when it has ended.

    Args:
        namespace: the variables of the kernel's user.

    Attributes:
        before: the variables that the kernel came with.
        shipped: the variables that were sent over, each as (value, fingerprint of then).

    """

    error = SubcallError

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.before = dict(namespace)
        super().__init__(namespace, Kit((None,)))
        self.shipped: dict[str, tuple[Any, str | None]] = {}
        self._cells = 1
        self._pid = os.getpid()
        self._changes = Changes(namespace, self.is_users, by_pages=False)
        self._shell: Any = namespace["get_ipython"]() if "get_ipython" in namespace else None
        self._streams = {name: _Limited(getattr(sys, name)) for name in ("stdout", "stderr")}
        if self._shell is not None:
            self._shell.ask_exit = lambda: None  # the session does not end with a cell that says `exit`
            self._shell.compile.get_code_name = lambda raw, *_: HERE if HERE in raw else f"{_CELL}{self._cells}>"

    def is_users(self, name: str, value: Any) -> bool:
        """Tell whether a variable is one of the user's, and not the kernel's, the session's, or a module."""
        return not (
            name.startswith("_")
            or name in SCAFFOLD_NAMES
            or self.before.get(name, self) is value
            or isinstance(value, types.ModuleType)
        )

    def prepare(self, code: str) -> None:
        """Tell which variables the next cell may change, and watch them."""
        with suppress(Exception):  # a cell that cannot be transformed fails by itself when it runs
            code = self._shell.transform_cell(code)
        modules = {name for name, value in self.namespace.items() if isinstance(value, types.ModuleType)}
        touched = sorted(touched_names(code) - modules - set(SCAFFOLD_NAMES))
        self._changes.before(touched)
        for stream in self._streams.values():
            stream.left, stream.lost = _STREAM_LIMIT, 0
        call("prepared", touched=touched)

    def report(self, failed: bool) -> None:
        """Tell what the cell that just ended left behind; `failed`: it ended with an exception."""
        self._cells += 1
        error = _describe_error(getattr(sys, "last_value", None)) if failed else None
        diff = self._changes.after().to_json()
        lost = {name: stream.lost for name, stream in self._streams.items()}
        call("report", answer=self.describe_answer(), notes=self.repair(), diff=diff, error=error, lost=lost)

    # ----- sub-calls -----------------------------------------------------------------------------------------

    def _rlm_query(self, prompt: str, context: Any = None) -> str:  # noqa: ARG002 (the names are what cells know)
        """Refuse: a child is a copy of the running process, and this kind of process cannot be copied."""
        raise SubcallError("rlm_query does not work in this kind of branch; use llm_query with the data in its prompt")

    def _ask(self, prompts: list[str], model: str | None, *, batched: bool) -> list[dict[str, str]]:
        if os.getpid() != self._pid:
            raise SubcallError("sub-calls work in the session itself, not in a child process")
        if threading.current_thread() is not threading.main_thread():
            raise SubcallError("sub-calls work only in the cell's own thread here; llm_query_batched asks many at once")
        return list(call("llm_query", prompts=prompts, model=model, batched=batched))


class _Limited:
    """Lets through the first 16 million characters that a cell writes into a stream, and counts the rest."""

    def __init__(self, stream: Any) -> None:
        self._write = stream.write
        self.left, self.lost = _STREAM_LIMIT, 0
        stream.write = self

    def __call__(self, text: str) -> int:
        passed = text[: self.left]
        self.left -= len(passed)
        self.lost += len(text) - len(passed)
        if passed:
            self._write(passed)
        return len(text)


# ----- a cell's error --------------------------------------------------------------------------------------------


def _describe_error(error: BaseException | None) -> dict[str, str] | None:
    """Describe an exception as plain text, from the cell's own frame on and without the frames of this file."""
    if error is None:
        return None
    frame = error.__traceback__
    while frame is not None and not frame.tb_frame.f_code.co_filename.startswith(_CELL):
        frame = frame.tb_next
    kind = type(error).__name__
    try:
        story = traceback.TracebackException(type(error), error, frame)
        _leave_out_ours(story)
        message, text = str(error), "".join(story.format())
    except Exception as broken:  # noqa: BLE001 (an exception whose own text fails must not cost the cell)
        message = text = f"{kind}: <its message cannot be shown: {type(broken).__name__}>\n"
    return {"type": kind, "message": clip(message, 2_000), "traceback": clip(text, _TRACEBACK_LIMIT)}


def _leave_out_ours(story: traceback.TracebackException | None) -> None:
    if story is not None:
        story.stack = traceback.StackSummary.from_list([f for f in story.stack if f.filename != HERE])
        _leave_out_ours(story.__cause__)
        _leave_out_ours(story.__context__)
