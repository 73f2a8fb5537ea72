"""A process of a branch is killed or stopped, or talks nonsense, at any step: the outcome has a name, nothing hangs."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys

import pytest

from rlm_kernel.branches import household, process
from rlm_kernel.branches.process import ProcessBranch
from rlm_kernel.branches.result import CellResult
from rlm_kernel.errors import BranchDied, KeepError
from support.branches import KINDS, children_of, no_calls, nothing_escapes, open_of
from support.protocol_steps import PATIENCE, STEPS, Stand, runner_of

FAULTS = {
    "nanny killed": ("nanny", signal.SIGKILL),
    "nanny stopped": ("nanny", signal.SIGSTOP),
    "runner killed": ("runner", signal.SIGKILL),
    "runner stopped": ("runner", signal.SIGSTOP),
    "nonsense": ("runner", signal.SIGUSR1),
}
HARMLESS = {("nanny stopped", "ready"), ("nanny stopped", "sent"), ("nanny stopped", "asking")}
"""A stopped nanny is missed only when somebody must be started or has died."""


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the limits for a process that does not answer at all be as short as those for cells."""
    for module in (household, process):
        monkeypatch.setattr(module, "START_LIMIT", 4 * PATIENCE)  # a fresh Python is slow on a busy machine
    monkeypatch.setattr(process, "_KEEP_LIMIT", PATIENCE)


def inject(fault: str) -> None:
    """Send the signal; a process that was killed is gone afterwards."""
    name, sig = FAULTS[fault]
    pid = runner_of() if name == "runner" else children_of(os.getpid())[-1]
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, sig)
        if sig == signal.SIGKILL:
            select.select([pidfd], [], [], 20)
    finally:
        os.close(pidfd)


async def outcome_of(stand: Stand, branch: ProcessBranch) -> str:
    """Return how the wait at a step ends: an outcome, or the name of the error; a session goes on with what it had."""
    try:
        async with asyncio.timeout(20):
            result = await stand.outcome
    except (BranchDied, KeepError) as error:
        return type(error).__name__
    assert isinstance(result, CellResult)
    look = await branch.run("(kept, globals().get('latest'))", timeout=20, serve=no_calls)
    # A runner that dies between two cells takes the latest one with it, and that has to be said.
    assert look.value_text == ("(7, None)" if "latest" in result.rolled_back else "(7, 8)"), look
    return result.outcome


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
def test_a_fault_has_a_name_and_an_end(kind: str, step: str, fault: str) -> None:
    if step == "opened" and not fault.startswith("nanny"):
        pytest.skip("there is no runner yet")

    async def story() -> str:
        branch = open_of(kind, {}, context="")
        try:
            stand = Stand()
            await stand.reach(step, branch)
            inject(fault)
            if step == "sent" and fault not in ("runner killed", "runner stopped", "nanny killed"):
                os.kill(runner_of(), signal.SIGCONT)
            stand.answering.set()
            return await outcome_of(stand, branch)
        finally:
            branch.close()

    with nothing_escapes():
        outcome = asyncio.run(story())
    assert outcome in allowed(step, fault)


def allowed(step: str, fault: str) -> set[str]:
    if step == "opened":
        return {"BranchDied"}
    if step == "packing":
        return {"KeepError"}
    if (fault, step) in HARMLESS:
        return {"ok"}
    if fault == "nanny killed":
        return {"died", "BranchDied"}
    return {"timeout"} if "stopped" in fault else {"died"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_kernel_takes_its_branches_with_it(kind: str, step: str) -> None:
    with nothing_escapes():
        command = [sys.executable, "-m", "support.protocol_steps", kind, step]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as kernel:
            assert kernel.stdout is not None
            assert kernel.stdout.readline().strip() == step
            kernel.kill()
