r"""Real kernels for tests: start one, run cells, see what a notebook would show.

    with start_kernel() as kernel:
        done = kernel.execute("print(1); 2")
        assert (done.stdout, done.result["text/plain"]) == ("1\n", "2")

A cell that must be acted on while it runs is submitted and watched:

    running = kernel.submit("print('here'); import time; time.sleep(60)")
    running.until(lambda seen: "here" in seen.stdout)
    kernel.interrupt()
    assert running.finish().error.ename == "KeyboardInterrupt"

Nothing sleeps: every wait is for a message, with a deadline, and ends at once when the kernel dies.
"""

from __future__ import annotations

import ast
import os
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop

__all__ = ["CellFailure", "Executed", "Kernel", "KernelDied", "Running", "start_kernel"]

QUIET = ["--HistoryManager.hist_file=:memory:"]
READY_TIMEOUT = 60.0
"""Seconds a kernel may take to answer its first message on a busy machine."""

ensure_event_loop()  # the client keeps one per process: it is there before anyone counts what is open


class KernelDied(AssertionError):
    """The kernel's process ended while a test waited for it."""


@dataclass(frozen=True)
class CellFailure:
    """The error a cell ended with, as the notebook is told."""

    ename: str
    evalue: str
    traceback: list[str]

    @property
    def text(self) -> str:
        """The traceback as one text."""
        return "\n".join(self.traceback)


@dataclass
class Executed:
    """What a notebook shows under a cell.

    Attributes:
        stdout: all text of the stream; `stderr` likewise.
        result: the MIME bundle of the last expression, empty if there is none.
        displays: MIME bundles as they stand at the end: updates are applied, cleared ones are gone.
        error: what the cell failed with, or `None`.
        reply: content of the `execute_reply`; empty until the cell is done.
        messages: every message on IOPub that belongs to the cell, in order.

    """

    stdout: str = ""
    stderr: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    displays: list[dict[str, Any]] = field(default_factory=list)
    error: CellFailure | None = None
    reply: dict[str, Any] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    _display_ids: list[str | None] = field(default_factory=list, repr=False)
    _clear_next: bool = field(default=False, repr=False)

    def add(self, message: dict[str, Any]) -> None:
        """Take one IOPub message into account, as a notebook does."""
        self.messages.append(message)
        kind, content = message["msg_type"], message["content"]
        if kind in ("stream", "display_data", "execute_result", "error") and self._clear_next:
            self._clear()
        if kind == "stream":
            setattr(self, content["name"], getattr(self, content["name"]) + content["text"])
        elif kind == "display_data":
            self.displays.append(content["data"])
            self._display_ids.append(content.get("transient", {}).get("display_id"))
        elif kind == "update_display_data":
            wanted = content["transient"]["display_id"]
            for place, display_id in enumerate(self._display_ids):
                if display_id == wanted:
                    self.displays[place] = content["data"]
        elif kind == "execute_result":
            self.result = content["data"]
        elif kind == "error":
            self.error = CellFailure(content["ename"], content["evalue"], content["traceback"])
        elif kind == "clear_output":
            if content["wait"]:
                self._clear_next = True
            else:
                self._clear()

    def _clear(self) -> None:
        self.stdout = self.stderr = ""
        self.displays.clear()
        self._display_ids.clear()
        self._clear_next = False


class Running:
    """A submitted cell; `seen` is what it has shown so far."""

    def __init__(self, kernel: Kernel, message_id: str) -> None:
        self._kernel = kernel
        self._id = message_id
        self._idle = False
        self.seen = Executed()

    def until(self, condition: Callable[[Executed], bool], timeout: float = 60.0) -> Executed:
        """Wait until the cell has shown what `condition` asks for.

        Raises:
            TimeoutError: not within `timeout` seconds.
            AssertionError: the cell ended without it.
            KernelDied: the kernel's process ended.

        """
        end = time.monotonic() + timeout
        while not condition(self.seen):
            assert not self._idle, f"the cell ended without it: {self.seen}"
            self._read(end)
        return self.seen

    def finish(self, timeout: float = 60.0) -> Executed:
        """Wait until the kernel is idle again and has replied.

        Raises:
            TimeoutError: not within `timeout` seconds.
            KernelDied: the kernel's process ended.

        """
        end = time.monotonic() + timeout
        while not self._idle:
            self._read(end)
        while not self.seen.reply:
            message = self._kernel.receive(self._kernel.client.get_shell_msg, end)
            if message["parent_header"].get("msg_id") == self._id:
                self.seen.reply = message["content"]
        return self.seen

    def _read(self, end: float) -> None:
        message = self._kernel.receive(self._kernel.client.get_iopub_msg, end)
        if message["parent_header"].get("msg_id") != self._id:
            return
        self.seen.add(message)
        self._idle = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"


class Kernel:
    """A running kernel and a client connected to it."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    @property
    def pid(self) -> int:
        """Process id of the kernel."""
        pid: int = self.manager.provisioner.pid  # type: ignore[union-attr]  # set while a kernel runs
        return pid

    @property
    def alive(self) -> bool:
        """Whether the kernel's process runs."""
        return bool(self.manager.is_alive())

    def execute(self, code: str, timeout: float = 60.0, **options: Any) -> Executed:
        """Run a cell to its end; `options` are those of the client's `execute`.

        Raises:
            TimeoutError: it does not end within `timeout` seconds.
            KernelDied: the kernel's process ended.

        """
        return self.submit(code, **options).finish(timeout)

    def submit(self, code: str, **options: Any) -> Running:
        """Start a cell and return at once."""
        return Running(self, self.client.execute(code, **options))

    def value(self, expression: str) -> Any:
        """Return what an expression evaluates to (its repr must be a literal); `_` and history stay."""
        reply = self.execute("", silent=True, user_expressions={"it": expression}).reply
        found = reply["user_expressions"]["it"]
        assert found["status"] == "ok", f"{expression}: {found['ename']}: {found['evalue']}"
        return ast.literal_eval(found["data"]["text/plain"])

    def interrupt(self) -> None:
        """Do what the notebook's stop button does."""
        self.manager.interrupt_kernel()

    def restart(self, *, now: bool = False) -> None:
        """Restart as the notebook does, or with `now` kill the process first."""
        self.manager.restart_kernel(now=now)
        self.client.wait_for_ready(timeout=READY_TIMEOUT)

    def receive(self, get: Callable[..., Any], end: float) -> dict[str, Any]:
        """Return the next message of a channel, waiting until `end` on the monotonic clock.

        Raises:
            TimeoutError: none came.
            KernelDied: the kernel's process ended.

        """
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("the kernel did not answer in time")
            try:
                message: dict[str, Any] = get(timeout=min(left, 0.5))
            except queue.Empty:
                if not self.alive:
                    raise KernelDied("the kernel died") from None
            else:
                return message


@contextmanager
def start_kernel(
    name: str = "rlm", *, env: Mapping[str, str] | None = None, cwd: str | Path | None = None
) -> Iterator[Kernel]:
    """Start the installed kernel `name`, wait until it answers, and shut it down afterwards.

    Args:
        name: of the kernelspec.
        env: variables on top of this process's environment.
        cwd: the kernel's working directory; this process's by default.

    """
    manager = KernelManager(kernel_name=name)
    folder = Path.cwd() if cwd is None else Path(cwd)
    manager.start_kernel(extra_arguments=QUIET, env={**os.environ, **(env or {})}, cwd=str(folder))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=READY_TIMEOUT)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
