"""What a cell on a Jupyter kernel shows, gathered from its IOPub messages in the form any branch gives it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..engine.shaping import clip
from ..trajectory.records import CellError
from .capture import Displays

__all__ = ["CellOutput"]

_KEPT = 2 * 2**20
_VALUE = 100_000
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class CellOutput:
    """One cell's streams, displays and error.

    Args:
        listener: told what is printed, as it comes: the stream's name and a piece of text.

    Attributes:
        displays: its MIME bundles and the text of its last expression.
        error: the kernel's own account of the exception, or `None`.

    """

    def __init__(self, listener: Callable[[str, str], object] = lambda *_: None) -> None:
        self._listener = listener
        self.displays = Displays()
        self.error: CellError | None = None
        self._streams = {"stdout": _Stream(), "stderr": _Stream()}

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Take in one message; kinds that show nothing are passed over."""
        if kind == "stream":
            self._streams[content["name"]].write(content["text"])
            self._listener(content["name"], content["text"])
        elif kind in ("display_data", "execute_result", "update_display_data"):
            show = self.displays.update if kind == "update_display_data" else self.displays.add
            show(content["data"], content.get("transient", {}).get("display_id"))
            if kind == "execute_result":
                self.displays.value_text = clip(str(content["data"].get("text/plain", "")), _VALUE)
        elif kind == "clear_output":
            self.displays.clear(wait=content["wait"])
        elif kind == "error":
            text = _COLOUR.sub("", "\n".join(content["traceback"]))
            self.error = CellError(type=content["ename"], message=clip(content["evalue"], 2_000), traceback=text)

    def lose(self, lost: dict[str, int]) -> None:
        """Note how many characters of each stream never came this far."""
        for name, count in lost.items():
            self._streams[name].cut += count

    def printed(self) -> tuple[str, str]:
        """Return what was printed: (stdout, stderr)."""
        return str(self._streams["stdout"]), str(self._streams["stderr"])


class _Stream:
    """The first and last 2 million characters of a stream, and how many were in between."""

    def __init__(self) -> None:
        self._head = self._tail = ""
        self.cut = 0

    def write(self, text: str) -> None:
        room = _KEPT - len(self._head)
        self._head += text[:room]
        tail = self._tail + text[room:]
        self._tail = tail[-_KEPT:]
        self.cut += len(tail) - len(self._tail)

    def __str__(self) -> str:
        note = f"\n… [{self.cut:,} characters cut] …\n" if self.cut else ""
        return self._head + note + self._tail
