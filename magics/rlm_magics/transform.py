"""Let a `%%rlm` cell without a body run.

IPython refuses a cell magic whose body is empty before the magic is asked, but with the question on the
line there is nothing to write below it. So such a cell gets an empty line as its body. The transform is
the first of the line transforms. The cleanup transforms, which come before them, also tell a terminal
whether a cell is complete, and there a cell of one line must stay open for its body.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["give_body", "install", "uninstall"]

_FIRST_LINE = re.compile(r"%%rlm(?!\S)")


def give_body(lines: list[str]) -> list[str]:
    """Return the lines of a cell, with an empty line added if they are a single `%%rlm …` line."""
    if len(lines) == 1 and _FIRST_LINE.match(lines[0]):
        return [*lines, "\n"]
    return lines


def install(shell: InteractiveShell) -> None:
    """Add the transform to a shell that does not have it yet."""
    transforms = shell.input_transformer_manager.line_transforms
    if give_body not in transforms:
        transforms.insert(0, give_body)


def uninstall(shell: InteractiveShell) -> None:
    """Remove the transform from a shell that has it."""
    transforms = shell.input_transformer_manager.line_transforms
    if give_body in transforms:
        transforms.remove(give_body)
