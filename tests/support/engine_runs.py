"""Runs to look at in which the engine had something to do: guards act, models check, long texts are read in parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rlm_kernel.trajectory import events as ev
from rlm_kernel.trajectory.records import Usage
from rlm_kernel.trajectory.run import Run
from support.sample_runs import cell, started, turn

__all__ = ["direct", "guarded", "unpriced"]

SPENT = Usage(1, 1_200, 60, 0.0004)
READ = 'notes = llm_query("What was decided?", context=minutes)'
DRAFT = 'answer["content"] = "to postpone"'
ANSWER = 'answer["ready"] = True'
DIRECT = "the context has 640 characters, less than direct_threshold=1,000"
REFUSED = "the answer was refused 2 times: no date is given"


def guarded(**changes: Any) -> Run:
    """Return a run with a brief, a draft, a text read in five parts, guards of every kind and a refused answer."""
    return Run.fold(_guarded(**changes))


def _guarded(cost: float | None = 0.0004) -> Iterator[ev.Event]:
    spent = Usage(1, 1_200, 60, cost)
    yield from started("What was decided, and when?", context="minutes", context_type="Folder")
    yield ev.Consulted(0, 0, "engineer", "gpt-5-nano", "Describe it.", "Minutes of a club.", "", spent, 0.8)
    yield ev.GuardActed(0, 0, "engineer", "the brief was cut to 2,000 characters")
    yield from turn(1, f"I read it.\n```repl\n{READ}\n```", usage=spent)
    yield from _mapped(spent)
    yield ev.GuardActed(0, 1, "context", "1 of 5 parts could not be read: the server did not answer in 30 s")
    yield from turn(2, f"A first version.\n```repl\n{DRAFT}\n```", usage=spent)
    yield from cell(2, DRAFT)
    yield ev.AnswerGiven(0, 2, "to postpone", "str", "to postpone", True, "answer", False)
    yield ev.GuardActed(0, 2, "soft_limit", "told to wrap up: tokens")
    yield ev.Consulted(0, 2, "compaction", "gpt-5-mini", "Sum it up.", "Parts read: 4 of 5.", "", spent, 1.1)
    yield ev.GuardActed(0, 2, "compaction", "2 turns were summed up")
    yield from turn(3, f"So:\n```repl\n{ANSWER}\n```", usage=spent)
    yield from cell(3, ANSWER)
    yield ev.Consulted(0, 3, "verifier", "gpt-5-mini", "Is it right?", "", "the server is gone", spent, 0.4)
    yield ev.GuardActed(0, 3, "verify_answer", "The answer must say when.\nIt gives\nno date.")
    yield ev.AnswerGiven(0, 3, "to postpone", "str", "to postpone", True, "answer", False, False)
    yield ev.CandidateEnded(0, "limit", REFUSED, "max_answer_retries")
    yield ev.RunEnded("limit", REFUSED, 0, "it is the only candidate", 12.4, "max_answer_retries")


def _mapped(spent: Usage) -> Iterator[ev.Event]:
    yield ev.CellStarted(0, 1, 1, READ)
    for number in range(1, 6):
        yield ev.SubcallStarted(0, number, None, "gpt-5-nano", f"part {number}", "map")
    for number in range(1, 6):
        error = "the server did not answer in 30 s" if number == 4 else ""
        yield ev.SubcallEnded(0, number, "" if error else f"facts {number}", error, spent, 0.9)
    yield ev.SubcallStarted(0, 6, None, "gpt-5-nano", "facts 1 to 5", "reduce")
    yield ev.SubcallEnded(0, 6, "to postpone", "", spent, 1.3)
    yield ev.SubcallStarted(0, 7, None, "gpt-5-nano", "Is that so?", "llm_query")
    yield ev.SubcallEnded(0, 7, "yes", "", spent, 0.2)
    yield ev.CellEnded(0, 1, 1, "ok", "to postpone\n", "", [], None, 3.1)


def unpriced() -> Run:
    """Return `guarded` from a server that tells no price."""
    return guarded(cost=None)


def direct() -> Run:
    """Return a run that was one call, whose answer a check accepted."""
    return Run.fold(_direct())


def _direct() -> Iterator[ev.Event]:
    yield from started("What was decided?", branch="", method="direct", route=DIRECT)
    yield from turn(1, "To postpone.", usage=SPENT)
    yield ev.AnswerGiven(0, 1, "To postpone.", "str", "To postpone.", True, "direct", True, True)
    yield ev.CandidateEnded(0, "answered", "the model gave its answer")
    yield ev.RunEnded("answered", "the model gave its answer", 0, "it is the only candidate", 0.9)
