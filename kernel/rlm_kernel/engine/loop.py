"""One trajectory: ask the model, run its cells on the branch, tell it what came of them, until it answers.

Every way out is an event: an answer, the limit on turns, an interrupt, or an error of the model's server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict

from ..branches.branch import Branch
from ..branches.result import CellResult, GivenAnswer
from ..errors import BranchError, ModelError, SubcallError
from ..models.client import ModelClient
from ..models.endpoint import Endpoint
from ..settings import Settings
from ..trajectory.events import (
    AnswerGiven,
    CandidateEnded,
    CandidateStarted,
    CellEnded,
    CellStarted,
    Event,
    ModelCalled,
    ModelReplied,
)
from ..trajectory.records import CellError, Message, Status
from . import prompt
from .reply import parse_reply
from .subcalls import Subcalls

__all__ = ["Trajectory"]


class Trajectory:
    """One candidate's way to an answer.

    Attributes:
        answer: the latest answer or draft.

    Args:
        question: as the user asked it.
        opening: the first user message, question and card.
        branch: a started branch, on which the cells run.
        client: asks the models of `endpoint`.
        endpoint: names the root and the sub model.
        settings: limits.
        emit: records events.
        candidate: its number.
        depth: 0 for a candidate, 1 for a child of one of its cells, and so on.

    """

    def __init__(
        self,
        question: str,
        opening: str,
        branch: Branch,
        client: ModelClient,
        endpoint: Endpoint,
        settings: Settings,
        emit: Callable[[Event], None],
        candidate: int = 0,
        depth: int = 0,
    ) -> None:
        self._question = question
        self._branch = branch
        self._client = client
        self._endpoint = endpoint
        self._model = endpoint.model if depth == 0 else endpoint.sub_model
        self._settings = settings
        self._emit = emit
        self._candidate = candidate
        self._messages = [_message("system", prompt.SYSTEM), _message("user", opening)]
        self._recorded = 0
        self._subcalls = Subcalls(
            client,
            endpoint.sub_model,
            candidate=candidate,
            emit=emit,
            timeout=settings.subcall_timeout,
            concurrency=settings.max_concurrency,
            descend=self._descend if depth < settings.max_depth else None,
        )
        self._depth = depth
        self.answer: GivenAnswer | None = None

    async def run(self) -> None:
        """Go on until there is an answer or a reason to stop; the reason is the last event.

        Raises:
            ModelError: the root model cannot be asked.
            BranchError: the branch is lost.
            asyncio.CancelledError: interrupted; the branch's processes are dead.

        """
        self._emit(CandidateStarted(self._candidate))
        try:
            answered = await self._turns()
        except asyncio.CancelledError:
            self._end("interrupted", "interrupted by the user")
            raise
        except (ModelError, BranchError) as error:
            self._end("failed", error.message)
            raise
        if answered:
            self._end("answered", "the model gave its answer")
        else:
            limit = self._settings.max_iterations
            self._end("limit", f"no final answer within max_iterations={limit}")

    async def _turns(self) -> bool:
        limit = self._settings.max_iterations
        for iteration in range(1, limit + 1):
            text = await self._ask(iteration)
            reply = parse_reply(text)
            left = limit - iteration
            if reply.blocks:
                results = await self._run_cells(iteration, reply.blocks)
                self._branch.name_state(iteration)
                if results[-1].answer is not None and results[-1].answer.final:
                    return True
                told = prompt.feedback(results, self._question, limit=self._settings.output_limit, left=left)
            elif reply.unclosed:
                told = prompt.unclosed(self._question, left=left)
            else:
                told = prompt.no_code(self._question, left=left)
            self._messages += [_message("assistant", text), _message("user", told)]
        return False

    async def _descend(self, question: str, card: str, branch: Branch, emit: Callable[[Event], None]) -> str:
        """Run the child trajectory of an `rlm_query`, on its own branch; return its answer as text."""
        await branch.start()
        child = Trajectory(
            question,
            prompt.opening(question, card),
            branch,
            self._client,
            self._endpoint,
            self._settings,
            emit,
            depth=self._depth + 1,
        )
        await child.run()
        if child.answer is None:
            raise SubcallError("the child found no answer within its turns")
        return child.answer.text

    async def _ask(self, iteration: int) -> str:
        self._emit(ModelCalled(self._candidate, iteration, self._messages[self._recorded :]))
        self._recorded = len(self._messages)
        done = await self._client.complete(self._messages, self._model)
        self._emit(
            ModelReplied(
                self._candidate, iteration, done.text, done.reasoning, done.finish_reason, done.usage, done.seconds
            )
        )
        return done.text

    async def _run_cells(self, iteration: int, blocks: list[str]) -> list[CellResult]:
        """Run the blocks in order and stop at the first that fails or answers."""
        results: list[CellResult] = []
        for number, code in enumerate(blocks, 1):
            result = await self._run_cell(iteration, number, code)
            results.append(result)
            if result.outcome != "ok" or (result.answer is not None and result.answer.final):
                break
        return results

    async def _run_cell(self, iteration: int, number: int, code: str) -> CellResult:
        self._emit(CellStarted(self._candidate, iteration, number, code))
        try:
            result = await self._branch.run(code, timeout=self._settings.timeout, serve=self._subcalls.serve)
        except asyncio.CancelledError:
            self._emit(self._stopped(iteration, number))
            raise
        self._emit(
            CellEnded(
                self._candidate,
                iteration,
                number,
                result.outcome,
                result.stdout,
                result.stderr,
                result.displays,
                result.error,
                result.seconds,
                result.rolled_back,
                result.diff,
            )
        )
        if result.answer is not None and result.answer != self.answer:
            self.answer = result.answer
            given = asdict(result.answer)
            del given["problem"]
            self._emit(AnswerGiven(self._candidate, iteration, **given))
        return result

    def _stopped(self, iteration: int, number: int) -> CellEnded:
        stdout, stderr = self._branch.output_so_far()
        reason = CellError(type="interrupted", message="the user interrupted it", traceback="")
        return CellEnded(self._candidate, iteration, number, "interrupted", stdout, stderr, [], reason, 0.0)

    def _end(self, status: Status, reason: str) -> None:
        self._emit(CandidateEnded(self._candidate, status, reason))


def _message(role: str, content: str) -> Message:
    return Message(role=role, content=content)
