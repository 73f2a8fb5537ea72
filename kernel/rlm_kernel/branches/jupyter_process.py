"""The process of a Jupyter branch: any kernel that jupyter_client can start, spoken to in Jupyter's own protocol.

    shell   we: execute              kernel: the reply
    iopub                            kernel: what the cell shows
    stdin   kernel: a call           we: the call's reply, see `bootstrap`

A kernel on this machine is killed with all it has started, daemons included: they are known by an environment variable
that they inherit. What runs elsewhere is its provisioner's to kill.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager

from ..errors import BranchDied, BranchError
from .jupyter_line import MARK
from .jupyter_output import CellOutput

__all__ = ["Answer", "KernelProcess"]

Answer = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Answers a call from the kernel: (name, arguments) → `{"value": …}` or `{"error": …}`, JSON both ways."""

_START_LIMIT = 60.0
_PULSE = 0.2
_LAST_WORDS = 0.1
_STRAGGLERS = 1.0
_END_OF_FILE = "\x04"
_DEATH = "death"

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())
_log.propagate = False  # what jupyter_client logs, we raise


class KernelProcess:
    """One kernel: `start`, `execute`, and at the end `close`.

    Args:
        spec: the name of an installed kernelspec.

    """

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._mark = f"RLM_BRANCH_{uuid.uuid4().hex}"
        self._manager = AsyncKernelManager(kernel_name=spec, log=_log)
        # A message that is sent without being copied starts a thread of pyzmq's, which then stays for good.
        self._manager.session.copy_threshold = sys.maxsize
        self._client: AsyncKernelClient | None = None
        self._messages: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as we)
        self.death = ""
        """How the process died, in words; empty while it lives."""

    async def start(self) -> None:
        """Start the kernel and wait until it answers.

        Raises:
            BranchError: there is no such kernelspec.
            BranchDied: the kernel does not come up.

        """
        try:
            environment = {**os.environ, self._mark: "1"}
            await self._manager.start_kernel(env=environment, stdout=subprocess.DEVNULL, stderr=self._said)
            self._client = self._manager.client(context=self._manager.context)
            self._client.start_channels(hb=False)
            await self._client.wait_for_ready(timeout=_START_LIMIT)
        except NoSuchKernel as error:
            known = ", ".join(sorted(self._manager.kernel_spec_manager.find_kernel_specs()))
            raise BranchError(f"There is no Jupyter kernel called {self._spec!r}.", f"there are: {known}") from error
        except Exception as error:
            self._said.seek(0)
            said = self._said.read().decode("utf-8", "replace").strip()[-2000:] or str(error)
            raise BranchDied(f"The kernel {self._spec!r} did not start: {said}") from error
        channels = {
            "shell": self._client.get_shell_msg,
            "iopub": self._client.get_iopub_msg,
            "stdin": self._client.get_stdin_msg,
        }
        self._tasks = [asyncio.create_task(self._listen(name, get)) for name, get in channels.items()]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def execute(self, code: str, answer: Answer, output: CellOutput | None = None) -> dict[str, Any]:
        """Run `code`, hand what it shows to `output` (without one it runs silently), and return the kernel's reply.

        Raises:
            BranchDied: the kernel died.

        """
        assert self._client is not None  # `start` comes first
        if self.death:
            raise BranchDied(self.death)
        request = self._client.execute(code, silent=output is None, store_history=False, stop_on_error=False)
        calls: set[asyncio.Task[None]] = set()
        reply: dict[str, Any] | None = None
        idle = output is None
        try:
            while reply is None or not idle:
                # A kernel that shows too much too fast drops messages, the last one too: it is not waited for long.
                async with asyncio.timeout(None if reply is None else _STRAGGLERS):
                    channel, message = await self._next(request)
                kind, content = message["msg_type"], message["content"]
                if channel == "stdin":
                    calls.add(asyncio.create_task(self._answer(content["prompt"], answer)))
                elif kind == "execute_reply":
                    reply = content
                elif kind == "status":
                    idle = idle or content["execution_state"] == "idle"
                elif output is not None:
                    output.add(kind, content)
        except TimeoutError:
            pass
        finally:
            open_calls = [call for call in calls if call.cancel()]
            await asyncio.gather(*calls, return_exceptions=True)
            if open_calls:
                self._client.input(_END_OF_FILE)
        assert reply is not None
        return reply

    def kill(self) -> None:
        """Kill the kernel and all it has started on this machine, at once."""
        while victims := _marked(f"{self._mark}=".encode()):
            for sig in (signal.SIGSTOP, signal.SIGKILL):
                for pid in victims:
                    with suppress(ProcessLookupError):
                        os.kill(pid, sig)

    def close(self) -> None:
        """Kill the kernel wherever it is, and close everything this side has open. Closing twice is harmless."""
        if self._said.closed:
            return
        self._said.close()
        self.kill()
        for task in self._tasks:
            task.cancel()
        if self._client is not None:
            self._client.stop_channels()
        # The manager can only be awaited, and whoever closes a branch may have no time left to await anything.
        ending = threading.Thread(target=lambda: asyncio.run(self._end()))
        ending.start()
        ending.join()

    async def _end(self) -> None:
        with suppress(Exception):  # a provisioner's own trouble with a kernel that is to go anyway
            await self._manager.shutdown_kernel(now=True)

    async def _listen(self, channel: str, get: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        while True:
            self._messages.put_nowait((channel, await get()))

    async def _watch(self) -> None:
        provisioner = self._manager.provisioner
        assert provisioner is not None  # there is one once the kernel runs
        while (status := await provisioner.poll()) is None:
            await asyncio.sleep(_PULSE)
        self.death = _how(status)
        await asyncio.sleep(_LAST_WORDS)
        self._messages.put_nowait((_DEATH, {}))

    async def _next(self, request: str) -> tuple[str, dict[str, Any]]:
        """Return the next message that belongs to `request`, and its channel."""
        assert self._client is not None
        while True:
            channel, message = await self._messages.get()
            if channel == _DEATH:
                raise BranchDied(self.death)
            if message["parent_header"].get("msg_id") == request:
                return channel, message
            if channel == "stdin":
                self._client.input(_END_OF_FILE)  # a thread that has outlived its cell would keep the line for ever

    async def _answer(self, prompt: str, answer: Answer) -> None:
        assert self._client is not None
        if not prompt.startswith(MARK):
            self._client.input(_END_OF_FILE)  # nobody sits at a branch: `input()` raises EOFError
            return
        calls = json.loads(prompt.removeprefix(MARK))
        replies = await asyncio.gather(*(answer(call["name"], call["arguments"]) for call in calls))
        self._client.input(json.dumps(replies))


def _how(status: int) -> str:
    if status >= 0:
        return f"its process exited with code {status}"
    with suppress(ValueError):
        return f"its process died of signal {-status} ({signal.Signals(-status).name})"
    return f"its process died of signal {-status}"


def _marked(mark: bytes) -> list[int]:
    """Return the living processes that have `mark` in their environment; a dead one has no environment any more."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                if mark in Path(entry.path, "environ").read_bytes():
                    found.append(int(entry.name))
    return found
