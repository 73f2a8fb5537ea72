"""How the bytes of a file are to be read: as UTF-8 (with or without a mark), else as Latin-1, or not as text at all."""

from __future__ import annotations

import codecs

__all__ = ["HEAD", "decode", "encoding_of"]

HEAD = 65_536
"""Bytes by which a file is judged."""

_CONTROL = bytes({*range(32), 127} - set(b"\t\n\v\f\r\x1b"))
_MOST_CONTROL = 0.01


def encoding_of(raw: bytes) -> str | None:
    """Return `utf-8`, `utf-8-sig` or `latin-1`, or `None` if these bytes, a file's first ones, are no text.

    If there are `HEAD` of them or more, the last character may be cut in two.
    """
    if b"\0" in raw or len(raw) - len(raw.translate(None, _CONTROL)) > _MOST_CONTROL * len(raw):
        return None
    if raw.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(raw, final=len(raw) < HEAD)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def decode(raw: bytes) -> tuple[str, str]:
    """Return the text of a whole file, line ends as they are, and how it was read."""
    encoding = encoding_of(raw[:HEAD]) or "latin-1"
    try:
        return raw.decode(encoding), encoding
    except UnicodeDecodeError:  # somewhere behind the head
        return raw.decode("latin-1"), "latin-1"
