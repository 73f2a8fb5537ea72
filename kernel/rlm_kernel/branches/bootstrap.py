"""The far side of a Jupyter branch: this file's text is sent to the kernel and executed there, before anything else.

So it stands alone: nothing but the standard library, whatever the kernel has installed. It gives the session the same
names, with the same meaning, as `scaffold` gives to a branch of ours. Everything it wants from the notebook's side it
asks for as `input()` does: with an `input_request`, whose prompt is `MARK` and a call in JSON.
"""

from __future__ import annotations

import base64
import builtins
import hashlib
import io
import json
import math
import os
import pickle
import sys
import threading
import traceback
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

__all__ = ["CELL", "HERE", "MARK", "SubcallError", "SubcallFailure", "begin", "keep", "load", "report", "variables"]

MARK = "\x10rlm "
"""How the prompt of an `input_request` begins that is a call and no question to the user."""

HERE = "<rlm>"
"""The file name of this code in the kernel."""

CELL = "<cell "
"""How the file name of a cell starts in tracebacks."""

_TEXT_LIMIT = 100_000
_EXACT_LIMIT = 1_000_000
_PIECE = 4 * 2**20
_FALSE_WORDS = {"", "0", "false", "no", "none", "null"}
_LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.Thread)


class SubcallError(RuntimeError):
    """Raised inside a cell: the sub-call could not be answered."""


class SubcallFailure(str):
    """What `llm_query_batched` returns in the place of a reply it could not get: text that says so, and is falsy."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)  # the notebook has no module of this name


def _ask(name: str, **arguments: Any) -> Any:
    """Call the notebook's side, and wait for its reply."""
    reply = json.loads(builtins.input(MARK + json.dumps({"name": name, "arguments": arguments})))
    if "error" in reply:
        raise SubcallError(reply["error"])
    return reply["value"]


# ----- the names of the session ----------------------------------------------------------------------------------


class _Session:
    """The state of this side: whose variables, which of them were there before, the names that are part of it."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.before = dict(namespace)
        self.shipped: dict[str, str | None] = {}
        self.final: tuple[str, Any] | None = None
        self.pid = os.getpid()
        self.cells = 1
        self.fixed: dict[str, Any] = {
            "FINAL": _final_value,
            "FINAL_VAR": _final_variable,
            "context": None,
            "llm_query": _llm_query,
            "llm_query_batched": _llm_query_batched,
            "rlm_query": _rlm_query,
        }
        namespace.update(self.fixed, answer=_empty_answer())


_sessions: list[_Session] = []


def _session() -> _Session:
    return _sessions[-1]


def begin(namespace: dict[str, Any]) -> None:
    """Put the session's names into `namespace`, and give cells and their exits the form they have in any branch."""
    _sessions.append(_Session(namespace))
    shell = namespace["get_ipython"]() if "get_ipython" in namespace else None
    if shell is not None:
        shell.ask_exit = lambda: None  # `exit` ends nothing: the session is not the cell's to end
        shell.compile.get_code_name = _name_code


def _name_code(raw: str, *_: Any) -> str:
    return HERE if HERE in raw else f"{CELL}{_session().cells}>"


def _final_value(value: Any) -> None:
    """Answer with `value`."""
    _session().final = ("FINAL", value)


def _final_variable(name: str) -> None:
    """Answer with the variable called `name`."""
    if not isinstance(name, str):
        raise TypeError('FINAL_VAR takes the name of a variable as text: FINAL_VAR("total")')
    if name not in _session().namespace:
        raise NameError(f"FINAL_VAR({name!r}): there is no variable of that name")
    _session().final = ("FINAL_VAR", _session().namespace[name])


def _llm_query(prompt: str, model: str | None = None) -> str:
    """Ask the sub model one question; return its reply as text."""
    reply = _subcall([_prompt(prompt)], model, batched=False)[0]
    if "error" in reply:
        raise SubcallError(reply["error"])
    return str(reply["text"])


def _llm_query_batched(prompts: Sequence[str], model: str | None = None) -> list[str]:
    """Ask the sub model many questions at once; return the replies in order."""
    if isinstance(prompts, str):
        raise TypeError("llm_query_batched takes a list of prompts; for a single one use llm_query")
    replies = _subcall([_prompt(prompt) for prompt in prompts], model, batched=True)
    return [r["text"] if "text" in r else SubcallFailure(f"[sub-call failed: {r['error']}]") for r in replies]


def _rlm_query(prompt: str, context: Any = None) -> str:  # noqa: ARG001 (the names are the interface)
    """Refuse: a child is a copy of the running process, and this process is not ours to copy."""
    raise SubcallError("rlm_query does not work in this kind of branch; use llm_query and pass the data in the prompt")


def _subcall(prompts: list[str], model: str | None, *, batched: bool) -> list[dict[str, str]]:
    if os.getpid() != _session().pid:
        raise SubcallError("sub-calls work in the session itself, not in a child process")
    if threading.current_thread() is not threading.main_thread():
        raise SubcallError("sub-calls work only in the cell's own thread here; llm_query_batched asks many at once")
    if model is not None and not isinstance(model, str):
        raise TypeError(f"model is a name, not {type(model).__qualname__}")
    return list(_ask("llm_query", prompts=prompts, model=model, batched=batched)) if prompts else []


def _prompt(prompt: Any) -> str:
    if not isinstance(prompt, str):
        raise TypeError(f"a prompt is text, not {type(prompt).__qualname__}: build a str that contains the data")
    return prompt


# ----- after a cell ----------------------------------------------------------------------------------------------


def report(failed: bool) -> None:
    """Tell what the cell that just ended left behind; `failed` says that it ended with an exception."""
    session = _session()
    session.cells += 1
    modules = [n for n, v in session.namespace.items() if isinstance(v, types.ModuleType)]
    error = _describe_error(getattr(sys, "last_value", None)) if failed else None
    _ask("report", answer=_describe_answer(), notes=_repair(), modules=modules, error=error)


def _answer() -> tuple[str, Any, bool] | None:
    """Return (dialect, object, final?) of the answer as it stands when a cell has ended, or `None`."""
    session = _session()
    if session.final is not None:
        return (*session.final, True)
    box = session.namespace.get("answer")
    if not isinstance(box, Mapping) or box.get("content") is None:
        return None
    return "answer", box["content"], _is_true(box.get("ready"))


def _describe_answer() -> dict[str, Any] | None:
    given = _answer()
    if given is None:
        return None
    via, value, final = given
    exact, plain = _exact_value(value)
    kind = type(value).__qualname__
    return {"text": _text_of(value), "value_type": kind, "value": plain, "exact": exact, "via": via, "final": final}


def _repair() -> list[str]:
    """Put back what the cell overwrote; return one note for the model per thing."""
    session, notes = _session(), []
    for name, value in session.fixed.items():
        if session.namespace.get(name, session) is not value:
            session.namespace[name] = value
            notes.append(f"Note: `{name}` is part of the session and was put back; use another name.")
    box = session.namespace.get("answer")
    if not isinstance(box, Mapping):
        session.namespace["answer"] = {**_empty_answer(), "content": box}
        notes.append('Note: `answer` is a dict and was put back; set answer["content"] and answer["ready"].')
    elif _is_true(box.get("ready")) and box.get("content") is None and session.final is None:
        notes.append('Note: answer["ready"] is set but answer["content"] is not: there is no answer yet.')
    return notes


def _empty_answer() -> dict[str, Any]:
    return {"content": None, "ready": False}


def _is_true(ready: Any) -> bool:
    if isinstance(ready, str):
        return ready.strip().lower() not in _FALSE_WORDS
    return bool(ready)
