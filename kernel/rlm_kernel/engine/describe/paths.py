"""Cards of paths: which file it is and how big, or what a directory holds; the content stays where it is."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from .card import PREVIEW, Card, amount, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["path"]

_ENTRIES = 10_000


def path(value: PurePath, card: Card) -> None:
    """Draw a path; only its last part is named, because where it lies is the machine's business."""
    name = quote(value.name or str(value), PREVIEW)
    if not isinstance(value, Path):
        card.line(f"pure path: {name}")
    elif value.is_dir():
        _directory(value, name, card)
    elif value.is_file():
        card.line(f"path of a file: {name}, {amount(value.stat().st_size)} ({value.stat().st_size:,} bytes)")
        card.line("read it with context.read_text() or context.read_bytes()")
    else:
        state = "is neither a file nor a directory" if value.exists() else "does not exist"
        card.line(f"path: {name} {state}")


def _directory(value: Path, name: str, card: Card) -> None:
    found = sorted(islice(_files(value), _ENTRIES))
    about = "~" if len(found) == _ENTRIES else ""
    total = sum(size for _, size in found)
    card.line(f"path of a directory: {name}, {about}{len(found):,} files, {about}{amount(total)}")
    card.rows((f"- {quote(file, PREVIEW)}: {amount(size)}" for file, size in found), len(found), "files")


def _files(top: Path) -> Iterator[tuple[str, int]]:
    """Yield relative name and bytes of every file below, in a fixed order; links are not followed."""
    for folder, folders, files in os.walk(top):
        folders.sort()
        for file in sorted(files):
            full = Path(folder, file)
            yield full.relative_to(top).as_posix(), full.lstat().st_size
