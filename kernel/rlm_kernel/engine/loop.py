"""One trajectory: ask the model, run its cells on the branch, tell it what came of them, until it answers.

    limits → make room → ask → run the cells → judge the answer → tell → …

Every way out is an event: an answer, a limit, an interrupt, or an error of the model's server. An answer given in the
turn that crosses a limit is still the answer; a draft is the answer if a limit comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict

from ..branches.branch import Branch
from ..branches.parking import lot
from ..branches.result import CellResult, GivenAnswer
from ..errors import BranchError, ModelError, RecordingError
from ..models.client import Completion
from ..trajectory.events import AnswerGiven, CandidateEnded, CandidateStarted, Event
from . import prompt
from .asking import Asker
from .budget import Limit
from .cells import Cells
from .conversation import Conversation
from .descent import Descent
from .engineer import write_brief
from .final import answer_in_words
from .judging import Judge, Verdict
from .parts import system_prompt
from .prose import as_cell
from .reply import Reply, parse_reply
from .subcalls import Subcalls
from .task import Task
from .telling import Teller
from .tree import Tree

__all__ = ["Trajectory"]

_IN_WORDS = ("max_iterations", "max_errors", "max_repeats")
"""Limits at which the model may still say its answer in words; the others leave nothing to pay for that."""


class Trajectory:
    """One candidate's way to an answer, or a child's.

    Args:
        tree: the run's shared side.
        task: what is to be done.
        branch: a started branch, on which the cells run.
        emit: records events.
        candidate: its number.
        depth: 0 for a candidate, 1 for a child of one of its cells, and so on.

    Attributes:
        conversation: its messages.
        answer: the accepted answer, else the latest draft.
        held: whether the session still holds that answer, and not a later one that was refused.
        limit: what stopped it before it had an accepted answer, if something did.

    """

    def __init__(
        self, tree: Tree, task: Task, branch: Branch, emit: Callable[[Event], None], candidate: int = 0, depth: int = 0
    ) -> None:
        self._tree = tree
        self._branch = branch
        self._emit = emit
        self._candidate = candidate
        self._model = tree.endpoint.model if depth == 0 else tree.endpoint.sub_model
        self._turns_allowed = task.turns(tree.settings, depth)
        self._task = task
        self._depth = depth
        opening = prompt.opening(task.question, task.cards)
        self.conversation = Conversation(system_prompt(tree, depth=depth, earlier=task.earlier), opening)
        self._asker = Asker(tree, self.conversation, self._model, emit, candidate, depth)
        self._subcalls = Subcalls(
            tree,
            candidate=candidate,
            depth=depth,
            emit=emit,
            question=task.question,
            card=task.cards,
            descend=Descent(tree, Trajectory, depth).descend,
        )
        self._cells = Cells(branch, self._subcalls.serve, emit, candidate)
        self._judge = Judge(tree, task.question, emit, candidate, depth)
        self._teller = Teller(tree, task.question, emit, candidate)
        self._iteration = 0
        self._failed_turns = 0
        self.answer: GivenAnswer | None = None
        self.held = False
        self.limit: Limit | None = None

    async def run(self) -> None:
        """Go on until there is an answer or a reason to stop; the reason is the last event.

        Raises:
            ModelError: the root model cannot be asked.
            RecordingError: a strict replay left its recording, or the recording is damaged.
            BranchError: the branch is lost.
            asyncio.CancelledError: interrupted; the branch's processes are dead.

        """
        self._emit(CandidateStarted(self._candidate))
        try:
            await self._prepare()
            self.limit = await self._turns()
            if self.limit is not None and self.limit.name in _IN_WORDS:
                await self._last_words()
            self._tree.client.check()  # a cell may have taken it for a failed sub-call
        except asyncio.CancelledError:
            self._emit(CandidateEnded(self._candidate, "interrupted", "interrupted by the user"))
            raise
        except (ModelError, BranchError, RecordingError) as error:
            self._emit(CandidateEnded(self._candidate, "failed", error.message))
            raise
        if self.limit is None:
            self._emit(CandidateEnded(self._candidate, "answered", "the model gave its answer"))
        else:
            self._emit(CandidateEnded(self._candidate, "limit", self.limit.sentence, self.limit.name))

    async def _prepare(self) -> None:
        """Have the context engineer write a brief, where that is wanted, and put it into the opening."""
        if self._depth == 0:
            brief = await write_brief(self._tree, self._emit, self._candidate, text=self._task.cards)
            self.conversation.open_with(prompt.opening(self._task.question, self._task.cards, brief))

    async def _turns(self) -> Limit | None:
        """Take turns until an answer is accepted (`None`) or a limit is reached."""
        while (limit := self._reached()) is None:
            self._iteration += 1
            left = self._turns_allowed - self._iteration
            self._subcalls.turn(self._iteration, left)
            done = await self._asker.ask(self._iteration, self._teller.reminder(left + 1))
            if done is None:
                continue  # the time is over
            reply = _read(done)
            results = await self._run(reply)
            verdict = await self._judged(results)
            if verdict is not None and (verdict.limit or not verdict.feedback):
                self.conversation.end(done.text)
                return verdict.limit
            refusal = verdict.feedback if verdict else ""
            update = self._teller.tell(
                self.conversation,
                done.text,
                reply,
                results,
                refusal,
                iteration=self._iteration,
                left=left,
                loops=self._asker.loops,
            )
            self._branch.update(update)
        return limit

    def _reached(self) -> Limit | None:
        settings, repeats = self._tree.settings, self._teller.repeats
        if (limit := self._tree.budget.spent()) is not None:
            return limit
        if repeats.stuck:
            sentence = f"the same code came {repeats.count} times (max_repeats={settings.max_repeats})"
            return Limit("max_repeats", settings.max_repeats, repeats.count, sentence)
        if settings.max_errors is not None and self._failed_turns >= settings.max_errors:
            sentence = f"{self._failed_turns} turns in a row had a failing cell (max_errors={settings.max_errors})"
            return Limit("max_errors", settings.max_errors, self._failed_turns, sentence)
        if self._iteration >= self._turns_allowed:
            sentence = f"no final answer within max_iterations={self._turns_allowed}"
            return Limit("max_iterations", self._turns_allowed, self._iteration, sentence)
        return None

    async def _run(self, reply: Reply) -> list[CellResult]:
        """Run the reply's cells; an answer in words alone is run as the cell that gives it."""
        in_words = reply.prose is not None and not reply.blocks
        blocks: Sequence[str] = [as_cell(reply.prose)] if in_words and reply.prose else reply.blocks
        results = await self._cells.run(blocks, self._iteration, self._cell_time, look=not in_words)
        if results:
            self._branch.name_state(self._iteration)
            lot.thin(self._branch, self._tree.settings.checkpoints)
            self._failed_turns = self._failed_turns + 1 if results[-1].outcome != "ok" else 0
        return results

    def _cell_time(self) -> float:
        left, timeout = self._tree.budget.seconds_left(), self._tree.settings.timeout
        return timeout if left is None else max(min(timeout, left), 0.01)

    # ----- the answer ----------------------------------------------------------------------------------------

    async def _judged(self, results: Sequence[CellResult]) -> Verdict | None:
        """Judge the final answer that the cells gave, if they gave one, and note it; note a draft as such."""
        given = results[-1].answer if results else None
        if given is None or not given.final:
            if given is not None and given != self.answer:
                self._note(given, final=False)
            return None
        verdict = await self._judge.judge(
            given,
            results,
            self._iteration,
            cells_ok=self._cells.went_well,
            subcalls=self._subcalls.made,
            told=self._subcalls.told,
        )
        self.held = False
        if verdict.limit or not verdict.feedback:
            self._note(given, final=verdict.limit is None, verified=verdict.verified)
        return verdict

    def _note(self, given: GivenAnswer, *, final: bool, verified: bool | None = None) -> None:
        self.answer, self.held = given, True
        facts = {**asdict(given), "final": final}
        del facts["problem"]
        self._emit(AnswerGiven(self._candidate, self._iteration, **facts, verified=verified))

    async def _last_words(self) -> None:
        if self.answer is not None or not self._tree.settings.final_turn:
            return
        given = await answer_in_words(
            self._tree,
            self.conversation,
            self._cells,
            model=self._model,
            emit=self._emit,
            candidate=self._candidate,
            iteration=self._iteration,
        )
        if given is not None:
            self._note(given, final=False)


def _read(done: Completion) -> Reply:
    """Return what is in a reply; one that a guard stopped is no whole reply, and nothing of it runs."""
    if done.stopped:
        return Reply(cut=done.stopped == "repeat_guard")
    return parse_reply(done.text, done.finish_reason)
