"""Which words of a question name which column: exactly, by abbreviation, or by one word of the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .words import FILLER, NOUNS, Token, name_words, stem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .cards import Column

__all__ = ["claim_columns"]

_LONGEST = 5


def claim_columns(tokens: Sequence[Token], columns: Sequence[Column], reserved: frozenset[str]) -> str:
    """Mark the tokens that name a column with `column:<name>`, the continuing ones with `part`.

    Words in `reserved` (the names of operations) and small words never name a column alone, unless quoted. Returns
    a sentence if some words could mean several columns, else the empty string.
    """
    names = {column.name: name_words(column.name) for column in columns}
    for token in tokens:
        same = [name for name in names if name.lower() == token.low]
        if token.kind == "quoted" and len(same) == 1:
            token.role = f"column:{same[0]}"
    for matches in (_exact, _abbreviated):
        problem = _claim(tokens, names, matches, reserved)
        if problem:
            return problem
    return _claim(tokens, names, _one_word, reserved)


def _claim(
    tokens: Sequence[Token],
    names: dict[str, list[str]],
    matches: Callable[[list[str], list[str]], bool],
    reserved: frozenset[str],
) -> str:
    for length in range(min(_LONGEST, len(tokens)), 0, -1):
        for start in range(len(tokens) - length + 1):
            span = tokens[start : start + length]
            if any(t.role or t.kind not in ("word", "number") for t in span) or span[0].kind == "number":
                continue
            if length == 1 and (span[0].low in FILLER - NOUNS or span[0].low in reserved):
                continue
            words = [stem(t.text) for t in span]
            flat = [part for t in span for part in name_words(t.text)] if length == 1 else words
            fitting = [name for name, parts in names.items() if matches(flat, parts)]
            if len(fitting) > 1:
                said = " ".join(t.text for t in span)
                return f"“{said}” could mean the columns {' or '.join(fitting)}"
            if fitting:
                span[0].role = f"column:{fitting[0]}"
                for token in span[1:]:
                    token.role = "part"
    return ""


def _exact(words: list[str], parts: list[str]) -> bool:
    return words == parts or "".join(words) == "".join(parts)


def _abbreviated(words: list[str], parts: list[str]) -> bool:
    """`departure delay` for dep_delay, `destinations` for dest, `tail number` for tailnum."""
    joined, name = "".join(words), "".join(parts)
    if min(len(joined), len(name)) >= 4 and len(parts) == 1 and joined.startswith(name):
        return True
    if len(words) != len(parts):
        return False
    return all(
        word == part or (min(len(word), len(part)) >= 3 and word.startswith(part))
        for word, part in zip(words, parts, strict=True)
    )


def _one_word(words: list[str], parts: list[str]) -> bool:
    return len(words) == 1 and len(words[0]) >= 3 and words[0] in parts
