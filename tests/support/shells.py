"""A plain IPython shell for tests: no kernel, no colours, no history file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

__all__ = ["plain_shell"]


@contextmanager
def plain_shell() -> Iterator[InteractiveShell]:
    """Make a shell, and put back afterwards what it changed in `sys`."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell(config=config)
    try:
        yield shell
    finally:
        shell.restore_sys_module_state()
