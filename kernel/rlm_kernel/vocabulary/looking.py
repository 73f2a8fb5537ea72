"""Words to look at text with, without any model: they read the context, or a value that they are given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

from .cutting import Span, cut, cut_lines
from .documents import Documents

__all__ = ["Looking", "Page"]

_PAGE = 4_000
_ALLOWANCE = 5 * _PAGE


class Page(str):
    """A page of a text, which shows itself as it is, not as a quoted string."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 (IPython's protocol)
        printer.text(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


class Looking:
    """The words, bound to a context.

    Args:
        ctx: the context.
        piece: the size of a piece where none is given, in characters.

    Attributes:
        allowance: characters that the cell asked to see in full, by `page`.

    """

    def __init__(self, ctx: Documents, piece: int) -> None:
        self._ctx = ctx
        self._piece = piece
        self.allowance = 0

    def words(self) -> dict[str, Any]:
        """Return what to install, by name."""
        names = "peek", "tail", "lenP", "page", "extract_after", "find", "grep", "chunk", "select"
        return {name: getattr(self, name) for name in names}

    # ----- stretches -----------------------------------------------------------------------------------------

    def peek(self, n: Any = 2000, value: Any = None) -> str:
        """Return the first `n` characters of the context, or of a value."""
        n, value = _sorted_out(n, value, 2000)
        return str(self._documents(value).reading[: max(n, 0)])

    def tail(self, n: Any = 2000, value: Any = None) -> str:
        """Return the last `n` characters of the context, or of a value."""
        n, value = _sorted_out(n, value, 2000)
        text = self._documents(value).reading
        return str(text[max(len(text) - max(n, 0), 0) :])

    def lenP(self) -> int:  # noqa: N802 (the name that cells know)
        """Return the length of the context as text, in characters."""
        return self._ctx.len_chars()

    def page(self, value: Any = None, number: int = 1, size: int = _PAGE) -> Page:
        """Return a page of a long text; it is shown in full.

        Args:
            value: what to read on, `_result_3` for example; the context if it is left out.
            number: which page, from 1.
            size: characters on a page, at most 4,000.

        Raises:
            ValueError: there is no such page; the message says how many there are.

        """
        if isinstance(value, int):
            value, number = None, value
        text, size = self._documents(value).reading, min(size, _PAGE)
        count = max(-(-len(text) // size), 1) if size > 0 else 0
        if not 1 <= number <= count:
            raise ValueError(f"there is no page {number}: the text has {count:,} pages of {size:,} characters")
        page = Page(text[(number - 1) * size : number * size])
        self.allowance = min(self.allowance + len(page), _ALLOWANCE)
        return page

    def extract_after(self, marker: str, max_len: int = 128, value: Any = None) -> str | None:
        """Return the first word after a marker, or `None`.

        Punctuation and brackets around it do not belong to it; only `max_len` characters are looked at.
        """
        text = self._text(value)
        found = text.find(marker)
        after = found + len(marker)
        words = text[after : after + max(max_len, 0)].split() if found >= 0 else []
        return words[0].strip(" .,;:'\"()[]{}") or None if words else None

    # ----- places --------------------------------------------------------------------------------------------

    def find(
        self,
        pattern: str,
        value: Any = None,
        *,
        regex: bool = False,
        max_matches: int = 20,
        case_sensitive: bool = True,
        flags: int = 0,
    ) -> list[Span]:
        """Return where a pattern is, as (start, end, text)."""
        return self._documents(value).find(pattern, regex, max_matches, case_sensitive, flags)

    def grep(
        self,
        pattern: str,
        value: Any = None,
        context_lines: int = 0,
        *,
        ignore_case: bool = False,
        max_matches: int = 50,
    ) -> list[dict[str, Any]]:
        """Return the lines that a regular expression matches: line, start, text.

        Lines are counted from 1; `start` is the offset of `text`, which has `context_lines` more before and after.
        """
        lines = self._text(value).splitlines(keepends=True)
        compiled = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
        hits = islice((i for i, line in enumerate(lines) if compiled.search(line)), max_matches)
        starts = _starts(lines)
        return [_found(lines, starts, hit, context_lines) for hit in hits]

    # ----- pieces --------------------------------------------------------------------------------------------

    def chunk(self, value: Any = None, size: int | None = None, overlap: int = 0, by: str = "chars") -> list[str]:
        """Cut a text into a list of pieces.

        Args:
            value: the text; the context if it is left out.
            size: characters or lines of a piece; by default what one sub-call can well take.
            overlap: how much of a piece the next one repeats.
            by: `chars` or `lines`.

        Raises:
            ValueError: such pieces would never end.

        """
        if isinstance(value, int):
            value, size = None, value
        text = self._text(value)
        size = size or (self._piece if _by_chars(by) else 100)
        spans = cut(text, size, overlap) if _by_chars(by) else cut_lines(text, size, overlap)
        return [piece for _, _, piece in spans]

    def select(self, ranges: Iterable[tuple[int, int]], value: Any = None, by: str = "chars") -> list[str]:
        """Return the parts (start, end) of a text.

        `by` is `chars` or `lines`; both count from 0, and the end is not part of it.
        """
        text = self._text(value)
        if _by_chars(by):
            return [text[max(start, 0) : max(end, 0)] for start, end in ranges]
        lines = text.splitlines(keepends=True)
        return ["".join(lines[max(start, 0) : max(end, 0)]) for start, end in ranges]

    def _documents(self, value: Any) -> Documents:
        return self._ctx if value is None else Documents(value)

    def _text(self, value: Any) -> str:
        return value if isinstance(value, str) else self._documents(value).text


def _sorted_out(n: Any, value: Any, default: int) -> tuple[int, Any]:
    """Return (number, value) of two arguments that may come in either order."""
    return (n, value) if isinstance(n, int) else (default if value is None else value, n)


def _by_chars(by: str) -> bool:
    if by not in ("chars", "lines"):
        raise ValueError(f"by is 'chars' or 'lines', not {by!r}")
    return by == "chars"


def _starts(lines: list[str]) -> list[int]:
    starts, position = [], 0
    for line in lines:
        starts.append(position)
        position += len(line)
    return starts


def _found(lines: list[str], starts: list[int], hit: int, context_lines: int) -> dict[str, Any]:
    first = max(hit - context_lines, 0)
    text = "".join(lines[first : hit + context_lines + 1]).rstrip("\r\n")
    return {"line": hit + 1, "start": starts[first], "text": text}
