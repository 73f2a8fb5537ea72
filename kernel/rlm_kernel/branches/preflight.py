"""Which kind of branch can be opened here and now? Answered before every run, with the reason in words.

A fork is the better branch: it is there at once and holds everything, picklable or not. What rules it out was seen to
hang or is documented to fail. What merely might go wrong, a thread of the user's that a fork would lose, decides for a
spawned branch too, unless the user asked for a fork.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass

from ..errors import BranchError, ForkUnavailable
from .meminfo import available
from .threads import native_owner, user_threads

__all__ = ["JUPYTER", "Choice", "check"]

JUPYTER = "kernel:"
"""How the setting begins when it names a Jupyter kernel as the branch's process."""

_MARGIN = 256 * 2**20
"""Bytes that must be free before any branch is opened: the watchdog's reserve, and as much again to work with."""


@dataclass(frozen=True)
class Choice:
    """The kind of branch to open, `fork`, `spawn` or `kernel:<name>`, and why, in words that can follow it."""

    kind: str
    reason: str


def check(wanted: str) -> Choice:
    """Choose the kind of the next branch; `wanted` is the user's setting: `auto` or a kind.

    Raises:
        ForkUnavailable: `wanted` is `fork`, and that cannot work here; the message says why.
        BranchError: no branch of either kind can be opened: wrong system, or no memory left.

    """
    if wanted.startswith(JUPYTER):
        return Choice(wanted, "as asked")
    _check_system()
    if wanted == "spawn":
        return Choice("spawn", "as asked")
    obstacle = _obstacle()
    if wanted == "fork" and obstacle:
        raise ForkUnavailable(f"This process cannot be forked: {obstacle}.", "use branch=spawn")
    risk = "" if obstacle else _risk()
    if wanted == "fork":
        return Choice("fork", f"as asked, although {risk}" if risk else "as asked")
    if obstacle or risk:
        return Choice("spawn", obstacle or risk)
    return Choice("fork", "nothing stands in its way")


def _check_system() -> None:
    if not sys.platform.startswith("linux"):
        raise BranchError(
            f"Branches need Linux, and this is {sys.platform}.",
            "use branch=kernel:python3, which runs the cells in a Jupyter kernel of their own",
        )
    free = available()
    if free < _MARGIN:
        raise BranchError(
            f"Only {free >> 20:,} MB of memory are left, and a branch needs {_MARGIN >> 20} MB to work with.",
            "free some memory: delete what you no longer need, or restart other kernels",
        )


def _obstacle() -> str:
    """Return what would make a fork fail or hang, or an empty text."""
    if threading.current_thread() is not threading.main_thread():
        return "it is not the main thread that asks"
    if native_owner("polars"):
        return "polars has started its threads, which a fork would lose"
    cuda = sys.modules.get("torch.cuda")
    if native_owner("CUDA") or (cuda is not None and cuda.is_initialized()):
        return "CUDA is in use, which a fork could not go on using"
    return ""


def _risk() -> str:
    """Return what a fork would lose and code might miss, or an empty text."""
    if owner := native_owner("XLA", "tokio"):
        return f"{owner} has started its threads, which a fork would lose"
    lost = user_threads()
    if not lost:
        return ""
    others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return f"the thread {lost[0]}{others} would be lost in a fork"
