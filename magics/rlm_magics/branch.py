"""The user's own cell on a branch: its output goes where a cell's output goes, its names come back if it succeeds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rlm_kernel.errors import BranchError
from rlm_kernel.settings import resolve

from .options import read_branch_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from rlm_kernel.trajectory.records import CellError

__all__ = ["run_on_branch"]


def run_on_branch(shell: InteractiveShell, line: str, code: str) -> None:
    """Run `code` on a branch of the shell's session, with the options of `line`; bind what it leaves if it succeeds.

    Raises:
        OptionError: the line is wrong; nothing has run.
        BranchError: the cell did not succeed, and the namespace is what it was.

    """
    from rlm_kernel.branching import run_cell  # loaded by the first cell, so that loading the magics is cheap

    def show(bundle: dict[str, Any]) -> None:
        shell.display_pub.publish(bundle)

    settings = resolve(read_branch_line(line))
    result = run_cell(code, namespace=shell.user_ns, settings=settings, on_output=_write, on_display=show)
    if result.error is not None:
        raise _failure(result.error)


def _write(stream: str, text: str) -> None:
    target = sys.stderr if stream == "stderr" else sys.stdout
    target.write(text)
    target.flush()


def _failure(error: CellError) -> BranchError:
    """Show the traceback of the user's code, and return the line that stands below it."""
    _write("stderr", error["traceback"])
    raised = f"{error['type']}: {' '.join(error['message'].split())}".rstrip(":. ")
    return BranchError(f"The cell raised {raised}. Nothing has changed.")
