"""`search`: which passages fit a query best, by Okapi BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75).

Passages are the documents where there are several, else the lines of the text; long ones are cut. No index is built:
one regular expression finds the query's words in the whole text, and each hit is counted for its passage. Lengths are
in characters.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from .documents import Documents

__all__ = ["search"]

_K1, _B = 1.2, 0.75
_LONGEST = 2_000
_LINE = re.compile(r"[^\n]*\S[^\n]*")


def search(documents: Documents, query: str, k: int = 5) -> list[dict[str, Any]]:
    """Return the `k` best passages, best first, as plain dicts.

    Each has `text`, `score`, `start` and `end` (offsets in the text) and `document` (the name). Passages without any
    word of the query are not returned.
    """
    passages = list(_passages(documents))
    hits = _hits(documents.text, query, passages)
    if not hits:
        return []
    mean = sum(end - start for start, end, _ in passages) / len(passages)
    holders = Counter(word for counts in hits.values() for word in counts)
    weights = {word: math.log(1 + (len(passages) - n + 0.5) / (n + 0.5)) for word, n in holders.items()}

    def score(passage: int) -> float:
        start, end, _ = passages[passage]
        norm = _K1 * (1 - _B + _B * (end - start) / mean)
        return sum(weights[word] * n * (_K1 + 1) / (n + norm) for word, n in hits[passage].items())

    best = sorted(hits, key=lambda passage: (-score(passage), passage))[:k]
    return [_told(documents, passages[passage], score(passage)) for passage in best]


def _passages(documents: Documents) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, document) of each passage, in order."""
    several = documents.num_documents() > 1
    for name, start, text in zip(documents.names, documents.starts, documents.documents, strict=True):
        units = [(0, len(text))] if several else (match.span() for match in _LINE.finditer(text))
        for first, last in units:
            for piece in range(first, last, _LONGEST):
                yield start + piece, start + min(piece + _LONGEST, last), name


def _hits(text: str, query: str, passages: list[tuple[int, int, str]]) -> dict[int, Counter[str]]:
    """Return how often each word of the query is in each passage that has any."""
    words = sorted(set(re.findall(r"\w+", query.lower())), key=len, reverse=True)
    hits: dict[int, Counter[str]] = defaultdict(Counter)
    if not words or not passages:
        return hits
    starts = [start for start, _, _ in passages]
    for match in re.finditer(rf"\b(?:{'|'.join(map(re.escape, words))})\b", text, re.IGNORECASE):
        passage = bisect_right(starts, match.start()) - 1
        if passage >= 0 and match.end() <= passages[passage][1]:
            hits[passage][match.group().lower()] += 1
    return hits


def _told(documents: Documents, passage: tuple[int, int, str], score: float) -> dict[str, Any]:
    start, end, name = passage
    return {"text": documents.text[start:end], "score": round(score, 4), "start": start, "end": end, "document": name}
