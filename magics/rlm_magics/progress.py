"""One line that says how far a running solve is, and vanishes when it is over.

`Progress` decides when to draw, by the run's own clock; where to draw is a surface: a display of the
notebook, or the last line of a terminal. Without a surface, in a pipe or with `view=static`, nothing is
drawn.
"""

from __future__ import annotations

import shutil
import sys
import uuid
from typing import TYPE_CHECKING, Protocol, Self

from rlm_widgets.progress import progress_line

if TYPE_CHECKING:
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    from rlm_kernel.trajectory.run import Run

__all__ = ["NotebookLine", "Progress", "Surface", "TerminalLine", "surface_for"]

_FIRST = 0.3
_EVERY = 0.5


class Surface(Protocol):
    """A place that holds one line of text."""

    def show(self, text: str) -> None:
        """Draw `text` in place of what is there."""

    def clear(self) -> None:
        """Leave nothing behind."""


class NotebookLine:
    """A display in the output of the running cell.

    Args:
        publisher: the shell's publisher of displays.
        whole_cell: the magic is all there is in the cell, so clearing its output takes nothing else.

    """

    def __init__(self, publisher: DisplayPublisher, *, whole_cell: bool) -> None:
        self._publisher = publisher
        self._whole_cell = whole_cell
        self._display_id = ""

    def show(self, text: str) -> None:
        """Draw the line, the first time as a new display."""
        update = bool(self._display_id)
        self._display_id = self._display_id or uuid.uuid4().hex
        self._publish(text, update=update)

    def clear(self) -> None:
        """Remove the display when the next output comes; beside other output, only empty it."""
        if self._whole_cell:
            self._publisher.clear_output(wait=True)
        else:
            self._publish("", update=True)

    def _publish(self, text: str, *, update: bool) -> None:
        transient = {"display_id": self._display_id}
        self._publisher.publish({"text/plain": text}, transient=transient, update=update)


class TerminalLine:
    """The line of the terminal at which the cursor stands, written to standard error."""

    def show(self, text: str) -> None:
        """Draw the line, cut to the terminal's width."""
        self._write(text[: shutil.get_terminal_size().columns - 1])

    def clear(self) -> None:
        """Empty the line."""
        self._write("")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()


class Progress:
    """The callback of a solve: draws at most twice a second, and not at all for a solve that is over at once.

    As a context manager it clears what it drew, also when the solve fails.
    """

    def __init__(self, surface: Surface | None) -> None:
        self._surface = surface
        self._next = _FIRST
        self._shown = False

    def __call__(self, run: Run, elapsed: float) -> None:
        """Draw the line if it is time; `elapsed` are seconds since the solve began."""
        if self._surface is None or elapsed < self._next:
            return
        self._next = elapsed + _EVERY
        self._shown = True
        self._surface.show(progress_line(run, elapsed))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._surface is not None and self._shown:
            self._surface.clear()


def surface_for(shell: InteractiveShell, view: str, *, whole_cell: bool) -> Surface | None:
    """Return where progress can be drawn: in a kernel its output, else a terminal, else nowhere."""
    if view in ("static", "none"):
        return None
    if hasattr(shell, "kernel"):
        return NotebookLine(shell.display_pub, whole_cell=whole_cell)
    return TerminalLine() if sys.stderr.isatty() else None
