"""Cards of texts, bytes, files, folders of files, and pictures: how much there is, and how it begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .card import amount
from .excerpts import TITLE, one_line, type_name

if TYPE_CHECKING:
    from mmap import mmap
    from pathlib import PurePath

    from .card import Card

__all__ = ["buffer", "file", "folder", "lazy", "path", "picture", "text"]

_COUNTED = 100_000_000
_FORMS = {
    "csv": "CSV",
    "htm": "HTML",
    "html": "HTML",
    "ipynb": "notebook (JSON)",
    "json": "JSON",
    "jsonl": "JSON lines",
    "ndjson": "JSON lines",
    "toml": "TOML",
    "tsv": "TSV",
    "xml": "XML",
    "yaml": "YAML",
    "yml": "YAML",
}


def text(value: str | bytes | bytearray, card: Card) -> None:
    """Draw one long text: its length, its lines, the first and the last characters."""
    unit, newline = ("characters", "\n") if isinstance(value, str) else ("bytes", b"\n")
    lines = value.count(newline, 0, _COUNTED) + (not value.endswith(newline))  # type: ignore[arg-type]  # same kinds
    about = "~" if len(value) > _COUNTED else ""
    name = "str" if isinstance(value, str) else type_name(value)
    card.line(f"{name}: {len(value):,} {unit}, {about}{lines:,} lines")
    _ends(value if isinstance(value, str) else memoryview(value), card)


def file(value: Any, card: Card) -> None:
    """Draw the text of a file that was read: as a text, and how it came here."""
    text(value, card)
    card.line(f"read from the file {card.pen.name(value.name)} ({value.encoding}); {_form(value.name)}")


def lazy(value: Any, card: Card) -> None:
    """Draw a text that stays in its file: by bytes, as counting its characters would read all of it."""
    card.line(f"{type_name(value)}: a text of {value.size:,} bytes ({value.encoding}), read from its file as needed")
    card.line(f"the file is {card.pen.name(value.name)}; {_form(value.name)}")
    card.line("context[a:b], len, in, find, count, search, findall, finditer read it piece by piece,")
    card.line("so does `for line in context.splitlines()`; str(context) reads all of it into memory")
    if card.pen.sample:
        _quotes(value[: 10 * TITLE], value.tail(10 * TITLE), card)


def folder(value: Any, card: Card) -> None:
    """Draw a folder: its documents by name and size, what was skipped; their text is read when they are asked for."""
    sizes = value.sizes
    total = amount(sum(sizes.values()))
    card.line(f"{type_name(value)} of str: {len(sizes):,} documents by key, {total}; used like a dict")
    card.line(f"they are the text files of the folder {card.pen.name(value.name)}, each read when it is asked for")
    for notice in value.notices:
        card.line(one_line(card.pen.rules.mask(notice), 500))
    lines = (f"- {card.pen.name(name)}: {amount(size)}" for name, size in sizes.items())
    card.rows(lines, len(sizes), "files", heading="files:")


def path(value: PurePath, card: Card) -> None:
    """Draw a path: only its last part is named, because where it lies is the machine's business."""
    card.line(f"{type_name(value)}: {card.pen.name(value.name or str(value))}")


def buffer(value: Any, card: Card) -> None:
    """Draw a memoryview or a mapped file: its bytes."""
    if isinstance(value, memoryview):
        shape = f"shape {value.shape}, format {card.pen.name(value.format)}, "
        card.line(f"memoryview: {shape}{value.nbytes:,} bytes")
        if not value.contiguous:
            return
        value = value.cast("B") if value.nbytes else value
    else:
        card.line(f"{type_name(value)}: {len(value):,} bytes")
    _ends(value, card)


def picture(value: Any, card: Card) -> None:
    """Draw a PIL image: its size and mode, nothing of what it shows."""
    width, height = value.size
    made = f", read from {value.format}" if getattr(value, "format", None) else ""
    card.line(f"{type_name(value)}: picture of {width:,} x {height:,} pixels, mode {value.mode}{made}")
    card.line("a model that sees can be asked about it: llm_query(question, images=[context])")


def _ends(value: str | memoryview | mmap, card: Card) -> None:
    """Show the first characters and, of a text, the last, unless the first were all; the value is only sliced."""
    if not card.pen.sample:
        return
    reach = 10 * TITLE
    if isinstance(value, str):
        _quotes(value[:reach], value[-reach:] if len(value) > TITLE else "", card)
    else:
        card.line(f"begins: {card.pen.short(bytes(value[:reach]), TITLE)}")


def _quotes(first: str, last: str, card: Card) -> None:
    card.line(f"begins: {card.pen.quote(first, TITLE)}")
    if last:
        card.line(f"ends: {card.pen.ending(last, TITLE)}")


def _form(name: str) -> str:
    """Say what a file's ending promises, as the context is its text all the same."""
    ending = name.rpartition(".")[2].lower()
    return f"parse it yourself, it is the text of a {_FORMS[ending]} file" if ending in _FORMS else "plain text"
