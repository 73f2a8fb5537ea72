"""The names a cell finds in its session besides the user's own: the context, the answer, the sub model.

    context              the value the question is about
    answer               a dict: set "content", then "ready" = True
    FINAL(value)         the same in one step; FINAL_VAR("name") takes a variable
    llm_query(prompt)    ask the sub model; llm_query_batched(prompts) asks many at once
    rlm_query(prompt)    ask a child: a trajectory of its own, on a branch forked from this very moment

All of them survive a cell that overwrites them: after each cell they are put back and the model is told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..engine.describe import describe
from ..errors import SubcallError
from .protocol import Channel
from .values import exact_value, text_of

__all__ = ["SCAFFOLD_NAMES", "OpenChild", "Scaffold", "SubcallFailure"]

SCAFFOLD_NAMES = ("FINAL", "FINAL_VAR", "answer", "context", "llm_query", "llm_query_batched", "rlm_query")

OpenChild = Callable[[tuple[Any]], tuple[int, list[int]]]
"""Forks a branch of this process: (context,) → the nanny's pid, and descriptors to give to the kernel."""

_FALSE_WORDS = {"", "0", "false", "no", "none", "null"}


class SubcallFailure(str):
    """What `llm_query_batched` returns in the place of a reply it could not get: text that says so, and is falsy."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


class Scaffold:
    """Installs the names into a branch's namespace, keeps them there, and reads the answer.

    Args:
        namespace: the session's variables.
        context: the value of `context`.
        channel: returns the channel to the kernel that is in use now (it changes at a rollback).
        open_child: forks a branch of this process.

    """

    def __init__(
        self, namespace: dict[str, Any], context: Any, channel: Callable[[], Channel], open_child: OpenChild
    ) -> None:
        self.context = context
        self._namespace = namespace
        self._channel = channel
        self._open_child = open_child
        self._final: tuple[str, Any] | None = None
        self._fixed: dict[str, Any] = {
            "FINAL": self._final_value,
            "FINAL_VAR": self._final_variable,
            "context": context,
            "llm_query": self._llm_query,
            "llm_query_batched": self._llm_query_batched,
            "rlm_query": self._rlm_query,
        }
        namespace.update(self._fixed, answer=_empty_answer())
        self._pid = os.getpid()

    def resumed(self) -> None:
        """Note that this process goes on as the branch (a checkpoint was resumed)."""
        self._pid = os.getpid()

    # ----- the answer ----------------------------------------------------------------------------------------

    def answer(self) -> tuple[str, Any, bool] | None:
        """Return (dialect, object, final?) of the answer as it stands when a cell has ended, or `None`."""
        if self._final is not None:
            return (*self._final, True)
        box = self._namespace.get("answer")
        if not isinstance(box, Mapping) or box.get("content") is None:
            return None
        return "answer", box["content"], _is_true(box.get("ready"))

    def describe_answer(self) -> dict[str, Any] | None:
        """Return the answer as far as a frame can carry it."""
        given = self.answer()
        if given is None:
            return None
        via, value, final = given
        exact, plain = exact_value(value)
        return {
            "text": text_of(value),
            "value_type": type(value).__qualname__,
            "value": plain,
            "exact": exact,
            "via": via,
            "final": final,
        }

    def _final_value(self, value: Any) -> None:
        """Answer with `value`."""
        self._final = ("FINAL", value)

    def _final_variable(self, name: str) -> None:
        """Answer with the variable called `name`."""
        if not isinstance(name, str):
            raise TypeError('FINAL_VAR takes the name of a variable as text: FINAL_VAR("total")')
        if name not in self._namespace:
            raise NameError(f"FINAL_VAR({name!r}): there is no variable of that name")
        self._final = ("FINAL_VAR", self._namespace[name])

    # ----- upkeep --------------------------------------------------------------------------------------------

    def repair(self) -> list[str]:
        """Put back what the cell overwrote; return one note for the model per thing."""
        notes = []
        for name, value in self._fixed.items():
            if self._namespace.get(name, self) is not value:
                self._namespace[name] = value
                notes.append(f"Note: `{name}` is part of the session and was put back; use another name.")
        box = self._namespace.get("answer")
        if not isinstance(box, Mapping):
            self._namespace["answer"] = {**_empty_answer(), "content": box}
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

    def _rlm_query(self, prompt: str, context: Any = None) -> str:
        """Give a question about `context` (this session's own by default) to a child; return its answer as text."""
        self._check_process()
        if threading.current_thread() is not threading.main_thread():
            raise SubcallError("rlm_query works only in the cell's own thread; llm_query works in any")
        value = self.context if context is None else context
        prompt, card = _prompt(prompt), describe(value)
        pid, fds = self._open_child((value,))
        reply = self._channel().ask("rlm_query", give=fds, nanny=pid, prompt=prompt, card=card)
        if "error" in reply:
            raise SubcallError(reply["error"])
        return str(reply["value"])

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise SubcallError("sub-calls work in the session itself and its threads, not in a child process")

    def _ask(self, prompts: list[str], model: str | None, *, batched: bool) -> list[dict[str, str]]:
        self._check_process()
        if model is not None and not isinstance(model, str):
            raise TypeError(f"model is a name, not {type(model).__qualname__}")
        if not prompts:
            return []
        reply = self._channel().ask("llm_query", prompts=prompts, model=model, batched=batched)
        if "error" in reply:
            raise SubcallError(reply["error"])
        return list(reply["value"])


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
