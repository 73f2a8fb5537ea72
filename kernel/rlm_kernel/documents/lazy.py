"""A text that stays in its file: a `str` as far as slicing and searching go, of which little is in memory at a time.

The file is read in blocks of a megabyte. Where each block's first character stands is noted when the block is first
passed, so positions are exact characters whatever the encoding: `text[a:b]` costs reading up to `b` once, `len` and
negative positions cost reading the whole file once (about a second per 2 GB from memory), and after that a slice costs
the one or two blocks it lies in. The file is opened for each reading, not mapped: pages of a mapping that were touched
count as memory of the process, and no descriptor has to survive a fork or a pickle.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ContextError
from .found import Found

__all__ = ["LazyText"]

_BLOCK = 2**20
_WINDOW = 2**20
_REACH = 2**16
_BEHIND = 1_000


class LazyText:
    r"""The text of a large file.

    Slicing, `len`, `in`, `find`, `count`, `search`, `finditer`, `findall` and `splitlines` (an iterator) read the file
    piece by piece; any other method of `str` works too, on the whole text in memory. A regular expression sees 1,000
    characters before a match and at least 65,536 from its beginning on: what can match within those is found whole,
    however long it is, but nothing is found of which the required end lies further away.

    What is appended to the file later is not part of the text. Line ends are as they are in the file. A byte that
    is no UTF-8 is read as U+FFFD.

    Args:
        path: the file.
        encoding: `utf-8`, `utf-8-sig` or `latin-1`.

    Attributes:
        name: the file's name.
        encoding: as given.
        size: bytes of the file.

    """

    def __init__(self, path: Path, encoding: str) -> None:
        status = path.stat()
        self.name = path.name
        self.encoding = encoding
        self.size = status.st_size
        self._path = path.absolute()
        self._inode = (status.st_dev, status.st_ino)
        self._codec = "latin-1" if encoding == "latin-1" else "utf-8"
        first = 3 if encoding == "utf-8-sig" else 0
        self._starts = {0: (first, 0)}  # block → its first byte, its first character; the last entry is the end
        self._recent = (-1, "")

    def __len__(self) -> int:
        return self._starts[self._measure(None)][1]

    def __getitem__(self, key: int | slice) -> str:
        if isinstance(key, slice):
            start, stop, step = key.start, key.stop, key.step
            if step not in (None, 1) or any(place is not None and place < 0 for place in (start, stop)):
                start, stop, step = key.indices(len(self))
            if step is not None and step < 0:
                return self._read(stop + 1, start + 1)[::step]
            return self._read(start or 0, stop)[:: step or 1]
        place = key if key >= 0 else key + len(self)
        if place < 0 or not (character := self._read(place, place + 1)):
            raise IndexError("text index out of range")
        return character

    def __contains__(self, part: str) -> bool:
        return self.find(part) >= 0

    def __iter__(self) -> Iterator[str]:
        for window in self._windows():
            yield from window

    def __str__(self) -> str:
        return self._read(0, None)

    def __repr__(self) -> str:
        return f"<LazyText {self.name!r}: {self.size:,} bytes>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(str, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(str(self), name)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_recent": (-1, "")}

    def text(self) -> str:
        """Return the whole text, read into memory."""
        return str(self)

    def plain(self) -> str:
        """Return the same as a `str`, for a process that does not know this class or this file."""
        return str(self)

    def tail(self, count: int) -> str:
        """Return the last `count` characters, without reading what is before them."""
        start = max(self._starts[0][0], self.size - 4 * count - 3)
        raw = self._bytes(start, self.size)
        return raw.decode(self._codec, "replace")[-count:] if count > 0 else ""

    def find(self, part: str, start: int = 0, end: int | None = None) -> int:
        """Return where `part` first stands in `text[start:end]`, or -1."""
        start = start if start >= 0 else max(start + len(self), 0)
        end = end if end is None or end >= 0 else max(end + len(self), 0)
        if not part:
            return start if start <= min(len(self), len(self) if end is None else end) else -1
        while end is None or start + len(part) <= end:
            window = self._read(start, start + _WINDOW + len(part))
            at = window.find(part)
            if at >= 0:
                return start + at if end is None or start + at + len(part) <= end else -1
            if len(window) < _WINDOW + len(part):
                return -1
            start += _WINDOW
        return -1

    def count(self, part: str) -> int:
        """Return how often `part` occurs, without overlaps."""
        return sum(1 for _ in self._matches(re.compile(re.escape(part))))

    def search(self, pattern: str | re.Pattern[str], flags: int = 0) -> Found | None:
        """Return the first match of a regular expression, positions being those in the whole text, or `None`."""
        return next(self.finditer(pattern, flags), None)

    def finditer(self, pattern: str | re.Pattern[str], flags: int = 0) -> Iterator[Found]:
        """Yield the matches of a regular expression, positions being those in the whole text."""
        return (Found(match, shift) for match, shift in self._matches(re.compile(pattern, flags)))

    def findall(self, pattern: str | re.Pattern[str], flags: int = 0) -> list[Any]:
        """Return what `re.findall` would."""
        compiled = re.compile(pattern, flags)
        whole = slice(0, 1) if not compiled.groups else slice(1, None)
        found = ((match.group(), *match.groups(""))[whole] for match, _ in self._matches(compiled))
        return [groups[0] if len(groups) == 1 else groups for groups in found]

    def splitlines(self, keepends: bool = False) -> Iterator[str]:
        """Yield the lines, as `str.splitlines` would return them."""
        rest: list[str] = []
        for window in self._windows():
            if rest and rest[-1].endswith("\r"):  # its "\n" may come now
                window = rest.pop() + window
            *lines, last = window.splitlines(keepends=True)
            for line in lines:
                yield _line("".join(rest) + line, keepends)
                rest.clear()
            rest.append(last)
            if not last.endswith("\r") and last.splitlines() != [last]:
                yield _line("".join(rest), keepends)
                rest.clear()
        if rest:
            yield _line("".join(rest), keepends)

    def _matches(self, pattern: re.Pattern[str]) -> Iterator[tuple[re.Match[str], int]]:
        """Yield (match, what to add to its positions). Only matches that begin in a window are those of the window."""
        position, reach = 0, _REACH
        while True:
            before = max(position - _BEHIND, 0)
            border = position + _WINDOW
            window = self._read(before, border + reach)
            at_end = len(window) < border + reach - before
            position, unsure = border, False
            for match in pattern.finditer(window, border - _WINDOW - before):
                if before + match.start() >= border and not at_end:
                    break
                unsure = match.end() >= len(window) - 1 and not at_end
                if unsure:  # it may go on behind the window, or its `$` was the window's end: look again, further
                    position = before + match.start()
                    break
                yield match, before
                position = max(border, before + match.end())
            if at_end:
                return
            reach = 4 * reach if unsure else _REACH

    def _windows(self) -> Iterator[str]:
        number = 0
        while self._measure(self._starts[number][1] if number in self._starts else None) > number:
            yield self._block(number)
            number += 1

    def _read(self, start: int, stop: int | None) -> str:
        """Return the characters from `start` to before `stop`, or to the end, as far as there are any."""
        if stop is not None and stop <= start:
            return ""
        last = self._measure(stop)
        if start >= self._starts[last][1]:
            return ""
        first = bisect_right(range(last), start, key=lambda number: self._starts[number][1]) - 1
        offset = self._starts[first][1]
        texts = []
        for number in range(first, last):
            if stop is not None and self._starts[number][1] >= stop:
                break
            texts.append(self._block(number))
        end = None if stop is None else stop - offset
        return "".join(texts)[start - offset : end]

    def _measure(self, place: int | None) -> int:
        """Note block after block until the character at `place`, or the end, is passed; return how many are known."""
        last = len(self._starts) - 1
        while self._starts[last][0] < self.size and (place is None or self._starts[last][1] <= place):
            first, characters = self._starts[last]
            raw = self._bytes(first, first + _BLOCK + 3)
            end = _BLOCK
            while self._codec == "utf-8" and end < len(raw) and raw[end] & 0xC0 == 0x80:
                end += 1  # within a character
            raw = raw[:end]
            length = len(raw) if raw.isascii() else len(raw.decode(self._codec, "replace"))
            self._starts[last + 1] = (first + len(raw), characters + length)
            last += 1
        return last

    def _block(self, number: int) -> str:
        recent, text = self._recent
        if recent != number:
            text = self._bytes(self._starts[number][0], self._starts[number + 1][0]).decode(self._codec, "replace")
            self._recent = (number, text)
        return text

    def _bytes(self, start: int, stop: int) -> bytes:
        with self._path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if (status.st_dev, status.st_ino) != self._inode or status.st_size < self.size:
                raise ContextError(f"The file {self.name!r} was replaced or cut while it was read.", "ask again")
            return os.pread(file.fileno(), min(stop, self.size) - start, start)


def _line(text: str, keepends: bool) -> str:
    return text if keepends else text.splitlines()[0]
