"""Cutting text to a length: the beginning and the end stay, the middle says how much is missing."""

from __future__ import annotations

__all__ = ["clip"]


def clip(text: str, limit: int) -> str:
    """Return `text` if it has at most `limit` characters, else its head and tail around a note of the true length."""
    if len(text) <= limit:
        return text
    note = f"\n… [{len(text) - limit:,} of {len(text):,} characters cut] …\n"
    head = limit * 2 // 3
    return text[:head] + note + text[len(text) - (limit - head) :]
