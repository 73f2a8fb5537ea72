"""The magics `%%rlm` and `%rlm`: read the line, evaluate the context, solve, bind and return the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from rlm_kernel.errors import RLMError
from rlm_kernel.settings import resolve

from .context import evaluate
from .options import read_line
from .progress import Progress, surface_for
from .usage import usage

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from rlm_kernel.trajectory.run import Run

__all__ = ["RLMMagics"]


@magics_class
class RLMMagics(Magics):
    """The magics of this package, bound to one shell."""

    shell: InteractiveShell

    @line_cell_magic
    @no_var_expand
    def rlm(self, line: str, cell: str | None = None) -> Run | str | None:
        """Answer a question about a value."""  # what the user reads is set below
        from rlm_kernel.solver import (
            solve,
        )  # loaded by the first question, so that loading the magics is cheap

        call = read_line(line, cell)
        settings = resolve(call.given)
        value = evaluate(self.shell, call.context)
        surface = surface_for(self.shell, settings.view, whole_cell=cell is not None)
        try:
            with Progress(surface) as progress:
                run = solve(
                    call.question,
                    context=value,
                    context_name=call.context,
                    namespace=self.shell.user_ns,
                    settings=settings,
                    on_progress=progress,
                )
        except RLMError as error:
            self._bind(call.out, getattr(error, "run", None))
            raise
        self._bind(call.out, run)
        if settings.view != "none":
            return run
        return None if call.out else run.text

    rlm.__doc__ = usage()

    def _bind(self, name: str | None, run: Run | None) -> None:
        if name and run is not None:
            self.shell.user_ns[name] = run
