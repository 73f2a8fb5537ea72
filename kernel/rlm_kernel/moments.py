"""Time travel: `run.at(3)` is the session as it was after iteration 3, to look at and to try things in.

Each look happens on a fork of the checkpoint, which itself never changes, so two looks never see each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

from .background import Job, at_close
from .branches.branch import Branch
from .branches.keep import unpack
from .branches.parking import Cleaned, lot
from .branches.result import CellResult
from .errors import BranchError, KeepError, SubcallError

__all__ = ["Moment", "Moments", "clean"]

T = TypeVar("T")

_RESULT = "_rlm_moment"


class Moments:
    """The parked states of one run's candidates.

    Args:
        branches: each candidate's branch.
        namespace: the user's variables, into which `keep` brings back.
        timeout: time limit of one look, in seconds.

    """

    def __init__(self, branches: dict[int, Branch], namespace: dict[str, Any], timeout: float) -> None:
        self._branches = branches
        self._namespace = namespace
        self._timeout = timeout

    def at(self, iteration: int, candidate: int) -> Moment:
        """Return the session of `candidate` as it was after `iteration`."""
        return Moment(self._branches[candidate], iteration, self._namespace, self._timeout)


class Moment:
    """A session as it was after one iteration. Every method raises `BranchError` if its checkpoint is gone."""

    def __init__(self, branch: Branch, iteration: int, namespace: dict[str, Any], timeout: float) -> None:
        self._branch = branch
        self._iteration = iteration
        self._namespace = namespace
        self._timeout = timeout

    def vars(self) -> list[dict[str, str]]:
        """Return the variables of that time: name, type, one line about the value (`preview`), and a `card` of it."""

        async def look(visit: Branch) -> list[dict[str, str]]:
            return await visit.variables()

        return self._visit(look)

    def run(self, code: str) -> CellResult:
        """Run a cell there, and return what came of it; it changes nothing for anybody else."""

        async def look(visit: Branch) -> CellResult:
            return await visit.run(code, timeout=self._timeout, serve=_no_calls)

        return self._visit(look)

    def eval(self, expression: str) -> Any:
        """Return the value of `expression` there, brought here.

        Raises:
            BranchError: the expression fails.
            KeepError: its value cannot travel.

        """

        async def look(visit: Branch) -> Any:
            done = await visit.run(f"{_RESULT} = (\n{expression}\n)", timeout=self._timeout, serve=_no_calls)
            if done.error is not None:
                raise BranchError(f"{expression}: {done.error['type']}: {done.error['message']}")
            return (await _brought(visit, _RESULT))[_RESULT]

        return self._visit(look)

    def keep(self, *names: str) -> list[str]:
        """Bind variables of that time in the notebook, under their names; return the names.

        Raises:
            KeepError: one of them does not exist there, or cannot travel; then none is bound.

        """

        async def look(visit: Branch) -> dict[str, Any]:
            return await _brought(visit, *names)

        self._namespace.update(self._visit(look))
        return list(names)

    def _visit(self, look: Callable[[Branch], Awaitable[T]]) -> T:
        async def visiting() -> T:
            lot.look(self._branch, self._iteration)
            visit = await self._branch.visit(self._iteration)
            try:
                await visit.start()
                return await look(visit)
            finally:
                visit.close()

        return Job(visiting()).wait(lambda: None)


async def _brought(visit: Branch, *names: str) -> dict[str, Any]:
    parcel = await visit.keep(",".join(names))
    values = unpack(parcel, visit.snapshot)
    for refused in parcel.refused:
        if refused["name"] in names:
            raise KeepError(f"{refused['name']} cannot be brought back: {refused['reason']}")
    if missing := [name for name in names if name not in values]:
        raise KeepError(f"There is no variable {missing[0]!r} at that time.", "see .vars()")
    return {name: values[name] for name in names}


async def _no_calls(*_: object) -> NoReturn:
    raise SubcallError("sub-calls are not available when looking back")


def clean() -> Cleaned:
    """Drop all parked checkpoints of this process; return how many, and how much memory only they held."""

    async def cleaning() -> Cleaned:
        return lot.clean("it was dropped by clean")

    return Job(cleaning()).wait(lambda: None)


at_close(lambda: lot.clean("the kernel was shutting down"))
