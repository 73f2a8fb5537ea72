"""A session that is nothing but its words: cells run in this process, and calls are answered by the test."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rlm_kernel.vocabulary.kit import Kit
from rlm_kernel.vocabulary.session import Child, Vocabulary

__all__ = ["Refused", "WordSession", "echo"]

Reply = dict[str, Any]


class Refused(RuntimeError):
    """What a failed call raises in these cells."""


def echo(prompt: str) -> Reply:
    """Answer a prompt with itself."""
    return {"text": prompt}


class WordSession(Vocabulary):
    """A session with a context.

    Args:
        context: the value of `context`.
        reply: answers a prompt, of a sub-call or of a child.
        variables: what the user had.
        others: further fields of the kit.

    Attributes:
        asked: the arguments of each `llm_query`, in order.
        born: the children, in order.

    """

    error = Refused

    def __init__(
        self,
        context: Any = "",
        reply: Callable[[str], Reply] = echo,
        variables: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        self.everywhere = dict(vars(builtins))  # type: ignore[misc]  # not the builtins of this process
        self.asked: list[dict[str, Any]] = []
        self.born: list[Child] = []
        self._reply = reply
        super().__init__({**(variables or {}), "__builtins__": self.everywhere}, Kit((context,), **others))

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Answer a call from a cell."""
        if name == "llm_query":
            self.asked.append(arguments)
            return [self._reply(prompt) for prompt in arguments["prompts"]]
        return {"called": name, **arguments}

    def children(self, tasks: list[Child]) -> list[Reply]:
        """Answer for children."""
        self.born += tasks
        return [self._reply(task.prompt) for task in tasks]

    def cell(self, code: str) -> list[str]:
        """Run a cell, whose exceptions are lost; return the notes on it."""
        self.begin_cell()
        with suppress(Exception):
            exec(code, self.namespace)
        self.describe_answer()
        return self.repair()

    def value(self, expression: str) -> Any:
        """Return what an expression is in a cell; its exceptions are the caller's."""
        self.begin_cell()
        return eval(expression, self.namespace)

    def final(self, code: str) -> Any:
        """Run a cell and return its final answer, which it must have given."""
        self.begin_cell()
        with suppress(ZeroDivisionError):
            exec(code, self.namespace)
        told = self.describe_answer()
        assert told is not None
        assert told["final"]
        given = self.answer()
        assert given is not None
        return given[1]

    def problem(self, code: str) -> str:
        """Run a cell and return what is wrong with its final answer."""
        self.begin_cell()
        exec(code, self.namespace)
        told = self.describe_answer()
        assert told is not None
        return str(told["problem"])
