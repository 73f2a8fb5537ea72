"""What the user types: `%%rlm`, `%rlm` and `%%branch`, by `%load_ext rlm_magics` in any IPython.

The kernel of this project loads the extension by itself. Unloading leaves the shell as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import transform
from .magics import RLMMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["RLMMagics", "load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(ip: InteractiveShell) -> None:
    """Register the magics and the transform; a second call changes nothing."""
    if not isinstance(ip.magics_manager.registry.get("RLMMagics"), RLMMagics):
        ip.register_magics(RLMMagics(ip))
    transform.install(ip)


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """Remove everything that loading added."""
    transform.uninstall(ip)
    manager = ip.magics_manager
    magics = manager.registry.pop("RLMMagics", None)
    if magics is None:
        return
    ip.configurables.remove(magics)
    for kind, names in magics.magics.items():
        for name in names:
            manager.magics[kind].pop(name, None)
