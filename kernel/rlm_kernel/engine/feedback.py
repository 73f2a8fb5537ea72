"""What the model is told after a turn: each cell's outcome and output, what changed, what is left, the question again.

One message per turn. It names the cells by number and does not repeat their code. Errors are never cut away: a
traceback is what the next cell is written from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..branches.result import CellResult
from .outputs import Outputs
from .prompt import QUESTION_HEADING
from .shaping import clip

__all__ = ["Changed", "failure_note", "message", "told_of"]

_TRACEBACK = 2_500
_FAILURE = 800
"""Characters of the error that stay of an attempt that was left out (prehend's `clean_retry_on_error`)."""
_LISTED = 8
_PREVIEW = 60


class Changed:
    """Remembers in which turn each variable was made, and tells of those that a turn made or changed."""

    def __init__(self) -> None:
        self._made: dict[str, int] = {}

    def line(self, results: Sequence[CellResult], turn: int) -> str:
        """Return one line about what the cells of a turn did to variables; empty if they did nothing."""
        facts: dict[str, str] = {}
        for result in results:
            facts.update(self._facts(result.diff, turn))
        if not facts:
            return ""
        more = f"; and {len(facts) - _LISTED} more" if len(facts) > _LISTED else ""
        return f"variables: {'; '.join(list(facts.values())[:_LISTED])}{more}"

    def _facts(self, diff: Mapping[str, Any], turn: int) -> Iterable[tuple[str, str]]:
        for event in ("added", "rebound", "changed", "removed"):
            for change in diff.get(event, ()):
                name = change["name"]
                made = self._made.setdefault(name, turn)
                if event == "removed":
                    self._made.pop(name)
                    yield name, f"{name} is gone"
                    continue
                state = "new" if event == "added" or made == turn else f"changed, made in turn {made}"
                preview = " ".join(str(change.get("preview", "")).split())
                yield name, f"{name} = {clip_line(preview)} ({change['type']}, {state})"


def clip_line(text: str) -> str:
    """Return the first characters of a line that only has to be recognised."""
    return text if len(text) <= _PREVIEW else f"{text[:_PREVIEW]}…"


def told_of(results: Sequence[CellResult], outputs: Outputs) -> str:
    """Return what came of the cells of a turn, in order."""
    return "\n\n".join(_cell(number, result, outputs) for number, result in enumerate(results, 1))


def message(parts: Iterable[str], question: str, *, turns: int) -> str:
    """Return a turn's message: its parts, then the question and how many turns are left."""
    left = "This is your last turn: answer now." if turns == 1 else f"{turns} turns left."
    said = "\n\n".join(part for part in parts if part)
    return f"{said}\n\n{QUESTION_HEADING}\n{question}\n({left})"


def failure_note(results: Sequence[CellResult], again: str, question: str, *, turns: int) -> str:
    """Return what is said in the place of a turn that failed and was left out; `again` if it was not the first such."""
    error = next((r.error for r in results if r.error), None)
    reason = f"{error['type']}: {error['message']}" if error else "it failed"
    note = f"Your last attempt failed and was left out: {reason[:_FAILURE]}\nStart again with something simpler."
    return message([note, again], question, turns=turns)


def _cell(number: int, result: CellResult, outputs: Outputs) -> str:
    parts = [f"[cell {number}: {_headline(result)}]", *outputs.shape(result)]
    if result.error and result.error["traceback"]:
        parts.append(clip(result.error["traceback"].rstrip(), _TRACEBACK))
    parts.extend(result.notes)
    if len(parts) == 1:
        parts.append("(no output; print what you want to see)")
    return "\n".join(parts)


def _headline(result: CellResult) -> str:
    if result.outcome in ("ok", "error"):
        return result.outcome
    reason = result.error["message"] if result.error else ""
    names = ", ".join(result.rolled_back)
    undone = f" As they were before it, or undefined if they were: {names}." if names else ""
    return f"{result.outcome}: {reason}. The cell was stopped and everything it did to variables undone.{undone}"
