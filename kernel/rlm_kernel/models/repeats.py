"""The repeat guard: tells while a reply streams in that the model only repeats itself.

A model that falls into a loop goes on to the end of its window, minutes and money later. What gives a loop away is the
share of 4-word phrases that are there more than once: next to none in healthy prose, nearly all in a loop. Lists,
tables and records repeat phrases too, because their rows are alike. Two things set them apart: their rows bring
something new (a name, a number), and a list of labels that brings nothing new is at least not in a strict rhythm.

A loop that counts its rounds may pass for a table; the limit on the length of a reply ends it.
"""

from __future__ import annotations

import re
from statistics import median

__all__ = ["RepeatGuard", "is_looping"]

_STEP = 300
_WINDOW = 1_500
_KEPT = 6_000
_LEAST_WORDS = 60
_PHRASE = 4
_NEW = 0.02
_RHYTHM = 3_000
_REFRAIN = 150
_ITEM_WORDS = 3
_WORD = re.compile(r"\w+")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_ITEM = re.compile(r"[\n,;|\[\]{}]+")


class RepeatGuard:
    """Watches one stream of text, and looks at its last 1,500 characters every 300 characters.

    Args:
        threshold: share of repeated 4-word phrases, 0 to 1, at which the text counts as a loop; 0 for never.
        floor: characters before which it does not look.

    """

    def __init__(self, threshold: float, floor: int = 0) -> None:
        self._threshold = threshold
        self._next = max(floor, _WINDOW)
        self._length = 0
        self._end = ""

    def feed(self, piece: str) -> bool:
        """Add a piece of the stream; true once it is a loop."""
        self._length += len(piece)
        self._end = (self._end + piece)[-_KEPT:]
        if not self._threshold or self._length < self._next:
            return False
        self._next = self._length + _STEP
        return is_looping(self._end, self._threshold)


def is_looping(text: str, threshold: float) -> bool:
    """Tell whether the end of `text` repeats itself and what came shortly before, in at least 60 words."""
    window = text[-_WINDOW:]
    words = _WORD.findall(window)
    if len(_LETTERS.findall(window)) < _LEAST_WORDS or _repeated(words) < threshold:
        return False
    return _in_rhythm(text) if _is_listing(window) else _new(words, text[:-_WINDOW]) < _NEW


def _repeated(words: list[str]) -> float:
    """Return the share of phrases that were there before."""
    phrases = list(zip(*(words[start:] for start in range(_PHRASE)), strict=False))
    return 1 - len(set(phrases)) / len(phrases)


def _new(words: list[str], earlier: str) -> float:
    """Return the share of words that are not in the earlier text."""
    known = set(_WORD.findall(earlier))
    return sum(word not in known for word in words) / len(words)


def _is_listing(text: str) -> bool:
    """Tell whether the text is made of short items: labels, cells of a table, fields of records, arguments."""
    items = (len(_WORD.findall(item)) for item in _ITEM.split(text))
    return median([count for count in items if count]) <= _ITEM_WORDS


def _in_rhythm(text: str) -> bool:
    """Tell whether the last 3,000 characters are one piece, repeated to the letter."""
    end = text[-_RHYTHM:]
    period = len(text) - _REFRAIN - text.rfind(text[-_REFRAIN:], 0, -1)
    return len(end) == _RHYTHM and period <= _WINDOW and text[-_RHYTHM - period : -period] == end
