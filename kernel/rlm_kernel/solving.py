"""One run under way: its branch, its journal, its clock; and what is brought back when it is over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .asked import Asked
from .branches.branch import Branch
from .branches.host import open_as_set
from .branches.keep import ANSWER, Parcel, Snapshot, unpack
from .branches.parking import lot
from .engine.budget import Budget
from .engine.describe.rules import Rules
from .engine.direct import Direct
from .engine.hooks import Hooks
from .engine.loop import Trajectory
from .engine.task import Task
from .engine.tree import Tree
from .errors import KeepError, RLMError
from .models.endpoint import Endpoint
from .models.models import Models
from .moments import Moments
from .settings import Settings
from .trajectory.events import Event, Kept, RunEnded, RunStarted
from .trajectory.journal import Recorder, new_run_id
from .trajectory.records import Message, RefusedName, Status
from .trajectory.redact import Redactor

__all__ = ["Solving"]


class Solving:
    """One question at work.

    Args:
        asked: the question and its contexts.
        endpoint: the server.
        settings: all settings.
        hooks: the caller's own Python.

    Attributes:
        record: takes the events, from `open` on; `record.run` is the run.

    """

    def __init__(self, asked: Asked, endpoint: Endpoint, settings: Settings, hooks: Hooks) -> None:
        self._asked = asked
        self._endpoint = endpoint
        self._settings = settings
        self._hooks = hooks
        self._started = time.monotonic()
        self._redactor = Redactor(os.environ, Rules.parse(settings.redact or "").mask)
        self._branch: Branch | None = None
        self._messages: list[Message] = []
        self._answer_is_there = False

    @property
    def seconds(self) -> float:
        """How long it has been at work."""
        return time.monotonic() - self._started

    def open(self, namespace: dict[str, Any]) -> None:
        """Open the branch, unless the question needs none, and record what is asked of whom.

        Raises:
            BranchError: no branch can be opened here; nothing has run.

        """
        asked = self._asked
        if asked.route.method == "rlm":
            kit = asked.kit(self._settings, self._hooks, self._endpoint.sub_model)
            self._branch = open_as_set(namespace, kit, self._settings)
        self.record = Recorder(Path(self._settings.runs_dir), new_run_id(), self._redactor)
        self._emit(
            RunStarted(
                run_id=self.record.run_id,
                started=datetime.now(UTC).isoformat(timespec="seconds"),
                question=asked.question,
                context=", ".join(asked.names),
                context_type=", ".join(type(value).__qualname__ for value in asked.contexts),
                card=asked.cards,
                model=self._endpoint.model,
                sub_model=self._endpoint.sub_model,
                base_url=self._endpoint.shown,
                offline=self._endpoint.offline,
                settings=self._settings.to_json(),
                branch=self._branch.kind if self._branch else "",
                reason=self._branch.reason if self._branch else "",
                method=asked.route.method,
                route=asked.route.reason,
            )
        )

    # ----- on the solver thread --------------------------------------------------------------------------------

    async def work(self) -> Parcel | None:
        """Answer the question; return what of the branch is to be kept."""
        client = None
        try:
            client = Models(self._settings, self._endpoint, redactor=self._redactor)
            tree = Tree(
                settings=self._settings,
                endpoint=self._endpoint,
                client=client,
                budget=Budget(self._settings),
                redactor=self._redactor,
                window=await client.window(self._endpoint.model),
                sub_window=await client.window(self._endpoint.sub_model),
                hooks=self._hooks,
                context_text=self._asked.text,
            )
            if self._branch is None:
                await self._directly(tree)
                return None
            return await self._by_code(tree, self._branch)
        except BaseException:
            if self._branch is not None:
                self._branch.close()
            raise
        finally:
            if client is not None:
                await client.close()

    async def _directly(self, tree: Tree) -> None:
        direct = Direct(tree, self._asked.question, self._asked.route.text, self._emit)
        await direct.run()
        self._messages = direct.conversation.history
        if direct.answer is not None:
            self.record.run.answer_object = (direct.value,)

    async def _by_code(self, tree: Tree, branch: Branch) -> Parcel | None:
        asked = self._asked
        await branch.start()
        branch.name_state(0)
        task = Task(asked.question, asked.cards, earlier=len(asked.talk.histories))
        trajectory = Trajectory(tree, task, branch, self._emit)
        await trajectory.run()
        self._messages, self._answer_is_there = trajectory.conversation.history, trajectory.held
        parcel = await self._pack(branch)
        await lot.admit(branch, self._settings.checkpoints, self._settings.checkpoint_memory)
        return parcel

    async def _pack(self, branch: Branch) -> Parcel | None:
        try:
            return await branch.keep(self._settings.keep)
        except KeepError as error:
            self._refuse_everything(error)
            return None

    # ----- on the caller's thread ------------------------------------------------------------------------------

    def finish(self, outcome: Callable[[], Parcel | None], namespace: dict[str, Any]) -> None:
        """Take the `outcome` of the work, bring back what is to be kept, and close the journal.

        Raises:
            RLMError: the run failed; its attribute `run` is the failed run.

        """
        run = self.record.run
        try:
            parcel = outcome()
            self._take_home(parcel, namespace)
            [candidate] = run.candidates
            self._end(candidate.status, candidate.stop_reason, candidate.limit)
            run.talk = self._asked.next_talk(namespace, self._messages)
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
            run.control = None
            self.record.close()

    def _take_home(self, parcel: Parcel | None, namespace: dict[str, Any]) -> None:
        if self._branch is None:
            return
        self.record.run.moments = Moments({0: self._branch}, namespace, self._settings.timeout)
        if parcel is not None:
            self._bring_back(parcel, self._branch, namespace)
        if not self._branch.parked:
            self._branch.snapshot = Snapshot({})  # the run stays in `runs`, the user's old values need not

    def _bring_back(self, parcel: Parcel, branch: Branch, namespace: dict[str, Any]) -> None:
        """Bind the kept variables, and hand the answer object to the run."""
        try:
            values = unpack(parcel, branch.snapshot)
        except KeepError as error:
            self._refuse_everything(error)
            return
        if ANSWER in values:
            value = values.pop(ANSWER)
            if self._answer_is_there:
                self.record.run.answer_object = (value,)
        namespace.update(values)
        for name in parcel.removed:
            namespace.pop(name, None)
        self._emit(Kept(parcel.kept, parcel.refused))

    def _refuse_everything(self, error: KeepError) -> None:
        self._emit(Kept([], [RefusedName(name="everything", type="", reason=error.message)]))

    def _end(self, status: Status, reason: str, limit: str = "") -> None:
        run = self.record.run
        winner = 0 if run.candidates and run.candidates[0].answer else None
        why = "it is the only candidate" if winner is not None else ""
        self._emit(RunEnded(status, reason, winner, why, self.seconds, limit))

    def _emit(self, event: Event) -> None:
        self.record(event)
        if self._hooks.on_event is not None:
            with suppress(Exception):  # a listener that fails must not cost the run
                self._hooks.on_event(event)
