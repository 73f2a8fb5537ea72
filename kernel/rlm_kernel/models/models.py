"""All the models of one run behind one `complete`: whoever a reference names, in turn, again if need be, and priced.

    recording   the reply that was recorded, if there is one
    references  else: who is asked
    retries     in turn, and again if need be
    client      … over HTTP; or a command, or a plugin
    pricing     what it cost

There is one of these per run; root, children, candidates and the engine itself ask through it.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError, ModelUnreachable
from ..settings import Settings
from ..trajectory.records import Message
from ..trajectory.redact import Redactor
from . import plugins
from .address import Endpoint
from .client import Completion, ModelClient
from .command import CommandModel
from .discovery import unlisted
from .pricing import cost_of
from .probe import Served, served
from .providers import COMMAND
from .recording import Recording
from .references import References, Target
from .retries import persist
from .roles import Roles, sampling
from .scheduler import Scheduler, scheduler_for
from .where import Where

__all__ = ["Models"]

_NOWHERE = Where()
_OFFLINE_PRICES = "offline"


class Models:
    """Asks the models of one run. Use it on one event loop and close it there.

    Args:
        settings: those of the run.
        home: its own endpoint.
        redactor: masks secrets in what is recorded.
        environ: environment variables, for the keys of other endpoints.
        on_wait: told of each pause before a call is made again: its seconds, and why.

    Attributes:
        references: reads references to models.
        roles: who is asked for what.

    """

    def __init__(
        self,
        settings: Settings,
        home: Endpoint,
        *,
        redactor: Redactor,
        environ: Mapping[str, str] = os.environ,
        on_wait: Callable[[float, ModelError], object] | None = None,
    ) -> None:
        self.references = References(settings, home, environ)
        self.roles = Roles(settings, home)
        self._settings = settings
        self._home = home
        self._on_wait = on_wait
        self._recording = Recording(Path(settings.recordings_dir), settings.recording, redactor)
        self._askers: dict[str, ModelClient | plugins.ModelPlugin] = {}
        self._schedulers: dict[str, Scheduler] = {}
        self._slots: dict[str, int | None] = {}
        self._told: set[str] = set()

    async def complete(
        self,
        messages: Sequence[Message],
        model: str,
        *,
        where: Where = _NOWHERE,
        max_tokens: int | None = None,
        temperature: float | None = None,
        timeout: float | None = None,
        schema: Mapping[str, Any] | None = None,
        images: Sequence[str] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> Completion:
        """Return the reply to `messages` of the model that the reference `model` names.

        Args:
            messages: the conversation.
            model: see `references`.
            where: the place of the call in the run.
            max_tokens: longest reply, in tokens.
            temperature: of sampling; else as the settings say for this place.
            timeout: time limit of the call once its turn has come, with all its tries, in seconds; for the waiting
                before that there is `where.deadline`.
            schema: JSON schema for the reply; the server may ignore or refuse it, so check the reply.
            images: data URLs, shown with the user's last message.
            extra: further fields of the request's body, over those of the settings.

        Raises:
            OptionError: nobody can be asked for this reference.
            ModelError: one of its kinds, when there will be no reply.
            RecordingError: the recording has no such request, where it must, or cannot be read or written.

        """
        target = self.references.target(model)
        usual, fields = sampling(self._settings, where)
        if target.endpoint.offline and self._settings.noise:
            fields = {"noise": self._settings.noise, "seed": where.candidate, **fields}
        options = {
            "max_tokens": max_tokens,
            "temperature": usual if temperature is None else temperature,
            "schema": schema,
            "images": images,
            "extra": {**fields, **(extra or {})},
        }
        patience = _Patience(timeout, where.deadline)

        async def ask() -> Completion:
            done = await persist(
                lambda: self._attempt(target, messages, patience, options),
                scheduler=self._scheduler(target),
                retries=self._settings.retries,
                priority=where.priority,
                deadline=where.deadline,
                timeout=timeout,
                on_wait=self._on_wait,
            )
            return self._priced(target, done)

        done = await self._recording.reply({"model": model, "messages": messages, **options}, where, ask)
        return self._with_note(target, done)

    async def served(self, model: str) -> Served:
        """Return what is served for the reference `model`; the setting `window` is about the run's own endpoint."""
        target = self.references.target(model)
        own = target.endpoint == self._home
        settings = self._settings if own else replace(self._settings, window=None)

        async def ask() -> dict[str, Any]:
            return asdict(await served(replace(target.endpoint, model=target.model), settings))

        said = Served(**await self._recording.fact(f"served-{re.sub(r'[^A-Za-z0-9.]+', '-', model)}", ask))
        self._slots[target.key] = said.slots
        return said

    async def window(self, model: str) -> int:
        """Return the window of the reference `model`, in tokens."""
        return (await self.served(model)).window

    def check(self) -> None:
        """Raise the `DivergenceError` of this run again, if there was one."""
        self._recording.check()

    async def close(self) -> None:
        """Close all connections, and plugins."""
        askers, self._askers = self._askers.values(), {}
        for asker in askers:
            await asker.close()

    async def _attempt(
        self, target: Target, messages: Sequence[Message], patience: _Patience, options: Mapping[str, Any]
    ) -> Completion:
        """Make the call once."""
        try:
            async with asyncio.timeout_at(patience.end()):
                return await self._asker(target).complete(messages, target.model, **options)
        except TimeoutError:
            raise patience.lost(target.key) from None
        except Exception as error:
            if target.endpoint.http or target.endpoint.offline or isinstance(error, ModelError):
                raise
            said = f"The model plugin {target.provider!r} failed: {type(error).__name__}: {error}"
            raise ModelError(said, "tell its authors") from error

    def _asker(self, target: Target) -> ModelClient | plugins.ModelPlugin:
        if target.key not in self._askers:
            self._askers[target.key] = self._made(target)
        return self._askers[target.key]

    def _made(self, target: Target) -> ModelClient | plugins.ModelPlugin:
        if target.endpoint.http or target.endpoint.offline:
            return ModelClient(target.endpoint, repeat_guard=self._settings.repeat_guard)
        return CommandModel() if target.provider == COMMAND else plugins.make(target.provider)

    def _scheduler(self, target: Target) -> Scheduler:
        if target.key not in self._schedulers:
            limit, machine = self._settings.max_concurrency, self._settings.machine_concurrency
            slots = self._slots.get(target.key)
            self._schedulers[target.key] = scheduler_for(target.key, limit, machine, slots=slots)
        return self._schedulers[target.key]

    def _priced(self, target: Target, done: Completion) -> Completion:
        provider = _OFFLINE_PRICES if target.endpoint.offline else target.endpoint.provider.prices
        cost = cost_of(provider, target.model, done.usage, self._settings.prices)
        return replace(done, usage=replace(done.usage, cost=cost))

    def _with_note(self, target: Target, done: Completion) -> Completion:
        """Add once, where it is known, that the server does not list the model."""
        missing = unlisted(target.endpoint, target.model)
        if not missing or missing in self._told:
            return done
        self._told.add(missing)
        return replace(done, notes=(*done.notes, missing))


class _Patience:
    """How long one call may take: `seconds` from its first try on, and never beyond `deadline`."""

    def __init__(self, seconds: float | None, deadline: float | None) -> None:
        self._seconds = seconds
        self._deadline = deadline
        self._end: float | None = None

    def end(self) -> float | None:
        """Return when it must be over, on the event loop's clock; the first question starts the seconds."""
        if self._end is None and self._seconds is not None:
            self._end = asyncio.get_running_loop().time() + self._seconds
        return min((end for end in (self._end, self._deadline) if end is not None), default=None)

    def lost(self, whose: str) -> ModelUnreachable:
        """Return the error for a call that took too long; there is no time to make it again."""
        within = f"within {self._seconds:g} s" if self._seconds is not None else "in time"
        error = ModelUnreachable(f"{whose} gave no whole reply {within}.", "is the server overloaded?")
        error.transient = False
        return error
