"""A match in a text that is read piece by piece: like `re.Match`, but it keeps no more than what it matched."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["Found"]


class Found:
    """What `re.Match` says, with positions in the whole text.

    Args:
        match: the match in a piece.
        shift: where that piece begins in the whole text.

    """

    __slots__ = ("_names", "_spans", "_texts")

    def __init__(self, match: re.Match[str], shift: int) -> None:
        self._names = match.re.groupindex
        self._texts: tuple[str | None, ...] = (match.group(), *match.groups())
        spans = (match.span(number) for number in range(len(self._texts)))
        self._spans = tuple((start + shift, end + shift) if start >= 0 else (start, end) for start, end in spans)

    def group(self, *groups: int | str) -> Any:
        """Return the text of a group, the whole match without one, a tuple for several."""
        texts = tuple(self._texts[self._number(group)] for group in groups or (0,))
        return texts[0] if len(texts) == 1 else texts

    def groups(self, default: Any = None) -> tuple[Any, ...]:
        """Return the texts of all groups."""
        return tuple(default if text is None else text for text in self._texts[1:])

    def groupdict(self, default: Any = None) -> dict[str, Any]:
        """Return the texts of the named groups."""
        found = {name: self._texts[number] for name, number in self._names.items()}
        return {name: default if text is None else text for name, text in found.items()}

    def span(self, group: int | str = 0) -> tuple[int, int]:
        """Return where a group begins and ends; (-1, -1) if it took no part."""
        return self._spans[self._number(group)]

    def start(self, group: int | str = 0) -> int:
        """Return where a group begins."""
        return self.span(group)[0]

    def end(self, group: int | str = 0) -> int:
        """Return where a group ends."""
        return self.span(group)[1]

    def __getitem__(self, group: int | str) -> Any:
        return self.group(group)

    def __repr__(self) -> str:
        return f"<Found span={self.span()}, match={(self.group() or '')[:50]!r}>"

    def _number(self, group: int | str) -> int:
        return group if isinstance(group, int) else self._names[group]
