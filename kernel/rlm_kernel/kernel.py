"""The Jupyter kernel: IPython's own, with the magics loaded, which takes its branches along when it goes.

Everything a Python kernel does stays as it is. An interrupt needs no hook: the main thread waits for a solve in short
steps, so the SIGINT that ipykernel sends reaches it within 50 ms.
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from traitlets import List, Type

__all__ = ["RLMKernel", "RLMKernelApp"]

MAGICS = "rlm_magics"
PAPER = {"text": "Recursive Language Models", "url": "https://arxiv.org/abs/2512.24601"}


class RLMKernel(IPythonKernel):
    """A Python kernel that answers questions about what it holds."""

    implementation = "rlm"
    implementation_version = metadata.version("rlm-notebook")
    help_links = List([PAPER, *(IPythonKernel.help_links.default() or [])]).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        assert self.shell is not None  # it exists once IPython's kernel does
        try:
            self.shell.extension_manager.load_extension(MAGICS)
        except Exception:
            self.log.exception("The magics could not be loaded: this is a plain Python kernel now")

    @property
    def banner(self) -> str:  # type: ignore[override]  # a property in IPython's kernel too, a trait in its base
        """What a console shows when it connects."""
        return f"RLM for notebooks {self.implementation_version}: %%rlm? tells how to ask\n{super().banner}"

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:
        """Take every running solve and its branch down before the kernel goes or restarts."""
        # Looked up, not imported: a kernel that never solved has nothing to stop and loads nothing for it.
        background = sys.modules.get("rlm_kernel.background")
        if background is not None:
            try:
                background.close()
            except Exception:
                self.log.exception("The solver thread could not be closed")
        reply: dict[str, Any] = super().do_shutdown(restart)
        return reply


class RLMKernelApp(IPKernelApp):
    """IPython's kernel application around an `RLMKernel`.

    It keeps IPython's name, so what users configured for their Python kernel applies here as well.
    """

    kernel_class = Type("rlm_kernel.kernel.RLMKernel", klass="ipykernel.kernelbase.Kernel").tag(config=True)
