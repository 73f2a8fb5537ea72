"""A session small enough to read: asks the offline solver, executes its cells here, feeds the outcome back."""

from __future__ import annotations

import contextlib
import io
import re
import traceback
from dataclasses import dataclass, field
from typing import Any

from rlm_kernel.branches.result import CellResult
from rlm_kernel.engine import feedback, prompt
from rlm_kernel.engine.describe import describe_all
from rlm_kernel.engine.outputs import Outputs
from rlm_kernel.models.offline import reply

__all__ = ["Solved", "solve"]

_FENCE = re.compile(r"^```repl\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


@dataclass
class Solved:
    """What a conversation came to."""

    answer: Any = None
    ready: bool = False
    turns: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)

    @property
    def code(self) -> str:
        return "\n".join(block for turn in self.turns for block in _FENCE.findall(turn))


def solve(question: str, context: object, *, alias: str = "df", turns: int = 6, fail_first: int = 0) -> Solved:
    """Let the solver answer a question; the first `fail_first` cells fail without being run."""
    solved = Solved()

    def llm_query(text: str) -> str:
        solved.prompts.append(text)
        return reply([{"role": "user", "content": text}])

    answer: dict[str, Any] = {"content": None, "ready": False}
    names = {
        "context": context,
        "answer": answer,
        "llm_query": llm_query,
        "llm_query_batched": lambda texts: [llm_query(text) for text in texts],
    }
    messages = [
        {"role": "system", "content": prompt.SYSTEM},
        {"role": "user", "content": prompt.opening(question, describe_all([context], [alias]))},
    ]
    for turn in range(1, turns + 1):
        text = reply(messages)
        solved.turns.append(text)
        [code] = _FENCE.findall(text)
        result = _failure() if turn <= fail_first else _run(code, names)
        if answer["ready"]:
            solved.answer, solved.ready = answer["content"], True
            return solved
        told = feedback.message([feedback.told_of([result], Outputs(4000))], question, turns=turns - turn)
        messages += [{"role": "assistant", "content": text}, {"role": "user", "content": told}]
    return solved


def _run(code: str, names: dict[str, Any]) -> CellResult:
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(code, "<cell>", "exec"), names)
    except Exception as error:  # noqa: BLE001 - whatever a cell raises is told to the solver
        told = {"type": type(error).__name__, "message": str(error), "traceback": traceback.format_exc()}
        return CellResult("error", 0.0, out.getvalue(), error=told)  # type: ignore[arg-type]  # a TypedDict's literal
    return CellResult("ok", 0.0, out.getvalue())


def _failure() -> CellResult:
    return CellResult("error", 0.0, error={"type": "ValueError", "message": "no", "traceback": "ValueError: no"})
