"""The user's own cell on a branch: kept as a whole if it succeeds, as if it had never been if not."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import CancelledError
from queue import SimpleQueue
from typing import Any, NoReturn

from .background import Job, interrupts_held
from .branches.branch import Branch
from .branches.host import open_as_set
from .branches.keep import Parcel, unpack
from .branches.result import CellResult
from .errors import BranchError, SubcallError
from .settings import Settings

__all__ = ["run_cell"]


def run_cell(
    code: str,
    *,
    namespace: dict[str, Any],
    settings: Settings,
    on_output: Callable[[str, str], object],
    on_display: Callable[[dict[str, Any]], object],
) -> CellResult:
    """Run `code` on a branch; if it succeeds bind what it changed in `namespace`, otherwise change nothing there.

    Args:
        code: a cell, magics and all.
        namespace: the user's variables.
        settings: `branch`, `timeout`, `mem`, `keep`, `ship` and `address_space` count here.
        on_output: told what the cell prints, as it comes: stream and text. Called on this thread.
        on_display: shown each display and the value, as MIME bundles, when the cell has ended.

    Raises:
        BranchError: the cell was killed or died, or what it made cannot come back; nothing has changed.
        KeyboardInterrupt: interrupted; nothing has changed.

    """
    printed: SimpleQueue[tuple[str, str]] = SimpleQueue()
    with interrupts_held() as interrupts:
        branch = open_as_set(namespace, None, settings)
        job = Job(_run(branch, code, settings, lambda stream, text: printed.put((stream, text))))
    if interrupts:
        job.stop()

    def pass_on() -> None:
        while not printed.empty():
            on_output(*printed.get())

    try:
        result, parcel = job.wait(pass_on)
    except CancelledError:
        raise KeyboardInterrupt("the cell was interrupted; nothing has changed") from None
    finally:
        pass_on()
    for bundle in result.displays:
        on_display(bundle)
    if parcel is not None:
        _bind(parcel, branch, namespace)
    elif result.outcome != "error":
        reason = result.error["message"] if result.error else result.outcome
        raise BranchError(f"The cell was stopped: {reason}. Nothing has changed.", _HINTS.get(result.outcome, ""))
    return result


_HINTS = {"timeout": "give it more time: timeout=…", "killed": "give it more memory: mem=…"}


async def _run(
    branch: Branch, code: str, settings: Settings, on_output: Callable[[str, str], object]
) -> tuple[CellResult, Parcel | None]:
    try:
        await branch.start()
        branch.listen(on_output)
        result = await branch.run(code, timeout=settings.timeout, serve=_no_calls)
        return result, await branch.keep(settings.keep) if result.outcome == "ok" else None
    finally:
        branch.close()


def _bind(parcel: Parcel, branch: Branch, namespace: dict[str, Any]) -> None:
    if parcel.refused:
        os.close(parcel.fd)
        first = parcel.refused[0]
        raise BranchError(f"{first['name']} cannot come back: {first['reason']}. Nothing has changed.")
    namespace.update(unpack(parcel, branch.snapshot))
    for name in parcel.removed:
        namespace.pop(name, None)


async def _no_calls(*_: object) -> NoReturn:
    raise SubcallError("there is no model behind a %%branch cell")
