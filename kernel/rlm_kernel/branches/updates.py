"""Updates on their way to a session: JSON in a memory file, because a text in them may be larger than any frame."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .result import Update

__all__ = ["from_file", "into_file", "to_bytes"]


def to_bytes(updates: Sequence[Update]) -> bytes:
    """Return the updates as JSON, in ASCII, so that lone surrogates survive."""
    return json.dumps([asdict(update) for update in updates]).encode("ascii")


def into_file(updates: Sequence[Update]) -> int:
    """Return the descriptor of a memory file that holds the updates; it is the caller's to close."""
    fd = os.memfd_create("rlm-update", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(to_bytes(updates))
    return fd


def from_file(fd: int) -> list[dict[str, Any]]:
    """Return the updates in a memory file, each as the arguments of `Vocabulary.update`, and close it."""
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        updates: list[dict[str, Any]] = json.load(file)
    return updates
