"""A model behind a command: the prompt goes to its standard input, what it prints is the reply.

The command is the user's own, from a setting; it is split as a shell would, and run without one. It gets a process
group of its own, so that nothing of it is left when the call is stopped.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ..errors import ModelError, ModelRejected, ModelUnreachable
from ..trajectory.records import Message, Usage
from .client import Completion
from .completions import flat
from .unicode import well_formed

__all__ = ["CommandModel"]

_SAID = 500
_CHARACTERS_PER_TOKEN = 4
_PLAIN = "a command gets the prompt alone: no limit on the reply, no temperature, seed or schema"


class CommandModel:
    """Runs commands as models; a `ModelPlugin`."""

    def __init__(self) -> None:
        self._told = False

    async def complete(
        self,
        messages: Sequence[Message],
        model: str,
        *,
        images: Sequence[str] = (),
        **options: Any,
    ) -> Completion:
        """Return what the command `model` prints for `messages`; tokens are estimated, its cost is unknown.

        One message of the user is sent as it is, a conversation as one text that says who speaks. Nothing else can be
        asked for: what `options` hold is left out, and the first time a note says so.

        Raises:
            ModelUnreachable: there is no such command.
            ModelRejected: there are images.
            ModelError: the command failed; the message has the end of what it says about it.

        """
        if images:
            raise ModelRejected("A command takes no images.", "name another model with model=")
        started = time.monotonic()
        prompt = messages[0]["content"] if [m["role"] for m in messages] == ["user"] else flat(messages)
        said = (await _run(model, well_formed(prompt))).strip()
        asked = any(options.get(name) not in (None, {}) for name in ("temperature", "schema", "extra"))
        notes = (_PLAIN,) if asked and not self._told else ()
        self._told |= bool(notes)
        usage = Usage(1, _tokens(prompt), _tokens(said), estimated=True)
        return Completion(said, "", "stop", usage, time.monotonic() - started, notes=notes)

    async def close(self) -> None:
        """Do nothing: each call ends its own process."""


async def _run(command: str, prompt: str) -> str:
    name, *arguments = _words(command)
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            name, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
    except OSError as error:
        raise ModelUnreachable(f"The command {name!r} cannot be run: {error.strerror}.", "is it installed?") from None
    try:
        said, complaint = await process.communicate(prompt.encode())
    finally:
        _kill(process)
        await process.wait()
    if process.returncode:
        end = complaint.decode(errors="replace").strip()[-_SAID:]
        raise ModelError(f"The command {name!r} failed with exit status {process.returncode}: {end}", "try it yourself")
    return said.decode(errors="replace")


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ModelRejected(f"The command {command!r} cannot be read: {error}.", "check its quotes") from None
    if not words:
        raise ModelRejected("There is no command after cmd:.", "write it as model='cmd:NAME ARGUMENTS'")
    return words


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the command and all that it started; what has ended is no matter."""
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)
