"""The IPython shell in which a branch's cells run: the notebook's own, or a private one where there is none."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.profiledir import ProfileDir
from traitlets.config import Config

__all__ = ["FILE_PREFIX", "branch_shell"]

FILE_PREFIX = "<cell "
"""How the file name of a cell starts in tracebacks; the same in every run, so that recordings match."""


class _NoProfile(ProfileDir):
    """A profile that creates nothing on disk."""

    def check_dirs(self) -> None:
        """Create no folders."""


def branch_shell(namespace: dict[str, Any]) -> Any:
    """Return the shell whose variables `namespace` holds; if there is none, make one (in the forked child only)."""
    shell = get_ipython()
    if shell is None or shell.user_ns is not namespace:
        main = sys.modules["__main__"]
        shell = InteractiveShell(
            # A shell's variables must be its module's, or a cell's functions do not see them.
            user_ns=namespace,
            user_module=main if vars(main) is namespace else None,
            profile_dir=_NoProfile(location=tempfile.gettempdir()),
            config=Config({"HistoryManager": {"enabled": False, "hist_file": ":memory:"}}),
        )
    _name_cells(shell)
    for show in ("showtraceback", "showsyntaxerror", "showindentationerror"):
        setattr(shell, show, lambda *_, **__: None)  # the cell's error travels with its result
    return shell


def _name_cells(shell: Any) -> None:
    counter = iter(range(1, sys.maxsize))
    shell.compile.get_code_name = lambda *_: f"{FILE_PREFIX}{next(counter)}>"
