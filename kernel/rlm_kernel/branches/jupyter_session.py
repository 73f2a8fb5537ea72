"""A session on a Jupyter kernel, from the notebook's side: what `bootstrap` and `jupyter_cargo` do there, asked here.

Whatever is asked is a line of code that runs silently in the kernel. It answers by calls, as a cell's sub-calls do, so
no formatter and no output of the kernel's stands between the two.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Any

from ..errors import BranchDied, ProtocolError
from .bootstrap import HERE
from .jupyter_output import CellOutput
from .jupyter_packing import PIECE
from .jupyter_process import Answer, KernelProcess
from .jupyter_sources import PACKAGE, far_side
from .keep import Parcel
from .result import Update
from .updates import to_bytes

__all__ = ["JupyterSession"]

_LIMIT = 120.0
"""Seconds that the kernel may take for one thing that we ask of it."""

_BOOT = """\
def _rlm_boot(modules, file):
    import functools, sys, types
    package = sys.modules["_rlm"] = types.ModuleType("_rlm")
    package.__path__ = []
    for name, source in modules.items():
        path = "_rlm." + name.removesuffix({package!r})
        module = sys.modules.setdefault(path, types.ModuleType(path))
        module.__package__ = ("_rlm." + name).rpartition(".")[0]
        sys.modules.setdefault(module.__package__, types.ModuleType(module.__package__)).__path__ = []
        exec(compile(source, file, "exec"), vars(module))
    del globals()["_rlm_boot"]
    session = sys.modules["_rlm.branches.bootstrap"].Session(globals())
    cargo = sys.modules["_rlm.branches.jupyter_cargo"]
    names = ("keep", "load", "update", "variables")
    commands = {{name: functools.partial(getattr(cargo, name), session) for name in names}}
    vars(package).update(commands, prepare=session.prepare, report=session.report)
_rlm_boot({modules!r}, {file!r})
"""


class JupyterSession:
    """One kernel with the far side in it. Between `open` and `close`, whatever asks the kernel may raise `BranchDied`.

    Args:
        spec: the name of an installed kernelspec.

    """

    def __init__(self, spec: str) -> None:
        self._process = KernelProcess(spec)

    @property
    def death(self) -> str:
        """How the kernel died, in words; empty while it lives."""
        return self._process.death

    async def open(self) -> None:
        """Start the kernel, and send the far side over.

        Raises:
            BranchError: there is no such kernelspec.
            BranchDied: the kernel does not come up, or cannot run the far side.

        """
        await self._process.start()
        try:
            await self._execute(_BOOT.format(modules=far_side(), file=HERE, package=PACKAGE), _nothing)
        except ProtocolError as error:
            raise BranchDied(f"A branch needs a Python kernel, and this one says: {error.message}") from None

    async def load(self, freight: Parcel, home: dict[str, str], *, trial: bool = False) -> None:
        """Send values over and make them the session's; the parcel can be sent again.

        `home` are the tools that stay here, and their documentation. After a `trial` the session is as it was.

        Raises:
            ProtocolError: the kernel cannot load them; the message says why.

        """
        size = os.fstat(freight.fd).st_size
        told = f"{freight.pickle_size}, {freight.buffers}, {size}, {home!r}, trial={trial}"
        await self._command(f"load({told})", _giving(lambda offset: os.pread(freight.fd, PIECE, offset)))

    async def update(self, updates: list[Update]) -> None:
        """Change the session before a cell."""
        if updates:
            data = to_bytes(updates)
            await self._command(f"update({len(data)})", _giving(lambda offset: data[offset : offset + PIECE]))

    async def prepare(self, code: str) -> list[str]:
        """Return the variables that a cell may change, sorted; to be called before each cell."""
        touched: list[str] = (await self._told(f"prepare({code!r})"))["touched"]
        return touched

    async def perform(self, code: str, answer: Answer, output: CellOutput) -> dict[str, Any]:
        """Run a cell, and return what it left behind (see `bootstrap.Session.report`) and its `outcome`.

        Raises:
            ProtocolError: the cell broke the far side.

        """
        reply = await self._process.execute(code, answer, output)
        failed = reply["status"] != "ok"
        return {**await self._told(f"report({failed})"), "outcome": "error" if failed else "ok"}

    async def variables(self) -> list[dict[str, str]]:
        """Return the session's variables: name, type and one line about the value."""
        rows: list[dict[str, str]] = (await self._told("variables()"))["variables"]
        return rows

    async def keep(self, names: str) -> Parcel:
        """Pack the answer and the variables that `names` means (`none`, `new`, `all`, or a list).

        Raises:
            ProtocolError: the kernel cannot pack them.

        """
        fd = os.memfd_create("rlm-keep")
        told: dict[str, Any] = {}

        async def hear(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            if name == "piece":
                os.write(fd, base64.b64decode(arguments["data"]))
            else:
                told.update(arguments)
            return {"value": None}

        try:
            await self._command(f"keep({names!r})", hear)
            return Parcel(fd, buffers=[], **told)
        except BaseException:
            os.close(fd)
            raise

    def kill(self) -> None:
        """Kill the kernel and all it started on this machine, at once; `close` is still to come."""
        self._process.kill()

    def close(self) -> None:
        """Kill the kernel, wherever it is, and close all that belongs to it. Closing twice is harmless."""
        self._process.close()

    async def _told(self, command: str) -> dict[str, Any]:
        """Give a command, and return the arguments of the one call that answers it."""
        told: dict[str, Any] = {}

        async def hear(_: str, arguments: dict[str, Any]) -> dict[str, Any]:
            told.update(arguments)
            return {"value": None}

        await self._command(command, hear)
        return told

    async def _command(self, command: str, answer: Answer) -> None:
        await self._execute(f'__import__("_rlm").{command}  # {HERE}', answer)

    async def _execute(self, code: str, answer: Answer) -> None:
        try:
            async with asyncio.timeout(_LIMIT):
                reply = await self._process.execute(code, answer)
        except TimeoutError:
            raise ProtocolError(f"The kernel did not answer within {_LIMIT:g} s") from None
        if reply["status"] != "ok":
            raise ProtocolError(f"{reply['ename']}: {reply['evalue']}")


def _giving(read: Callable[[int], bytes]) -> Answer:
    """Answer calls for a piece of something that is too long for one message."""

    async def answer(_: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"value": base64.b64encode(read(arguments["offset"])).decode("ascii")}

    return answer


async def _nothing(name: str, _: dict[str, Any]) -> dict[str, Any]:
    return {"error": f"nothing answers {name} here"}
