"""`solve`: a question and a value in, a `Run` out.

    describe the value → open a branch → one trajectory on it → keep what the user wants → Run

The branch is opened on the main thread (only there may this process fork), the trajectory runs on the solver thread,
and what is kept is bound here again, on the main thread, once everything else is over.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .background import Job, interrupts_held
from .branches.host import open_as_set
from .branches.keep import ANSWER, Parcel, Snapshot, unpack
from .branches.parking import lot
from .engine.describe import describe
from .engine.loop import Trajectory
from .engine.prompt import opening
from .errors import ContextError, KeepError, QuestionError, RLMError
from .models.client import ModelClient
from .models.endpoint import Endpoint, endpoint_for
from .moments import Moments
from .settings import Settings, resolve
from .trajectory.events import Kept, RunEnded, RunStarted
from .trajectory.journal import Recorder, new_run_id
from .trajectory.records import RefusedName, Status
from .trajectory.run import Run
from .vocabulary.kit import Kit

__all__ = ["runs", "solve"]

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
    on_progress: Progress | None = None,
    **options: Any,
) -> Run:
    """Answer `question` about `context`, and return the run.

    An interrupt ends the run with what there is: it is returned with the status `interrupted`.

    Args:
        question: in words.
        context: any value that can be read more than once. It is not copied, and not changed.
        context_name: the user's expression for it.
        namespace: the variables that the model's code can use, and into which new ones are kept; by default those of
            the IPython shell, and none where there is no shell.
        settings: all settings; or give single ones as `options`, by the names in `Settings`.
        on_progress: called on this thread some twenty times a second, with the run so far and the seconds elapsed.
        **options: see `settings`.

    Raises:
        QuestionError, ContextError, OptionError: the call itself is wrong; nothing has run.
        ForkUnavailable: no branch can be opened here; nothing has run.
        ModelError, BranchError: the run failed. The failed run is the error's attribute `run`.

    """
    if not question.strip():
        raise QuestionError("There is no question.", "write it in the cell's body, or as query=…")
    _check_readable(context, context_name)
    settings = settings or resolve(options)
    endpoint = endpoint_for(settings, os.environ)
    namespace = _shell_namespace() if namespace is None else namespace
    card = describe(context)
    first = opening(question, card, context_name if context_name in namespace else "")
    solving = _Solving(question, endpoint, settings)
    with interrupts_held() as interrupts:
        solving.open(namespace, context, context_name, card)
        job = Job(solving.trajectory(first))
    if interrupts:
        job.stop()
    return solving.finish(job, namespace, on_progress)


class _Solving:
    """One run under way: its branch, its journal, its clock."""

    def __init__(self, question: str, endpoint: Endpoint, settings: Settings) -> None:
        self.question = question
        self.endpoint = endpoint
        self.settings = settings
        self.started = time.monotonic()

    def open(self, namespace: dict[str, Any], context: Any, context_name: str, card: str) -> None:
        """Open the branch and the journal, and record what is asked of whom."""
        self.branch = open_as_set(namespace, Kit((context,), (context_name,)), self.settings)
        run_id = new_run_id()
        self.record = Recorder(Path(self.settings.runs_dir), run_id)
        runs.append(self.record.run)
        self.record(
            RunStarted(
                run_id=run_id,
                started=datetime.now(UTC).isoformat(timespec="seconds"),
                question=self.question,
                context=context_name,
                context_type=type(context).__qualname__,
                card=card,
                model=self.endpoint.model,
                sub_model=self.endpoint.sub_model,
                base_url=self.endpoint.base_url,
                offline=self.endpoint.offline,
                settings=self.settings.to_json(),
                branch=self.branch.kind,
                reason=self.branch.reason,
            )
        )

    async def trajectory(self, first: str) -> Parcel | None:
        """Run the one candidate; return what of its branch is to be kept. Lives on the solver thread."""
        client = None
        try:
            client = ModelClient(self.endpoint)
            await self.branch.start()
            self.branch.name_state(0)
            await Trajectory(self.question, first, self.branch, client, self.endpoint, self.settings, self.record).run()
            parcel = await self._pack()
            await lot.admit(self.branch, self.settings.checkpoints, self.settings.checkpoint_memory)
        except BaseException:
            self.branch.close()
            raise
        finally:
            if client is not None:
                await client.close()
        return parcel

    def finish(self, job: Job[Parcel | None], namespace: dict[str, Any], on_progress: Progress | None) -> Run:
        """Wait for the trajectory, bring back what is to be kept, and close the journal."""
        run = self.record.run
        try:
            parcel = job.wait(lambda: on_progress and on_progress(run, time.monotonic() - self.started))
            run.moments = Moments({0: self.branch}, namespace, self.settings.timeout)
            if parcel is not None:
                self._bring_back(parcel, namespace)
            if not self.branch.parked:
                self.branch.snapshot = Snapshot({})  # the run stays in `runs`, the user's old values need not
            self._end(run.candidates[0].status, run.candidates[0].stop_reason)
        except (CancelledError, KeyboardInterrupt):
            self._end("interrupted", "interrupted by the user")
        except RLMError as error:
            self._end("failed", error.message)
            error.run = run
            error.__context__ = None  # an exception group in it would make IPython print all of it, not the two lines
            raise
        except Exception as error:
            self._end("failed", f"{type(error).__name__}: {error}")
            raise
        finally:
            self.record.close()
        return run

    async def _pack(self) -> Parcel | None:
        try:
            return await self.branch.keep(self.settings.keep)
        except KeepError as error:
            self._refuse_everything(error)
            return None

    def _refuse_everything(self, error: KeepError) -> None:
        self.record(Kept([], [RefusedName(name="everything", type="", reason=error.message)]))

    def _bring_back(self, parcel: Parcel, namespace: dict[str, Any]) -> None:
        """Bind the kept variables, and hand the answer object to the run."""
        try:
            values = unpack(parcel, self.branch.snapshot)
        except KeepError as error:
            self._refuse_everything(error)
            return
        if ANSWER in values:
            self.record.run.answer_object = (values.pop(ANSWER),)
        namespace.update(values)
        for name in parcel.removed:
            namespace.pop(name, None)
        self.record(Kept(parcel.kept, parcel.refused))

    def _end(self, status: Status, reason: str) -> None:
        run = self.record.run
        winner = 0 if run.candidates and run.candidates[0].answer else None
        why = "it is the only candidate" if winner is not None else ""
        self.record(RunEnded(status, reason, winner, why, time.monotonic() - self.started))


def _check_readable(context: Any, name: str) -> None:
    """Refuse what can be read only once: the card alone would use it up.

    Raises:
        ContextError: it is a generator, an open file or another iterator, or something to be awaited.

    """
    kind = type(context).__name__
    if isinstance(context, (Awaitable, AsyncIterator)):
        raise ContextError(
            f"{name} is a {kind}, which is not a value yet", "await it in a cell of its own, and give the result"
        )
    if hasattr(context, "read") and hasattr(context, "close"):
        raise ContextError(f"{name} is an open file ({kind})", f"give its Path, or its text: context={name}.read()")
    if isinstance(context, Iterator):
        raise ContextError(f"{name} is a {kind}, which can be read only once", f"make it a list: context=list({name})")


def _shell_namespace() -> dict[str, Any]:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return {} if shell is None else shell.user_ns
