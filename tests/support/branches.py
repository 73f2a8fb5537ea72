"""Branches for tests: one of a given kind, and the proof that nothing got away from it.

    async with branch_of("fork", {"rows": [1]}) as branch:
        result = await branch.run("rows.append(2); rows", timeout=5, serve=no_calls)

Whoever is orphaned below a branch falls to the next subreaper above it. `nothing_escapes` makes that this very
process, so a daemon that slips away from its nanny turns up here instead of with process 1, and is named.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from rlm_kernel.branches.branch import Branch, Serve
from rlm_kernel.branches.host import open_branch
from rlm_kernel.branches.linux import descendants, kill_below
from rlm_kernel.branches.process import ProcessBranch
from rlm_kernel.branches.result import CellResult
from rlm_kernel.errors import SubcallError
from rlm_kernel.vocabulary.kit import Kit
from support.leftovers import nothing_left

__all__ = [
    "EVERY_KIND",
    "KINDS",
    "answers_of",
    "branch_of",
    "children_of",
    "no_calls",
    "nothing_escapes",
    "on",
    "open_of",
    "printed",
    "processes_below",
    "ran",
    "session_of",
]

KINDS = ["fork", "spawn"]
"""The kinds of branches that every test of containment goes through."""

EVERY_KIND = [*KINDS, "kernel:python3"]
"""The kinds that a question can be asked on."""

_Story = Callable[[str], Coroutine[Any, Any, None]]

_SET_CHILD_SUBREAPER = 36  # prctl(2)


def open_of(kind: str, namespace: dict[str, Any], context: Any = None) -> ProcessBranch:
    """Open a branch of a kind, not yet started; the names in `namespace` are there in each."""
    branch = open_branch(namespace, Kit((context,)), kind=kind, ship=namespace)
    assert isinstance(branch, ProcessBranch)
    return branch


@asynccontextmanager
async def branch_of(kind: str, namespace: dict[str, Any], context: Any = None) -> AsyncIterator[ProcessBranch]:
    """Open a branch of a kind, start it, and close it afterwards."""
    branch = open_of(kind, namespace, context)
    try:
        await branch.start()
        yield branch
    finally:
        branch.close()


@asynccontextmanager
async def session_of(kind: str, kit: Kit, **namespace: Any) -> AsyncIterator[Branch]:
    """Open a branch of any kind with a kit and variables, start it, and close it afterwards."""
    branch = open_branch(namespace, kit, kind=kind, ship=list(namespace))
    try:
        await branch.start()
        yield branch
    finally:
        branch.close()


async def ran(branch: Branch, code: str, serve: Serve | None = None, timeout: float = 30) -> CellResult:
    """Run a cell that must end well."""
    result = await branch.run(code, timeout=timeout, serve=serve or no_calls)
    assert result.outcome == "ok", result.error
    return result


async def answers_of(name: str, arguments: dict[str, Any]) -> Any:
    """Answer a child's question, which is code, with what the code answers; sub-calls in capitals; tools with the call.

    Raises:
        SubcallError: the code raises, or answers nothing.

    """
    if name == "llm_query":
        return [{"text": prompt.upper()} for prompt in arguments["prompts"]]
    if name == "tool":
        return arguments
    branch: Branch = arguments["branch"]
    await branch.start()
    result = await branch.run(arguments["prompt"], timeout=60, serve=answers_of)
    if result.answer is None:
        raise SubcallError(result.error["message"] if result.error else "no answer")
    return {"text": result.answer.text, "value": result.answer.value, "exact": result.answer.exact}


async def no_calls(name: str, arguments: Mapping[str, Any]) -> Any:
    """Refuse every call from inside a cell."""
    raise SubcallError(f"{name} is not served in this test")


def children_of(pid: int) -> list[int]:
    """Return the living children of a process, oldest first."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(child) for thread in threads for child in thread.read_text().split())


def processes_below(pid: int, name: str) -> list[int]:
    """Return the living descendants of a process that the system lists as `name`, for example `rlm-runner`."""
    return sorted(pid for pid in descendants(pid) if Path(f"/proc/{pid}/comm").read_text().strip() == name)


@contextmanager
def nothing_escapes() -> Iterator[None]:
    """Demand that this process has no more children, threads and descriptors afterwards, not even adopted ones.

    Raises:
        AssertionError: there is more; it is named. What escaped has been killed by then.

    """
    mine = set(children_of(os.getpid()))
    libc = ctypes.CDLL(None)
    libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        with nothing_left():
            yield
            _bury_orphans(mine)
    finally:
        libc.prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        kill_below(os.getpid(), mine)


def _bury_orphans(mine: set[int], limit: float = 5.0) -> None:
    """Wait for adopted processes that are dying: each is a zombie until its new parent looks, and may leave others."""
    end = time.monotonic() + limit
    while (orphans := set(children_of(os.getpid())) - mine) and time.monotonic() < end:
        psutil.wait_procs([psutil.Process(pid) for pid in orphans], timeout=0.1)


async def printed(branch: ProcessBranch, text: str, seen: str = "") -> None:
    """Wait until the branch has printed `text`; what it has printed so far is used up, `seen` is what already was.

    Raises:
        TimeoutError: it does not.

    """
    async with asyncio.timeout(20):
        while text not in seen:
            seen += branch.output_so_far()[0]
            await asyncio.sleep(0)


def on(kinds: list[str]) -> Callable[[Callable[[str], Coroutine[Any, Any, None]]], Callable[[str], None]]:
    """Make a test for each kind of branch of a coroutine function."""

    def made(story: _Story) -> Callable[[str], None]:
        @pytest.mark.parametrize("kind", kinds)
        def test(kind: str) -> None:
            asyncio.run(story(kind))

        test.__name__ = story.__name__
        test.__doc__ = story.__doc__
        return test

    return made
