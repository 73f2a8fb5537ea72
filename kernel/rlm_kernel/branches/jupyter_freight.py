"""What a session on a Jupyter kernel starts with, sent to every kernel that the branch goes through.

It was packed once: by this process for the first kernel of a run, by a kernel for the kernels of its children. What
came from a kernel is passed on as it is; nothing of it is ever unpacked here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from .. import documents
from ..errors import BranchError, ProtocolError
from ..vocabulary.kit import Kit
from .jupyter_session import JupyterSession
from .keep import Parcel, Snapshot, pack
from .luggage import parts_of, stays_at_home, word_for

__all__ = ["Freight", "Packed", "Relayed"]


class Freight(Protocol):
    """What a session starts with."""

    async def send(self, session: JupyterSession) -> None:
        """Make it the session's.

        Raises:
            BranchError: something cannot be sent, or cannot be loaded there; it is named, with the reason.
            BranchDied: the kernel died.

        """

    def close(self) -> None:
        """Forget it."""


class Packed:
    """Values of this process, as they are now: what happens to them later does not reach the kernel.

    Args:
        values: the variables to start with, by name.
        kit: what the question brings along. A tool of it that cannot travel is called from there.

    """

    def __init__(self, values: Mapping[str, Any], kit: Kit) -> None:
        self._values = {name: _plain(value) for name, value in {**values, **parts_of(kit)}.items()}
        self._home: dict[str, str] = {}
        self._parcel = _packed(self._values)
        self._stuck = self._leave({row["name"]: row["reason"] for row in self._parcel.refused})

    async def send(self, session: JupyterSession) -> None:
        """Make the values variables of the session; see `Freight`."""
        if self._stuck:
            raise _not_everything(self._stuck)
        try:
            await session.load(self._parcel, self._home)
        except ProtocolError as error:
            stuck = await self._unloadable(session)
            if self._leave(stuck) or not stuck:
                raise _not_everything(stuck or {"all of it": error.message}) from error
            os.close(self._parcel.fd)
            self._parcel = _packed({name: value for name, value in self._values.items() if name not in self._home})
            await session.load(self._parcel, self._home)

    def close(self) -> None:
        """Forget the packed values."""
        os.close(self._parcel.fd)

    def _leave(self, reasons: dict[str, str]) -> dict[str, str]:
        """Leave tools at home that cannot travel; return what cannot stay either, with the reasons."""
        docs = {name: stays_at_home(name, self._values[name]) for name in reasons}
        self._home |= {name: doc for name, doc in docs.items() if doc is not None}
        return {name: reason for name, reason in reasons.items() if docs[name] is None}

    async def _unloadable(self, session: JupyterSession) -> dict[str, str]:
        """Send the values one by one, and return those that the kernel cannot load, with the reason."""
        reasons = {}
        for name, value in self._values.items():
            parcel = _packed({name: value})
            try:
                await session.load(parcel, {}, trial=True)
            except ProtocolError as error:
                reasons[name] = error.message
            finally:
                os.close(parcel.fd)
        return reasons


class Relayed:
    """What a kernel packed for the kernel of a child.

    Args:
        fd: of a file that holds the pickle; it stays the caller's.
        home: the tools that stayed in this process, and their documentation.

    """

    def __init__(self, fd: int, home: dict[str, str]) -> None:
        self._parcel = Parcel(os.dup(fd), os.fstat(fd).st_size, [], [], [])
        self._home = home

    async def send(self, session: JupyterSession) -> None:
        """Make it the session's; see `Freight`."""
        try:
            await session.load(self._parcel, self._home)
        except ProtocolError as error:
            raise _not_everything({"the context": error.message}) from error

    def close(self) -> None:
        """Forget it."""
        os.close(self._parcel.fd)


def _plain(value: Any) -> Any:
    """Return what a value says in plain Python, if it is of a class that only an installation of ours has."""
    ours = type(value).__module__.startswith(f"{documents.__name__}.")
    return value.plain() if ours else value


def _packed(values: Mapping[str, Any]) -> Parcel:
    return pack(dict(values), Snapshot({}), lambda _: False, recurse=True)


def _not_everything(reasons: dict[str, str]) -> BranchError:
    told = "; ".join(f"{word_for(name)}: {reason}" for name, reason in reasons.items())
    return BranchError(
        f"Not everything can be sent to the kernel ({told})", "send plain data, or install there what it is made of"
    )
