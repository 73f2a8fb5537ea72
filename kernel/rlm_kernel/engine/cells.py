"""Running the cells of one turn on the branch, with an event for everything that happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ..branches.branch import Branch, Serve
from ..branches.result import CellResult
from ..trajectory.events import CellEnded, CellStarted, Event
from ..trajectory.records import CellError

__all__ = ["Cells"]


class Cells:
    """Runs cells for one trajectory.

    Args:
        branch: a started branch.
        serve: answers what the cells ask.
        emit: records events.
        candidate: whose cells they are.

    Attributes:
        went_well: how many looks at the context ended without error, or with an answer.

    """

    def __init__(self, branch: Branch, serve: Serve, emit: Callable[[Event], None], candidate: int) -> None:
        self._branch = branch
        self._serve = serve
        self._emit = emit
        self._candidate = candidate
        self.went_well = 0

    async def run(
        self, blocks: Sequence[str], iteration: int, timeout: Callable[[], float], *, look: bool = False
    ) -> list[CellResult]:
        """Run the blocks in order, each once, and stop at the first that fails or answers.

        Args:
            blocks: code.
            iteration: the turn they belong to.
            timeout: how many seconds the next of them may take.
            look: whether they count as looks at the context.

        Raises:
            BranchDied: the session is lost.
            asyncio.CancelledError: interrupted; the branch's processes are dead.

        """
        results: list[CellResult] = []
        for code in blocks:
            result = await self._run_one(code, iteration, len(results) + 1, timeout())
            results.append(result)
            answered = result.answer is not None and result.answer.final
            self.went_well += look and (result.outcome == "ok" or answered)
            if result.outcome != "ok" or answered:
                break
        return results

    async def _run_one(self, code: str, iteration: int, number: int, timeout: float) -> CellResult:
        self._emit(CellStarted(self._candidate, iteration, number, code))
        try:
            result = await self._branch.run(code, timeout=timeout, serve=self._serve)
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
        return result

    def _stopped(self, iteration: int, number: int) -> CellEnded:
        stdout, stderr = self._branch.output_so_far()
        reason = CellError(type="interrupted", message="the user interrupted it", traceback="")
        return CellEnded(self._candidate, iteration, number, "interrupted", stdout, stderr, [], reason, 0.0)
