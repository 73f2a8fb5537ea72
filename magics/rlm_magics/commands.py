"""The commands of `%rlm`: one word instead of a question, such as `%rlm clean`.

A command is the first word of the line, without a `=`; every option of a question has one, so the two cannot be
mistaken for each other. `COMMANDS` is the table for the magic and its help.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING

from rlm_kernel.errors import OptionError
from rlm_widgets.listing import run_lines
from rlm_widgets.words import counted, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["COMMANDS", "Command", "find_command"]


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table; `report` does the work and returns what to tell the user."""

    name: str
    doc: str
    report: Callable[[], str]


def find_command(line: str) -> Command | None:
    """Return the command that `line` is, or `None` for a line of options.

    Raises:
        OptionError: there is something after the command, or the only word is nearly one.

    """
    word, *rest = line.split(maxsplit=1) or [""]
    command = COMMANDS.get(word)
    if command is None:
        near = [] if rest or "=" in word else get_close_matches(word.lower(), COMMANDS, n=1)
        if near:
            hint = f"did you mean %rlm {near[0]}?"
            raise OptionError(f"there is no command {word!r}", hint, line=line, column=line.index(word))
        return None
    if rest:
        hint = f"write %rlm {word} alone"
        raise OptionError(f"{word} takes no options", hint, line=line, column=line.rindex(rest[0]))
    return command


# What the commands need is loaded when they run, so that loading the magics is cheap.


def _clean() -> str:
    from rlm_kernel.moments import clean

    cleaned = clean()
    if not cleaned.count:
        return "There are no checkpoints to drop."
    return f"Dropped {counted(cleaned.count, 'checkpoint')}, which took {size(cleaned.bytes)} of memory."


def _runs() -> str:
    from rlm_kernel.solver import runs

    return run_lines(runs) or "There are no runs in this session yet."


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        command.name: command
        for command in (
            Command("clean", "drop the checkpoints of finished runs, and say how much memory they took", _clean),
            Command("runs", "list the runs of this session, one line each", _runs),
        )
    }
)
"""All commands by name, in the order in which help lists them."""
