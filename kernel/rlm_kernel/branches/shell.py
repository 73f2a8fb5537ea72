"""The IPython shell in which a branch's cells run: the notebook's own, or a private one where there is none."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from typing import Any, NoReturn

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.profiledir import ProfileDir
from traitlets.config import Config

from .hygiene import refuse_debugger

__all__ = ["FILE_PREFIX", "branch_shell"]

FILE_PREFIX = "<cell "
"""How the file name of a cell starts in tracebacks; the same in every run, so that recordings match."""

_INLINE = "module://matplotlib_inline.backend_inline"


class _NoProfile(ProfileDir):
    """A profile that creates nothing on disk."""

    def check_dirs(self) -> None:
        """Create no folders."""


class _PlainShell(InteractiveShell):
    """A shell without a front end."""

    def enable_gui(self, gui: str | None = None) -> None:
        """Have no event loop of a window system, which `%matplotlib inline` asks for all the same."""


def branch_shell(namespace: dict[str, Any]) -> Any:
    """Return the shell whose variables `namespace` holds; if there is none, make one (in the branch's process only)."""
    shell: Any = get_ipython()
    if shell is None or shell.user_ns is not namespace:
        shell = _new_shell(namespace)
    _name_cells(shell)
    shell.colors = "nocolor"
    shell.showtraceback = _mention_error
    shell.showsyntaxerror = shell.showindentationerror = lambda *_, **__: None  # travels with the cell's result
    shell.debugger = shell.InteractiveTB.debugger_cls = refuse_debugger  # `%debug` and `%debug code`
    shell.InteractiveTB.pdb = None
    shell.ask_exit = _refuse_to_exit
    shell.set_hook("show_in_pager", _print_page, 0)
    warnings.filterwarnings("ignore", "To exit: use")  # how, does not apply here
    return shell


def _mention_error(
    error: Any = None, *_: Any, running_compiled_code: bool = False, exception_only: bool = False, **__: Any
) -> None:
    """Print an error that is not the cell's own, which travels with its result: that of a `__repr__`, for example."""
    if not (running_compiled_code or exception_only):
        value = error[1] if error else sys.exception()
        print("".join(traceback.format_exception_only(value)), end="", file=sys.stderr)  # noqa: T201 (it is output)


def _print_page(_: Any, page: Any, *__: Any, **___: Any) -> None:
    """Print what `name?` and the like would show in a pager."""
    print(page["text/plain"] if isinstance(page, dict) else page)  # noqa: T201 (see above)


def _refuse_to_exit() -> NoReturn:
    raise RuntimeError("exit() has no effect here: the session goes on")


def _new_shell(namespace: dict[str, Any]) -> InteractiveShell:
    """Make a shell that is *the* shell of this process: `display`, magics and matplotlib look for that."""
    if InteractiveShell.initialized():
        type(InteractiveShell.instance()).clear_instance()
    os.environ.setdefault("MPLBACKEND", _INLINE)  # as a Jupyter kernel does
    main = sys.modules["__main__"]
    return _PlainShell.instance(
        # A shell's variables must be its module's, or a cell's functions do not see them.
        user_ns=namespace,
        user_module=main if vars(main) is namespace else None,
        profile_dir=_NoProfile(location=tempfile.gettempdir()),
        config=Config({"HistoryManager": {"enabled": False, "hist_file": ":memory:"}}),
    )


def _name_cells(shell: Any) -> None:
    counter = iter(range(1, sys.maxsize))
    shell.compile.get_code_name = lambda *_: f"{FILE_PREFIX}{next(counter)}>"
