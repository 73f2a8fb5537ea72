"""`RLM`: settings once, many questions; with `persistent=True` each goes on from the last.

rlm = RLM(model="gpt-5-mini", max_iterations=10, persistent=True)
run = rlm.solve("Which region lost the most customers?", context=df)
run = rlm.solve("And since when?", context=df)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from .engine.hooks import Hooks
from .errors import OptionError
from .settings import resolve
from .solver import asolve, solve
from .talk import Talk
from .trajectory.run import Run

__all__ = ["RLM"]

SYNONYMS: Mapping[str, str] = {
    "answer_verifier": "answer_check",
    "child_system_prompt": "child_instructions",
    "clean_retry_on_error": "clean_retry",
    "compaction_threshold_pct": "compaction",
    "custom_sub_tools": "sub_tools",
    "custom_system_prompt": "instructions",
    "custom_tools": "tools",
    "max_concurrent_subcalls": "max_concurrency",
    "max_iters": "max_iterations",
    "max_output_chars": "output_limit",
    "max_output_length": "output_limit",
    "max_steps": "max_iterations",
    "max_timeout": "max_time",
    "max_total_tokens": "max_tokens",
    "max_turns": "max_iterations",
    "model_name": "model",
    "recursive_model": "sub_model",
    "repair_doubled_calls": "repair_calls",
    "repair_unfilled_placeholders": "repair_placeholders",
    "repeat_guard_threshold": "repeat_guard",
    "root_max_tokens": "reply_limit",
    "soft_timeout_pct": "soft_limit",
    "sub_rlm_model": "sub_model",
    "subcall_adapter": "sub_model",
    "subcall_context_limit": "window",
    "subcall_max_timeout": "child_timeout",
    "subcall_max_tokens": "subcall_reply_limit",
    "subcall_verifier": "subcall_check",
}
"""What other RLM systems call our settings and hooks."""

_HOOKS = frozenset(Hooks.__dataclass_fields__)


class RLM:
    """A Recursive Language Model (arXiv 2512.24601) with its settings.

    Args:
        model: root model; see the setting.
        base_url: root of an OpenAI-compatible API; see the setting.
        persistent: let each question see the contexts, conversations and variables of those before it.
        namespace: the variables that the model's code can use; by default those of the IPython shell, and where there
            is none, or with `persistent`, a dict of its own.
        **options: every setting by its name, the hooks (`tools`, `answer_check`, `on_event`, …), and what other systems
            call them (`max_steps`, `custom_tools`, …).

    Raises:
        OptionError: an option or its value is wrong, or given twice.

    """

    def __init__(
        self,
        model: str | None = None,
        base_url: str | None = None,
        *,
        persistent: bool = False,
        namespace: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        named = _by_our_names({"model": model, "base_url": base_url, **options})
        self._hooks = Hooks(**{name: named.pop(name) for name in _HOOKS & named.keys()})
        self.settings = resolve(named)
        self._namespace = {} if persistent and namespace is None else namespace
        self._talk: Talk | None = Talk() if persistent else None

    def solve(self, question: str, context: Any, on_progress: Callable[[Run, float], object] | None = None) -> Run:
        """Answer a question; see `solver.solve` for arguments and errors."""
        run = solve(question, context=context, on_progress=on_progress, **self._common())
        return self._remember(run)

    async def asolve(self, question: str, context: Any) -> Run:
        """Answer a question without blocking the event loop; see `solver.asolve`."""
        return self._remember(await asolve(question, context=context, **self._common()))

    def completion(self, prompt: Any, root_prompt: str | None = None) -> Run:
        """Answer `root_prompt` about the context `prompt`, in the argument order of rlms and prehend.

        Without `root_prompt` the question is expected in the context itself.
        """
        return self.solve(root_prompt or _IN_THERE, prompt)

    async def acompletion(self, prompt: Any, root_prompt: str | None = None) -> Run:
        """Do what `completion` does, without blocking the event loop."""
        return await self.asolve(root_prompt or _IN_THERE, prompt)

    def close(self) -> None:
        """Forget the questions so far."""
        if self._talk is not None:
            self._talk = Talk()

    def __enter__(self) -> RLM:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _common(self) -> dict[str, Any]:
        return {
            "namespace": self._namespace,
            "settings": self.settings,
            "hooks": self._hooks,
            "talk": self._talk,
        }

    def _remember(self, run: Run) -> Run:
        if self._talk is not None and run.talk is not None:
            self._talk = run.talk
        return run


_IN_THERE = "Answer the question that the context contains. If it contains none, say what it is about."


def _by_our_names(given: Mapping[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, value in given.items():
        ours = SYNONYMS.get(name, name)
        if value is None:
            continue
        if ours in named:
            raise OptionError(f"{name} and {ours} are the same setting, given twice", f"give only {ours}")
        named[ours] = value
    return named
