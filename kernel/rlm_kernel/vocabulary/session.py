"""The names that cells find in every kind of branch, and what they mean.

    context              the value the question is about
    answer               a dict: set "content", then "ready" = True
    FINAL(value)         the same in one step; FINAL_VAR("name") takes a variable
    llm_query(prompt)    ask the sub model; llm_query_batched(prompts) asks many at once
    rlm_query(question)  ask a child: a trajectory of its own, on a branch forked from this very moment

All of them survive a cell that overwrites them: after each cell they are put back and the model is told. How a call
reaches the notebook's side is each kind's own business. This file is also sent to Jupyter kernels (`jupyter_sources`),
so it needs nothing but the standard library and its own kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .kit import Kit
from .plain import exact_value, text_of

__all__ = ["SCAFFOLD_NAMES", "SubcallFailure", "Vocabulary"]

SCAFFOLD_NAMES = ("FINAL", "FINAL_VAR", "answer", "context", "llm_query", "llm_query_batched", "rlm_query")

_FALSE_WORDS = {"", "0", "false", "no", "none", "null"}


class SubcallFailure(str):
    """What `llm_query_batched` returns in the place of a reply it could not get: text that says so, and is falsy."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)  # outside the session it is just that text


class Vocabulary:
    """Installs the names into a session's variables, keeps them there, and reads the answer.

    Args:
        namespace: the session's variables.
        kit: what the question brings along.

    """

    error: ClassVar[type[Exception]]
    """What a failed call raises in the cell."""

    def __init__(self, namespace: dict[str, Any], kit: Kit) -> None:
        self.namespace = namespace
        self.equip(kit)

    def equip(self, kit: Kit) -> None:
        """Install the names, for another question than before if there was one."""
        self.kit = kit
        self._final: tuple[str, Any] | None = None
        self._fixed: dict[str, Any] = {
            "FINAL": self._final_value,
            "FINAL_VAR": self._final_variable,
            "context": kit.context,
            "llm_query": self._llm_query,
            "llm_query_batched": self._llm_query_batched,
            "rlm_query": self._rlm_query,
        }
        self.namespace.update(self._fixed, answer=_empty_answer())

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

    # ----- upkeep --------------------------------------------------------------------------------------------

    def repair(self) -> list[str]:
        """Put back what the cell overwrote; return one note for the model per thing."""
        notes = []
        for name, value in self._fixed.items():
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

    # ----- calls ---------------------------------------------------------------------------------------------

    def _llm_query(self, prompt: str, model: str | None = None) -> str:
        """Ask the sub model one question; return its reply as text."""
        reply = self._checked([prompt], model, batched=False)[0]
        if "error" in reply:
            raise self.error(reply["error"])
        return str(reply["text"])

    def _llm_query_batched(self, prompts: Sequence[str], model: str | None = None) -> list[str]:
        """Ask the sub model many questions at once; return the replies in order."""
        if isinstance(prompts, str):
            raise TypeError("llm_query_batched takes a list of prompts; for a single one use llm_query")
        replies = self._checked(list(prompts), model, batched=True)
        return [r["text"] if "text" in r else SubcallFailure(f"[sub-call failed: {r['error']}]") for r in replies]

    def _rlm_query(self, prompt: str, context: Any = None) -> str:
        """Give a question about `context` (this session's own by default) to a child; return its answer as text."""
        raise NotImplementedError

    def _checked(self, prompts: list[str], model: str | None, *, batched: bool) -> list[dict[str, str]]:
        for prompt in prompts:
            if not isinstance(prompt, str):
                kind = type(prompt).__qualname__
                raise TypeError(f"a prompt is text, not {kind}: build a str that contains the data")
        if model is not None and not isinstance(model, str):
            raise TypeError(f"model is a name, not {type(model).__qualname__}")
        return self._ask(prompts, model, batched=batched) if prompts else []

    def _ask(self, prompts: list[str], model: str | None, *, batched: bool) -> list[dict[str, str]]:
        """Have the notebook's side ask the sub model; return `{"text": …}` or `{"error": …}` for each prompt."""
        raise NotImplementedError


def _empty_answer() -> dict[str, Any]:
    return {"content": None, "ready": False}


def _is_true(ready: Any) -> bool:
    if isinstance(ready, str):
        return ready.strip().lower() not in _FALSE_WORDS
    return bool(ready)
