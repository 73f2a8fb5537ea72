"""How text is cut into pieces."""

from __future__ import annotations

from typing import Any

from .texts import as_text

__all__ = ["Span", "cut", "cut_lines", "pieces"]

Span = tuple[int, int, str]
"""A part of a text: start, end, and the part itself."""


def cut(text: str, size: int, overlap: int = 0) -> list[Span]:
    """Return pieces of `size` characters as (start, end, text), each starting `overlap` before the last one's end.

    Raises:
        ValueError: such pieces would never end.

    """
    if size < 1 or not 0 <= overlap < size:
        raise ValueError(f"pieces need size >= 1 and 0 <= overlap < size, not size={size} and overlap={overlap}")
    starts = range(0, max(len(text) - overlap, 1), size - overlap) if text else ()
    return [(start, min(start + size, len(text)), text[start : start + size]) for start in starts]


def cut_lines(text: str, size: int, overlap: int) -> list[Span]:
    """Cut at the ends of lines, by the places in a text that has a character for each line."""
    lines = text.splitlines(keepends=True)
    places = cut("\n" * len(lines), size, overlap)
    return [(start, end, "".join(lines[start:end])) for start, end, _ in places]


def pieces(chunks: Any, size: int, overlap: int = 0, *, whole: bool = False) -> list[str]:
    """Return chunks as texts: those of a list, or of a text, none longer than `size` unless they may stay `whole`.

    What `chunk` returned will do as well: of each (start, end, text) the text is taken.
    """
    if not isinstance(chunks, list | tuple):
        return [text for _, _, text in cut(as_text(chunks), size, overlap)]
    texts = [as_text(item[-1] if isinstance(item, tuple) else item) for item in chunks]
    return texts if whole else [piece for text in texts for _, _, piece in cut(text, size, overlap)]
