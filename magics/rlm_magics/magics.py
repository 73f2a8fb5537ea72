"""The magics `%%rlm`, `%rlm` and `%%branch`: read the line, do what it asks, bind and show what comes of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from IPython.core.magic import Magics, cell_magic, line_cell_magic, magics_class, no_var_expand

from rlm_kernel.errors import RLMError
from rlm_kernel.settings import resolve

from .branch import run_on_branch
from .commands import find_command
from .context import evaluate, evaluate_contexts
from .options import read_line
from .progress import Progress, surface_for
from .usage import branch_usage, usage

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
        command = find_command(line) if cell is None else None
        if command is not None:
            sys.stdout.write(f"{command.report()}\n")
            return None
        return self._solve(line, cell)

    @cell_magic
    @no_var_expand
    def branch(self, line: str, cell: str) -> None:
        """Run a cell on a branch."""  # what the user reads is set below
        run_on_branch(self.shell, line, cell)

    rlm.__doc__ = usage()
    branch.__doc__ = branch_usage()

    def _solve(self, line: str, cell: str | None) -> Run | str | None:
        from rlm_kernel.solver import solve  # loaded by the first question, so that loading the magics is cheap

        call = read_line(line, cell)
        kind = evaluate(self.shell, call.answer_type, "answer_type") if call.answer_type else None
        settings = resolve({**call.given, "answer_type": kind})
        value = evaluate_contexts(self.shell, call.context)
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

    def _bind(self, name: str | None, run: Run | None) -> None:
        if name and run is not None:
            self.shell.user_ns[name] = run
