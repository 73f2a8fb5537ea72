"""The page of a card: at most `limit` characters, one fact per line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .excerpts import Pen
from .rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Card", "amount"]

_MORE = 60
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


class Card:
    """A page of at most `limit` characters that takes lines as long as they fit.

    Attributes:
        pen: writes all that is shown of the data.

    """

    def __init__(self, limit: int, rules: Rules = Rules(), *, sample: bool = True) -> None:  # noqa: B008 (immutable)
        self.pen = Pen(rules, sample=sample)
        self._left = max(limit, 0)
        self._lines: list[str] = []

    @property
    def room(self) -> int:
        """Characters that are left."""
        return self._left

    def line(self, text: str, *, spare: int = 0) -> bool:
        """Add a line, cut if it is the first; return whether it fitted with `spare` characters to go."""
        if not self._lines:
            text = text[: self._left]
        if len(text) + 1 + spare > self._left and self._lines:
            return False
        self._lines.append(text)
        self._left -= len(text) + 1
        return True

    def rows(self, lines: Iterable[str], total: int, noun: str, *, heading: str = "", spare: int = 0) -> None:
        """Add as many lines as fit, under a heading, and say how many of the `total` were left out."""
        shown = 0
        for text in lines:
            if shown == 0 and heading and not self.line(heading, spare=len(text) + _MORE + spare):
                return
            if not self.line(text, spare=_MORE + spare):
                break
            shown += 1
        if 0 < shown < total:
            self.line(f"… and {total - shown:,} more {noun}")

    def deepest(self, outline: Callable[[int], Iterable[str]], depths: Iterable[int], *, spare: int = 0) -> list[str]:
        """Return the lines of `outline(depth)` for the first of `depths` at which all of them fit, or none."""
        for depth in depths:
            lines: list[str] = []
            left = self._left - spare
            for text in outline(depth):
                lines.append(text)
                left -= len(text) + 1
                if left < 0:
                    break
            if left >= 0:
                return lines
        return []

    def ends(self, first: list[str], last: list[str], about: str = "") -> None:
        """Add the first and the last rows of something."""
        self.rows(first, len(first), "", heading=f"first rows{about}:")
        self.rows(last, len(last), "", heading="last rows:")

    def text(self) -> str:
        """Return the page."""
        return "\n".join(self._lines)


def amount(size: float) -> str:
    """Return a number of bytes for people: `512 bytes`, `49 MB`."""
    if size < 1000:
        return f"{size:.0f} bytes"
    power = min(int(math.log10(size) // 3), 4)
    size /= 1000**power
    return f"{size:.0f} {_UNITS[power]}" if size >= 10 else f"{size:.1f} {_UNITS[power]}"
