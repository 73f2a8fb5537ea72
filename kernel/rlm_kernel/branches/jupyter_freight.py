"""What a session on a Jupyter kernel starts with: packed once, sent to every kernel that the branch goes through."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..errors import BranchError, ProtocolError
from .jupyter_session import JupyterSession
from .keep import Parcel, Snapshot, pack

__all__ = ["Freight"]


class Freight:
    """Values by name, as they are now: what happens to them later does not reach the kernel.

    Args:
        values: one called `context` becomes the session's context.

    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self._parcel = _packed(values)

    async def send(self, session: JupyterSession) -> None:
        """Make the values variables of the session.

        Raises:
            BranchError: some cannot be sent, or cannot be loaded there; they are named, with the reason.
            BranchDied: the kernel died.

        """
        if self._parcel.refused:
            raise _stuck({row["name"]: row["reason"] for row in self._parcel.refused})
        try:
            await session.load(self._parcel)
        except ProtocolError as error:
            raise _stuck(await self._unloadable(session) or {"all of it": error.message}) from error

    def close(self) -> None:
        """Forget the packed values."""
        os.close(self._parcel.fd)

    async def _unloadable(self, session: JupyterSession) -> dict[str, str]:
        """Send the values one by one, and return those that the kernel cannot load, with the reason."""
        reasons = {}
        for name, value in self._values.items():
            parcel = _packed({name: value})
            try:
                await session.load(parcel)
            except ProtocolError as error:
                reasons[name] = error.message
            finally:
                os.close(parcel.fd)
        return reasons


def _packed(values: Mapping[str, Any]) -> Parcel:
    return pack(dict(values), Snapshot({}), lambda _: False)


def _stuck(reasons: dict[str, str]) -> BranchError:
    told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return BranchError(
        f"Not everything can be sent to the kernel ({told})", "send plain data, or install there what it is made of"
    )
