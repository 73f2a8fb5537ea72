"""Children: what an `rlm_query` starts on the branch that its cell has forked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..branches.branch import Branch
from ..branches.result import GivenAnswer
from ..errors import SubcallError
from ..trajectory.events import Event
from .budget import Limit
from .task import Task
from .tree import Tree

__all__ = ["Descent"]


class _Child(Protocol):
    answer: GivenAnswer | None
    limit: Limit | None

    async def run(self) -> None: ...


class Descent:
    """Starts the children of one trajectory.

    Args:
        tree: the run's shared side; children share it.
        trajectory: makes a trajectory: (tree, task, branch, emit, candidate, depth).
        depth: of the trajectory whose children they are.

    """

    def __init__(self, tree: Tree, trajectory: Callable[..., _Child], depth: int) -> None:
        self._tree = tree
        self._trajectory = trajectory
        self._depth = depth

    async def descend(
        self,
        question: str,
        card: str,
        branch: Branch,
        emit: Callable[[Event], None],
        max_iterations: int | None = None,
    ) -> dict[str, Any]:
        """Run a child to its end; return its answer as `text`, and as `value` where JSON holds it (`exact`).

        A child that a limit stopped answers with its draft, and the text says so.

        Raises:
            SubcallError: it may go no deeper, or the child found no answer.
            ModelError, BranchError: the child failed.

        """
        if self._depth >= self._tree.settings.max_depth:
            raise SubcallError("rlm_query goes no deeper from here; use llm_query, with the text in the prompt")
        task = Task(question, f"`context`:\n{card}", max_iterations=max_iterations)
        await branch.start()
        child = self._trajectory(self._tree, task, branch, emit, 0, self._depth + 1)
        await child.run()
        given = child.answer
        if given is None:
            reason = f": {child.limit.sentence}" if child.limit else ""
            raise SubcallError(f"the child found no answer{reason}")
        if child.limit is not None:
            return {"text": f"{given.text}\n[a draft: {child.limit.sentence}]", "value": None, "exact": False}
        return {"text": given.text, "value": given.value, "exact": given.exact}
