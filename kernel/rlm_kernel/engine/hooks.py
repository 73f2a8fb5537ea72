"""What a caller can bring along in Python: checks, tools, a search, a listener. Everything else is a setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..trajectory.events import Event

__all__ = ["Hooks"]


@dataclass(frozen=True)
class Hooks:
    """The caller's own Python in a run.

    Attributes:
        answer_check: given a final answer, returns true, false, or (accepted, feedback for the model). It runs on the
            branch, with the answer object itself.
        subcall_check: reviews an `rlm_query` before it costs anything; see `engine.verify`.
        tools: functions and data that cells can use, by name; a value may be `{"tool": value, "description": text}`.
        sub_tools: those of children; `None` for the same.
        retriever: search that replaces the built-in one: (query, k) → list of dicts.
        on_event: told every event as it happens, on the solver's thread; what it raises is ignored.

    """

    answer_check: Callable[[Any], Any] | None = None
    subcall_check: Any = None
    tools: Mapping[str, Any] = field(default_factory=dict)
    sub_tools: Mapping[str, Any] | None = None
    retriever: Callable[[str, int], list[dict[str, Any]]] | None = None
    on_event: Callable[[Event], object] | None = None
