"""Long texts in pieces, and prompts around them."""

from __future__ import annotations

import re

from .shaping import clip

__all__ = ["cut", "over", "pack"]

_OVERLAP = 0.15
"""Share of a part that it has in common with the next."""

_REACH = 0.1
"""Share of a part in which a border of a line or sentence is looked for, before its end."""

_SENTENCE_END = re.compile(r"[.!?]\s")


def over(text: str, instruction: str, tag: str = "text") -> str:
    """Return a prompt: the data, then what to do with it."""
    return f"<{tag}>\n{text}\n</{tag}>\n\n{instruction}"


def cut(text: str, size: int) -> list[tuple[int, int]]:
    """Return where the parts of a text are, as (start, end): at most `size` characters each, all of it covered.

    Neighbours share 15 % or a little more. A part ends at the end of a line, a sentence or a word if one is near.
    """
    found, start = [], 0
    reach, overlap = int(size * _REACH), int(size * _OVERLAP)
    while start + size < len(text):
        end = _border(text, start + size, reach)
        found.append((start, end))
        start = max(_border(text, end - overlap, reach), start + 1)
    return [*found, (start, len(text))]


def pack(notes: list[str], room: int) -> list[list[str]]:
    """Put notes into groups, in order, each of at most `room` characters; a longer note is cut, and says so."""
    groups: list[list[str]] = []
    free = 0
    for note in notes:
        short = clip(note, max(1, room - 100)) if len(note) > room else note
        if not groups or len(short) + 1 > free:
            groups.append([])
            free = room
        groups[-1].append(short)
        free -= len(short) + 1
    return groups


def _border(text: str, end: int, reach: int) -> int:
    """Return the last good place to cut within `reach` characters before `end`, or `end`."""
    start = max(0, end - reach)
    if (line := text.rfind("\n", start, end)) >= 0:
        return line + 1
    if sentences := [match.end() for match in _SENTENCE_END.finditer(text, start, end)]:
        return sentences[-1]
    word = text.rfind(" ", start, end)
    return word + 1 if word >= 0 else end
