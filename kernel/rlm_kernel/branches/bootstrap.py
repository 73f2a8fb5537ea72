"""The far side of a Jupyter branch: the names a cell finds there, and what it left behind when it has ended.

The text of this file is sent to the kernel and executed there before anything else. So it needs only the standard
library and those files of ours that are sent with it (see `jupyter_sources`), whatever else the kernel has installed.
The names mean what they mean in a branch of ours, see `scaffold`. What this side wants from the notebook's it asks for
as `input()` does: by an `input_request`, whose prompt is `MARK` and a call in JSON.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
import threading
import traceback
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..engine.shaping import clip
from .changes import Changes
from .values import exact_value, text_of, touched_names

__all__ = ["HERE", "MARK", "Session", "SubcallError", "SubcallFailure", "call"]

MARK = "\x10rlm "
"""How the prompt of an `input_request` begins that is a call, and no question to the user."""

HERE = "<rlm-branch>"
"""The file name of the far side's own code; whatever is executed there and mentions it is ours, and no cell."""

_CELL = "<cell "
_STREAM_LIMIT = 16 * 2**20
_FALSE_WORDS = {"", "0", "false", "no", "none", "null"}
_TRACEBACK_LIMIT = 20_000


class SubcallError(RuntimeError):
    """Raised inside a cell: the sub-call could not be answered."""

    def __reduce__(self) -> tuple[Any, ...]:
        return RuntimeError, self.args  # the notebook's process has no module of this name


class SubcallFailure(str):
    """What `llm_query_batched` returns in the place of a reply it could not get: text that says so, and is falsy."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)  # see above


def call(name: str, **arguments: Any) -> Any:
    """Ask the notebook's side, and return its reply; both are JSON.

    Raises:
        SubcallError: the reply is an error.

    """
    reply = json.loads(builtins.input(MARK + json.dumps({"name": name, "arguments": arguments})))
    if "error" in reply:
        raise SubcallError(reply["error"])
    return reply["value"]


class Session:
    """Installs the names into the kernel's variables, keeps them there, and reads the answer.

    Args:
        namespace: the variables of the kernel's user.

    Attributes:
        before: the variables that the kernel came with.
        shipped: the variables that were sent over, each as (value, fingerprint of then).

    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.before = dict(namespace)
        self.shipped: dict[str, tuple[Any, str | None]] = {}
        self.fixed: dict[str, Any] = {
            "FINAL": self._final_value,
            "FINAL_VAR": self._final_variable,
            "context": None,
            "llm_query": self._llm_query,
            "llm_query_batched": self._llm_query_batched,
            "rlm_query": self._rlm_query,
        }
        self.reserved = {*self.fixed, "answer"}
        self._final: tuple[str, Any] | None = None
        self._cells = 1
        self._pid = os.getpid()
        self._changes = Changes(namespace, self.is_users, by_pages=False)
        self._shell: Any = namespace["get_ipython"]() if "get_ipython" in namespace else None
        self._streams = {name: _Limited(getattr(sys, name)) for name in ("stdout", "stderr")}
        namespace.update(self.fixed, answer=_empty_answer())
        if self._shell is not None:
            self._shell.ask_exit = lambda: None  # the session does not end with a cell that says `exit`
            self._shell.compile.get_code_name = lambda raw, *_: HERE if HERE in raw else f"{_CELL}{self._cells}>"

    def is_users(self, name: str, value: Any) -> bool:
        """Tell whether a variable is one of the user's, and not the kernel's, the session's, or a module."""
        return not (
            name.startswith("_")
            or name in self.reserved
            or self.before.get(name, self) is value
            or isinstance(value, types.ModuleType)
        )

    def prepare(self, code: str) -> None:
        """Tell which variables the next cell may change, and watch them."""
        with suppress(Exception):  # a cell that cannot be transformed fails by itself when it runs
            code = self._shell.transform_cell(code)
        modules = {name for name, value in self.namespace.items() if isinstance(value, types.ModuleType)}
        touched = sorted(touched_names(code) - modules - self.reserved)
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

    # ----- the answer ----------------------------------------------------------------------------------------

    def answer(self) -> tuple[str, Any, bool] | None:
        """Return (dialect, object, final?) of the answer as it stands when a cell has ended, or `None`."""
        if self._final is not None:
            return (*self._final, True)
        box = self.namespace.get("answer")
        if not isinstance(box, Mapping) or box.get("content") is None:
            return None
        return "answer", box["content"], _is_true(box.get("ready"))

    def describe_answer(self) -> dict[str, Any] | None:
        """Return the answer as far as JSON can carry it."""
        given = self.answer()
        if given is None:
            return None
        via, value, final = given
        exact, plain = exact_value(value)
        kind = type(value).__qualname__
        return {"text": text_of(value), "value_type": kind, "value": plain, "exact": exact, "via": via, "final": final}

    def _final_value(self, value: Any) -> None:
        """Answer with `value`."""
        self._final = ("FINAL", value)

    def _final_variable(self, name: str) -> None:
        """Answer with the variable called `name`."""
        if not isinstance(name, str):
            raise TypeError('FINAL_VAR takes the name of a variable as text: FINAL_VAR("total")')
        if name not in self.namespace:
            raise NameError(f"FINAL_VAR({name!r}): there is no variable of that name")
        self._final = ("FINAL_VAR", self.namespace[name])

    def repair(self) -> list[str]:
        """Put back what the cell overwrote; return one note for the model per thing."""
        notes = []
        for name, value in self.fixed.items():
            if self.namespace.get(name, self) is not value:
                self.namespace[name] = value
                notes.append(f"Note: `{name}` is part of the session and was put back; use another name.")
        box = self.namespace.get("answer")
        if not isinstance(box, Mapping):
            self.namespace["answer"] = {**_empty_answer(), "content": box}
            notes.append('Note: `answer` is a dict and was put back; set answer["content"] and answer["ready"].')
        elif _is_true(box.get("ready")) and box.get("content") is None and self._final is None:
            notes.append('Note: answer["ready"] is set but answer["content"] is not: there is no answer yet.')
        return notes

    # ----- sub-calls -----------------------------------------------------------------------------------------

    def _llm_query(self, prompt: str, model: str | None = None) -> str:
        """Ask the sub model one question; return its reply as text."""
        reply = self._ask([_prompt(prompt)], model, batched=False)[0]
        if "error" in reply:
            raise SubcallError(reply["error"])
        return str(reply["text"])

    def _llm_query_batched(self, prompts: Sequence[str], model: str | None = None) -> list[str]:
        """Ask the sub model many questions at once; return the replies in order."""
        if isinstance(prompts, str):
            raise TypeError("llm_query_batched takes a list of prompts; for a single one use llm_query")
        replies = self._ask([_prompt(prompt) for prompt in prompts], model, batched=True)
        return [r["text"] if "text" in r else SubcallFailure(f"[sub-call failed: {r['error']}]") for r in replies]

    def _rlm_query(self, prompt: str, context: Any = None) -> str:  # noqa: ARG002 (the names are what cells know)
        """Refuse: a child is a copy of the running process, and this kind of process cannot be copied."""
        raise SubcallError("rlm_query does not work in this kind of branch; use llm_query with the data in its prompt")

    def _ask(self, prompts: list[str], model: str | None, *, batched: bool) -> list[dict[str, str]]:
        if os.getpid() != self._pid:
            raise SubcallError("sub-calls work in the session itself, not in a child process")
        if threading.current_thread() is not threading.main_thread():
            raise SubcallError("sub-calls work only in the cell's own thread here; llm_query_batched asks many at once")
        if model is not None and not isinstance(model, str):
            raise TypeError(f"model is a name, not {type(model).__qualname__}")
        return list(call("llm_query", prompts=prompts, model=model, batched=batched)) if prompts else []


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


def _empty_answer() -> dict[str, Any]:
    return {"content": None, "ready": False}


def _is_true(ready: Any) -> bool:
    if isinstance(ready, str):
        return ready.strip().lower() not in _FALSE_WORDS
    return bool(ready)


def _prompt(prompt: Any) -> str:
    if not isinstance(prompt, str):
        raise TypeError(f"a prompt is text, not {type(prompt).__qualname__}: build a str that contains the data")
    return prompt


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
