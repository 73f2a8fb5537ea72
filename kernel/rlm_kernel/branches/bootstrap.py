"""The far side of a Jupyter branch: the names a cell finds there, and what it left behind when it has ended.

The text of this file is sent to the kernel and executed there before anything else. So it needs only the standard
library and those files of ours that are sent with it (see `jupyter_sources`), whatever else the kernel has installed.
The names mean what they mean in any branch, see `vocabulary`. What this side wants from the notebook's it asks for on
the `Line`.
"""

from __future__ import annotations

import os
import sys
import traceback
import types
from contextlib import suppress
from typing import Any

from ..engine.describe import describe
from ..engine.shaping import clip
from ..vocabulary.calls import DoubledCalls
from ..vocabulary.kit import Kit
from ..vocabulary.reach import Child
from ..vocabulary.session import Vocabulary
from ..vocabulary.table import FIXED_NAMES
from .changes import Changes
from .jupyter_line import Line, SubcallError
from .jupyter_packing import pack, pieces
from .luggage import connect, parts_of, stays_at_home, word_for
from .touching import touched_names

__all__ = ["HERE", "Session"]

HERE = "<rlm-branch>"
"""The file name of the far side's own code; whatever is executed there and mentions it is ours, and no cell."""

_CELL = "<cell "
_STREAM_LIMIT = 16 * 2**20
_TRACEBACK_LIMIT = 20_000


class Session(Vocabulary):
    """The vocabulary in the kernel's variables, and what a cell left behind when it has ended.

    Args:
        namespace: the variables of the kernel's user.

    Attributes:
        before: the variables that the kernel came with.
        line: to the notebook's side.
        shipped: the variables that were sent over, each as (value, fingerprint of then).

    """

    error = SubcallError

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.before = dict(namespace)
        self.line = Line()
        super().__init__(namespace, Kit((None,)))
        self.shipped: dict[str, tuple[Any, str | None]] = {}
        self._sent = 0
        self._cells = 1
        self._pid = os.getpid()
        self._changes = Changes(namespace, self.is_users, by_pages=False)
        self._shell: Any = namespace["get_ipython"]() if "get_ipython" in namespace else None
        self._streams = {name: _Limited(getattr(sys, name)) for name in ("stdout", "stderr")}
        if self._shell is not None:
            self._shell.ask_exit = lambda: None  # the session does not end with a cell that says `exit`
            self._shell.compile.get_code_name = lambda raw, *_: HERE if HERE in raw else f"{_CELL}{self._cells}>"

    @property
    def fixed_names(self) -> set[str]:
        """The variables that are the session's own: words, and the tools."""
        return {*FIXED_NAMES, *self.kit.tools}

    def is_users(self, name: str, value: Any) -> bool:
        """Tell whether a variable is one of the user's, and not the kernel's, the session's, or a module."""
        return not (
            name.startswith("_")
            or name in self.fixed_names
            or self.before.get(name, self) is value
            or isinstance(value, types.ModuleType)
        )

    def prepare(self, code: str) -> None:
        """Tell which variables the next cell may change, and watch them."""
        with suppress(Exception):  # a cell that cannot be transformed fails by itself when it runs
            code = self._shell.transform_cell(code)
        modules = {name for name, value in self.namespace.items() if isinstance(value, types.ModuleType)}
        touched = sorted(touched_names(code) - modules - self.fixed_names)
        self._changes.before(touched)
        for stream in self._streams.values():
            stream.left, stream.lost = _STREAM_LIMIT, 0
        self.begin_cell()
        self.line.ask("prepared", touched=touched)

    def report(self, failed: bool) -> None:
        """Tell what the cell that just ended left behind; `failed`: it ended with an exception."""
        self._cells += 1
        error = _describe_error(getattr(sys, "last_value", None)) if failed else None
        diff = self._changes.after().to_json()
        lost = {name: stream.lost for name, stream in self._streams.items()}
        told = {"answer": self.describe_answer(), "notes": self.repair(), "allowance": self.allowance}
        self.line.ask("report", **told, diff=diff, error=error, lost=lost)

    # ----- calls ---------------------------------------------------------------------------------------------

    def equip(self, kit: Kit) -> None:
        """Install the names for another question."""
        super().equip(kit)
        connect(kit, self.call)
        if kit.repair_calls:
            self._shell.ast_transformers.append(DoubledCalls())

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Ask the notebook's side, from any thread; return its reply.

        Raises:
            SubcallError: the reply is an error.

        """
        self._check_process()
        return self.line.ask(name, **arguments)

    def children(self, tasks: list[Child]) -> list[dict[str, Any]]:
        """Have children answer, each in a kernel of its own, `kit.max_children` at once; return replies in order.

        Of this session they get the context and the tools.

        Raises:
            SubcallError: a context cannot travel.

        """
        self._check_process()
        sent: dict[tuple[int, int], dict[str, Any]] = {}
        asked = []
        for task in tasks:
            key = id(task.kit.context), id(task.kit.answer_type)
            if key not in sent:
                sent[key] = self._send(task.kit)
            question = {"prompt": task.prompt, "schema": task.schema, "max_iterations": task.max_iterations}
            asked.append({**question, "card": self.describe(task.kit.context), "freight": sent[key]})
        replies = self.line.ask_all("rlm_query", asked)
        return [r["value"] if "value" in r else {"error": r["error"], "kind": "failed"} for r in replies]

    def _send(self, kit: Kit) -> dict[str, Any]:
        """Send a child's kit to the notebook's side, which does not look into it; return where it is there."""
        parts = parts_of(kit)
        body, reasons = pack(parts)
        home = {name: stays_at_home(name, parts[name]) for name in reasons}
        if stuck := next((name for name, doc in home.items() if doc is None), None):
            raise SubcallError(f"{word_for(stuck)} cannot be sent to a child: {reasons[stuck]}")
        self._sent += 1
        for piece in pieces(body):
            self.line.ask("piece", parcel=self._sent, data=piece)
        return {"parcel": self._sent, "home": home}

    def describe(self, value: Any) -> str:
        """Return the card of a child's context."""
        return describe(value, sample=self.kit.sample, redact=self.kit.redact)

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise SubcallError("sub-calls work in the session itself and its threads, not in a child process")


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
