"""Cutting text to a length: the beginning and the end stay, the middle says how much is missing."""

from __future__ import annotations

__all__ = ["clip", "ends"]


def clip(text: str, limit: int) -> str:
    """Return `text` if it has at most `limit` characters, else its head and tail around a note of the true length."""
    if len(text) <= limit:
        return text
    return ends(text, limit, f"[{len(text) - limit:,} of {len(text):,} characters cut]")


def ends(text: str, limit: int, note: str) -> str:
    """Return two thirds of `limit` from the head of a longer text, one third from its tail, and a note between them."""
    head = limit * 2 // 3
    return f"{text[:head]}\n… {note} …\n{text[len(text) - (limit - head) :]}"
