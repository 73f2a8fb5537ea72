"""Text that can travel: JSON between client and server is UTF-8, which has no place for half a character."""

from __future__ import annotations

__all__ = ["well_formed"]


def well_formed(text: str) -> str:
    """Join the halves of a surrogate pair where they meet; elsewhere U+FFFD takes their place."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
