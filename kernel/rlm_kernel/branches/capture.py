"""What a cell shows: its streams, its displays, the value of its last expression, its exception.

Streams go through two pipes to the kernel as they are written, so that what a killed cell had printed survives.
Displays and the error are collected here and travel with the cell's result.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import traceback
from dataclasses import dataclass
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher

from ..engine.shaping import clip
from ..trajectory.records import CellError

__all__ = ["Displays", "PipeWriter", "cell_error", "redirect_streams", "replace_display"]

STREAM_LIMIT = 16 * 2**20
"""Bytes of one stream of one cell that travel at all; the rest is counted and dropped where it is written."""

_DISPLAYS_LIMIT = 8 * 2**20
_TRACEBACK_LIMIT = 20_000
_WIDGET = "application/vnd.jupyter.widget-view+json"  # a reference to a model that exists in no front end


class PipeWriter(io.RawIOBase):
    """The writing end of an output pipe, with a limit per cell."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self.left = STREAM_LIMIT
        self.dropped = 0

    def writable(self) -> bool:
        """Return true: this is all it is for."""
        return True

    def fileno(self) -> int:
        """Return the descriptor, for libraries that write below Python."""
        return self._fd

    def write(self, data: Any, /) -> int:
        """Pass on what still fits, count the rest."""
        view = memoryview(data).cast("B")
        total = len(view)
        passed = view[: self.left]
        self.left -= len(passed)
        self.dropped += total - len(passed)
        while passed:
            passed = passed[os.write(self._fd, passed) :]
        return total

    def reset(self) -> int:
        """Start a new cell; return how many bytes the last one lost."""
        lost, self.dropped, self.left = self.dropped, 0, STREAM_LIMIT
        return lost


def redirect_streams(stdout: int, stderr: int) -> tuple[PipeWriter, PipeWriter]:
    """Make fds 1 and 2 and all of Python's standard streams write to the two pipes, and stdin be empty."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    writers = []
    for name, fd, pipe in (("stdout", 1, stdout), ("stderr", 2, stderr)):
        os.dup2(pipe, fd, inheritable=True)
        writer = PipeWriter(fd)
        # Line buffered: one system call for a line, and a killed cell loses at most the line it was writing.
        buffer: Any = writer
        stream = io.TextIOWrapper(
            io.BufferedWriter(buffer), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
        writers.append(writer)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (lives as long as we)
    return writers[0], writers[1]


@dataclass
class _Shown:
    """One bundle that is on display, the id it may be updated by, and what it takes of the cell's limit."""

    bundle: dict[str, Any]
    display_id: str | None
    size: int


class Displays:
    """The MIME bundles of the running cell, as they stand at its end, and the text of its last expression."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget them: a new cell starts."""
        self._shown: list[_Shown] = []
        self._left = _DISPLAYS_LIMIT
        self._clear_next = False
        self.value_text = ""

    @property
    def bundles(self) -> list[dict[str, Any]]:
        """All bundles, in order."""
        return [shown.bundle for shown in self._shown]

    def add(self, data: dict[str, Any], display_id: str | None = None) -> None:
        """Take one bundle in; representations that no longer fit into the cell's limit are left out."""
        if self._clear_next:
            self.clear()
        shown = self._fitting(data, display_id)
        if shown.bundle:
            self._shown.append(shown)

    def update(self, data: dict[str, Any], display_id: str | None) -> None:
        """Replace what is shown under this id; what an earlier cell showed cannot be reached, and is shown anew."""
        places = [place for place, shown in enumerate(self._shown) if shown.display_id == display_id]
        for place in places:
            self._left += self._shown[place].size
            self._shown[place] = self._fitting(data, display_id)
        if not places:
            self.add(data, display_id)

    def clear(self, *, wait: bool = False) -> None:
        """Forget what was shown, now or when the next bundle comes. What was printed has left already."""
        self._clear_next = wait
        if not wait:
            self._shown = []
            self._left = _DISPLAYS_LIMIT

    def _fitting(self, data: dict[str, Any], display_id: str | None) -> _Shown:
        fitting = _Shown({}, display_id, size=0)
        for mime, raw in data.items():
            value = _jsonable(mime, raw)
            size = len(mime) + len(json.dumps(value))
            if mime != _WIDGET and size <= self._left:
                fitting.bundle[mime] = value
                fitting.size += size
                self._left -= size
        return fitting


def _jsonable(mime: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if not isinstance(value, str):
        return json.loads(json.dumps(value, default=str))
    return clip(value, 100_000) if mime == "text/plain" else value


class _Publisher(DisplayPublisher):
    """Collects what `display(...)` publishes."""

    def __init__(self, displays: Displays, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._displays = displays

    def publish(
        self, data: dict[str, Any], *_: Any, transient: dict[str, Any] | None = None, update: bool = False, **__: Any
    ) -> None:
        """Keep the bundle for the cell's result."""
        show = self._displays.update if update else self._displays.add
        show(data, (transient or {}).get("display_id"))

    def clear_output(self, wait: bool = False) -> None:
        """Forget what was displayed."""
        self._displays.clear(wait=wait)

    def register_hook(self, hook: Any) -> None:
        """Accept ipykernel's display hooks and never call them."""

    def set_parent(self, parent: Any) -> None:
        """Have no use for the request that a display belongs to; widgets set it."""


class _Hook(DisplayHook):
    """Collects the value of the last expression instead of printing it."""

    def __init__(self, displays: Displays, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._displays = displays
        self.code = ""

    def quiet(self) -> bool:
        """Honour a trailing semicolon of the cell that runs, not of the notebook's."""
        return bool(self.semicolon_at_end_of_expression(self.code))

    def write_output_prompt(self) -> None:
        """Print no `Out[n]:`."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:  # noqa: ARG002 (see above)
        """Keep the bundle for the cell's result."""
        self._displays.add(format_dict)
        self._displays.value_text = clip(str(format_dict.get("text/plain", "")), 100_000)

    def log_output(self, format_dict: dict[str, Any]) -> None:
        """Leave the user's history alone."""

    def set_parent(self, parent: Any) -> None:
        """Have no use for it (see above)."""

    def finish_displayhook(self) -> None:
        """Print nothing."""
        self._is_active = False


def replace_display(shell: Any, displays: Displays) -> _Hook:
    """Let `shell` display into `displays`.

    The branch is forked inside a running cell, so IPython's display trap is already set: its hook is replaced too.
    """
    hook = _Hook(displays, shell=shell, parent=shell)
    shell.display_pub = _Publisher(displays, parent=shell)
    shell.displayhook = shell.display_trap.hook = sys.displayhook = hook
    return hook


def cell_error(error: BaseException, file_prefix: str) -> CellError:
    """Describe an exception as plain text, from the cell's own frame on (everything above is ours)."""
    if isinstance(error, SystemExit):
        error.add_note("Exiting has no effect here: only the cell has ended, and the session goes on.")
    frame = error.__traceback__
    while frame is not None and not frame.tb_frame.f_code.co_filename.startswith(file_prefix):
        frame = frame.tb_next
    try:
        lines = traceback.format_exception(type(error), error, frame)
        message = str(error)
    except Exception as broken:  # noqa: BLE001 (an exception whose own text fails must not cost the cell)
        lines = [f"{type(error).__name__}: <its message cannot be shown: {type(broken).__name__}>\n"]
        message = lines[0]
    return CellError(
        type=type(error).__name__,
        message=clip(message, 2_000),
        traceback=clip("".join(lines), _TRACEBACK_LIMIT),
    )
