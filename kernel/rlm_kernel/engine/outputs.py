"""What a cell printed, as the model sees it: short output whole, long output stored and shown by its ends.

An output over the limit becomes a variable of the session, `_result_1` and so on, of which `page` shows any part. What
`page` and its like show was asked for, so it is not stored again: it raises the limit by its own length.
"""

from __future__ import annotations

from ..branches.result import CellResult
from .shaping import ends

__all__ = ["Outputs"]

_SHOWN = 0.4
"""Share of the limit that is shown of an output that is stored."""


class Outputs:
    """Shapes the outputs of one trajectory, and keeps those that were too long until they are taken.

    Args:
        limit: characters of one output that are shown whole.

    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._stored: dict[str, str] = {}

    def shape(self, result: CellResult) -> list[str]:
        """Return the parts of a cell's output that has any, each under its label."""
        limit = self._limit + result.allowance
        streams = (("stdout", result.stdout), ("stderr", result.stderr), ("value", result.value_text))
        return [f"{label}:\n{self._shown(text.rstrip(), limit)}" for label, text in streams if text.strip()]

    def take(self) -> dict[str, str]:
        """Return the outputs stored since the last call, by the name of the variable they are to become."""
        stored, self._stored = self._stored, {}
        return stored

    def _shown(self, text: str, limit: int) -> str:
        if len(text) <= limit:
            return text
        name = f"_result_{self._count}"
        self._count += 1
        self._stored[name] = text
        note = f"[{len(text):,} characters in all, stored as `{name}`; page({name}, 1) shows it part by part]"
        return ends(text, max(int(self._limit * _SHOWN), 60), note)
