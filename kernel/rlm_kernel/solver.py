"""`solve`: a question and a value in, a `Run` out.

    describe the value → open a branch → one trajectory on it → keep what the user wants → Run

The branch is opened on the main thread (only there may this process fork), the trajectory runs on the solver thread,
and what is kept is bound here again, on the main thread, once everything else is over.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from .asked import take
from .background import Job, interrupts_held
from .branches.keep import Parcel
from .engine.hooks import Hooks
from .models.endpoint import Endpoint, endpoint_for
from .settings import Settings, resolve
from .solving import Solving
from .talk import Talk
from .trajectory.run import Run

__all__ = ["asolve", "runs", "solve"]

runs: list[Run] = []
"""The runs of this process, oldest first; the latest is `runs[-1]`."""

Progress = Callable[[Run, float], object]


def solve(
    question: str,
    *,
    context: Any,
    context_name: str = "context",
    namespace: dict[str, Any] | None = None,
    settings: Settings | None = None,
    hooks: Hooks | None = None,
    talk: Talk | None = None,
    on_progress: Progress | None = None,
    **options: Any,
) -> Run:
    """Answer `question` about `context`, and return the run.

    An interrupt ends the run with what there is: it is returned with the status `interrupted`.

    Args:
        question: in words.
        context: any value that can be read more than once, the path of a file or folder, or `Contexts`. It is not
            copied, and not changed.
        context_name: the user's expression for it.
        namespace: the variables that the model's code can use, and into which new ones are kept; by default those of
            the IPython shell, and none where there is no shell.
        settings: all settings; or give single ones as `options`, by the names in `Settings`.
        hooks: the caller's own checks, tools and listeners.
        talk: the questions before this one; by default those before the last run, if the setting `follow` is on.
        on_progress: called on this thread some twenty times a second, with the run so far and the seconds elapsed.
        **options: see `settings`.

    Raises:
        QuestionError, ContextError, OptionError: the call itself is wrong; nothing has run.
        ForkUnavailable: no branch can be opened here; nothing has run.
        ModelError, BranchError: the run failed. The failed run is the error's attribute `run`.

    """
    namespace = _shell_namespace() if namespace is None else namespace
    settings = settings or resolve(options)
    endpoint = endpoint_for(settings, os.environ)
    solving, job = _begin(question, context, context_name, namespace, settings, endpoint, hooks or Hooks(), talk)
    run = solving.record.run
    solving.finish(lambda: job.wait(lambda: on_progress and on_progress(run, solving.seconds)), namespace)
    return run


async def asolve(
    question: str,
    *,
    context: Any,
    context_name: str = "context",
    namespace: dict[str, Any] | None = None,
    settings: Settings | None = None,
    hooks: Hooks | None = None,
    talk: Talk | None = None,
    **options: Any,
) -> Run:
    """Answer `question` about `context` as `solve` does, without blocking the running event loop.

    Cancelling it stops the run; `runs[-1]` then has what there was. Several may run at the same time. Where it is not
    called on the main thread the branch is a process of its own, not a fork.

    Raises:
        QuestionError, ContextError, OptionError, ForkUnavailable, ModelError, BranchError: as `solve`.

    """
    namespace = _shell_namespace() if namespace is None else namespace
    settings = settings or resolve(options)
    endpoint = await asyncio.to_thread(endpoint_for, settings, os.environ)  # it may ask a server for its models
    solving, job = _begin(question, context, context_name, namespace, settings, endpoint, hooks or Hooks(), talk)
    cancelled: asyncio.CancelledError | None = None
    while not job.outcome.done():
        try:
            await asyncio.wait([asyncio.wrap_future(job.outcome)])
        except asyncio.CancelledError as stop:
            cancelled = stop
            job.stop()

    def outcome() -> Parcel | None:
        if cancelled is not None:
            raise CancelledError
        return job.outcome.result()

    solving.finish(outcome, namespace)
    if cancelled is not None:
        raise cancelled
    return solving.record.run


def _begin(
    question: str,
    context: Any,
    name: str,
    namespace: dict[str, Any],
    settings: Settings,
    endpoint: Endpoint,
    hooks: Hooks,
    talk: Talk | None,
) -> tuple[Solving, Job[Parcel | None]]:
    """Check the call, open the branch, and start the work."""
    before = talk or (_last_talk() if settings.follow else None) or Talk()
    asked = take(question, context, name, settings, hooks, before, namespace, offline=endpoint.offline)
    solving = Solving(asked, endpoint, settings, hooks)
    with interrupts_held() as interrupts:
        solving.open(namespace)
        for run in runs:
            run.talk = None  # only the latest run holds on to what it was about
        runs.append(solving.record.run)
        job = Job(solving.work())
        solving.record.run.control = job.stop
    if interrupts:
        job.stop()
    return solving, job


def _last_talk() -> Talk | None:
    return runs[-1].talk if runs else None


def _shell_namespace() -> dict[str, Any]:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return {} if shell is None else shell.user_ns
