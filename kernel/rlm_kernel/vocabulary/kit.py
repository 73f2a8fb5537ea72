"""What a session with a question starts with, besides the user's variables.

A forked branch inherits it as it is, a branch in another process gets it pickled, a child gets the `child` of it. This
file is also sent to Jupyter kernels, so it needs nothing but the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Kit"]


@dataclass(frozen=True)
class Kit:
    """The question's side of a session.

    Attributes:
        contexts: the values asked about, `context_0`, `context_1`, …; those of earlier questions come first.
        names: the user's expressions for them, empty where there is none.
        current: which of them is `context`: the first that belongs to this question.
        histories: the conversations of the earlier questions, `history_0`, …, each a list of chat messages.
        answer_type: what the answer must be: a type, a model class, a dataclass, a JSON schema; `None` for anything.
        check: the user's own check of a final answer: value → true, false, or (accepted, feedback).
        tools: the user's functions and data by name; a value may be `{"tool": value, "description": text}`.
        sub_tools: those of children; `None` for the same.
        retriever: the user's own search: (query, k) → list of dicts; `None` for the built-in one.
        children: how many more levels of `rlm_query` there are below this session.
        max_children: children of one batch at work at once.
        piece: characters of text that one sub-call can well take, by the served window.
        repair_calls: let `f()()` mean `f()` where that cannot be called.
        repair_placeholders: fill `{name}` in a prompt from a variable that a cell made.
        sample: whether the cards of children's contexts show excerpts.
        redact: what those cards must not show; see the setting.

    """

    contexts: tuple[Any, ...]
    names: tuple[str, ...] = ()
    current: int = 0
    histories: tuple[Sequence[Mapping[str, Any]], ...] = ()
    answer_type: Any = None
    check: Callable[[Any], Any] | None = None
    tools: Mapping[str, Any] = field(default_factory=dict)
    sub_tools: Mapping[str, Any] | None = None
    retriever: Callable[[str, int], list[dict[str, Any]]] | None = None
    children: int = 0
    max_children: int = 4
    piece: int = 100_000
    repair_calls: bool = False
    repair_placeholders: bool = False
    sample: bool = True
    redact: str | None = None

    @property
    def context(self) -> Any:
        """The value of `context`."""
        return self.contexts[self.current]

    def child(self, context: Any, answer_type: Any = None) -> Kit:
        """Return the kit of a child that works on `context`: one level less, its own tools, no earlier questions."""
        return replace(
            self,
            contexts=(context,),
            names=(),
            current=0,
            histories=(),
            answer_type=answer_type,
            check=None,
            tools=self.tools if self.sub_tools is None else self.sub_tools,
            children=self.children - 1,
        )
