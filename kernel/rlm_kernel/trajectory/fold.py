"""How each event changes a `Run`: the fold, one function per event."""

from __future__ import annotations

from functools import singledispatch

from . import events as ev
from .run import Run
from .steps import Answer, Candidate, Cell, Consultation, GuardNote, Iteration, SubCall

__all__ = ["apply"]


@singledispatch
def apply(event: ev.Event, run: Run) -> None:
    """Add one event to a run; events of unknown types change nothing."""


@apply.register
def _(e: ev.RunStarted, run: Run) -> None:
    run.id, run.started, run.question = e.run_id, e.started, e.question
    run.context, run.context_type, run.card = e.context, e.context_type, e.card
    run.model, run.sub_model, run.base_url = e.model, e.sub_model, e.base_url
    run.offline, run.settings = e.offline, e.settings
    run.branch, run.branch_reason = e.branch, e.reason
    run.method, run.route = e.method, e.route


@apply.register
def _(e: ev.CandidateStarted, run: Run) -> None:
    run.candidates.append(Candidate(e.candidate))


@apply.register
def _(e: ev.ModelCalled, run: Run) -> None:
    turns = run.candidates[e.candidate].iterations
    if turns and turns[-1].index == e.iteration:  # asked again: the first request was too long for the server
        turns[-1].messages, turns[-1].kept = e.messages, e.kept
    else:
        turns.append(Iteration(e.iteration, e.messages, e.kept))


@apply.register
def _(e: ev.ModelReplied, run: Run) -> None:
    turn = _turn(run, e.candidate)
    turn.text, turn.reasoning, turn.finish_reason = e.text, e.reasoning, e.finish_reason
    turn.usage, turn.seconds = e.usage, e.seconds


@apply.register
def _(e: ev.CellStarted, run: Run) -> None:
    _turn(run, e.candidate).cells.append(Cell(e.cell, e.code))


@apply.register
def _(e: ev.SubcallStarted, run: Run) -> None:
    cell = _turn(run, e.candidate).cells[-1]
    cell.subcalls.append(SubCall(e.subcall, e.batch, e.model, e.prompt, e.kind))


@apply.register
def _(e: ev.ChildEvent, run: Run) -> None:
    call = _subcall(run, e.candidate, e.subcall)
    happened = ev.event_from_json(e.event)
    if call is not None and happened is not None:
        call.child = call.child or Run()
        call.child.apply(happened)


@apply.register
def _(e: ev.SubcallEnded, run: Run) -> None:
    call = _subcall(run, e.candidate, e.subcall)
    if call is not None:
        call.text, call.error, call.usage, call.seconds = e.text, e.error, e.usage, e.seconds


@apply.register
def _(e: ev.CellEnded, run: Run) -> None:
    cell = _turn(run, e.candidate).cells[-1]
    cell.outcome, cell.stdout, cell.stderr, cell.displays = e.outcome, e.stdout, e.stderr, e.displays
    cell.error, cell.seconds, cell.rolled_back, cell.diff = e.error, e.seconds, e.rolled_back, e.diff


@apply.register
def _(e: ev.Consulted, run: Run) -> None:
    asked = Consultation(e.role, e.model, e.prompt, e.text, e.error, e.usage, e.seconds)
    _place(run, e.candidate).consultations.append(asked)


@apply.register
def _(e: ev.GuardActed, run: Run) -> None:
    _place(run, e.candidate).guards.append(GuardNote(e.guard, e.detail))


@apply.register
def _(e: ev.AnswerGiven, run: Run) -> None:
    given = Answer(e.text, e.value_type, e.value, e.exact, e.via, e.final, e.verified)
    _turn(run, e.candidate).answer = given


@apply.register
def _(e: ev.CandidateEnded, run: Run) -> None:
    candidate = run.candidates[e.candidate]
    candidate.status, candidate.stop_reason, candidate.limit = e.status, e.stop_reason, e.limit


@apply.register
def _(e: ev.Kept, run: Run) -> None:
    run.kept, run.refused = e.kept, e.refused


@apply.register
def _(e: ev.RunEnded, run: Run) -> None:
    run.status, run.stop_reason, run.winner = e.status, e.stop_reason, e.winner
    run.why, run.seconds, run.limit = e.why, e.seconds, e.limit


def _turn(run: Run, candidate: int) -> Iteration:
    return run.candidates[candidate].iterations[-1]


def _place(run: Run, candidate: int) -> Iteration | Candidate:
    """Return where a note belongs: to the latest turn, and before the first to the candidate itself."""
    chosen = run.candidates[candidate]
    return chosen.iterations[-1] if chosen.iterations else chosen


def _subcall(run: Run, candidate: int, index: int) -> SubCall | None:
    calls = reversed(_turn(run, candidate).cells[-1].subcalls)
    return next((call for call in calls if call.index == index), None)
