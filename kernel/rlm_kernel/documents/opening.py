"""From the value that was given as a context to the one that cells work on: paths are opened, the rest stays."""

from __future__ import annotations

import os
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import ContextError
from .encoding import decode, encoding_of
from .folder import Folder
from .lazy import LazyText

__all__ = ["FileText", "open_context"]

_SMALL = 8 * 2**20
_PIECE = 2**20
_PIECES = 16
_READERS = {
    "bmp": "PIL.Image.open(path)",
    "db": "the rows of a query: sqlite3.connect(path).execute(…).fetchall()",
    "docx": "its text, extracted by a library such as python-docx",
    "feather": "pandas.read_feather(path)",
    "gif": "PIL.Image.open(path)",
    "gz": "gzip.open(path, 'rt').read()",
    "h5": "a dataset of it, read with h5py",
    "jpeg": "PIL.Image.open(path)",
    "jpg": "PIL.Image.open(path)",
    "nc": "xarray.open_dataset(path)",
    "npy": "numpy.load(path)",
    "npz": "dict(numpy.load(path))",
    "parquet": "pandas.read_parquet(path)",
    "pdf": "its text, extracted by a library such as pypdf",
    "pickle": "pandas.read_pickle(path)",
    "pkl": "pandas.read_pickle(path)",
    "png": "PIL.Image.open(path)",
    "sqlite": "the rows of a query: sqlite3.connect(path).execute(…).fetchall()",
    "webp": "PIL.Image.open(path)",
    "xls": "pandas.read_excel(path)",
    "xlsx": "pandas.read_excel(path)",
    "zip": "the folder it is unpacked to",
}


class FileText(str):
    """The text of a small file: a `str` that knows where it comes from.

    Attributes:
        name: the file's name.
        encoding: how it was read: `utf-8`, `utf-8-sig` or `latin-1`.

    """

    name: str
    encoding: str

    def __new__(cls, text: str, name: str = "", encoding: str = "utf-8") -> FileText:
        """Return the text with its origin."""
        self = super().__new__(cls, text)
        self.name, self.encoding = name, encoding
        return self

    def plain(self) -> str:
        """Return the same as a `str`."""
        return str(self)


def open_context(value: Any) -> Any:
    """Return the context that `value` stands for: `Folder`, `FileText` or `LazyText` for a `Path`, else `value` itself.

    Raises:
        ContextError: the path leads nowhere, or to something that is no text; the hint names the way out.

    """
    if not isinstance(value, Path):
        return value
    try:
        if value.is_dir():
            return Folder(value)
        if value.is_file():
            return _open_file(value)
        missing = not value.exists()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ContextError(f"{str(value)!r} cannot be read: {reason}.", "give its text or its bytes instead") from None
    if missing:
        raise ContextError(f"There is no file or folder {str(value)!r}.", _nearest(value))
    raise ContextError(
        f"{str(value)!r} is neither a file nor a folder.", "read what you need of it first, and give that"
    )


def _open_file(path: Path) -> FileText | LazyText:
    size = path.stat().st_size
    if size <= _SMALL:
        raw = path.read_bytes()
        if encoding_of(raw) is None:
            raise _no_text(path)
        text, encoding = decode(raw)
        return FileText(text, path.name, encoding)
    encodings = _encodings(path, size)
    if None in encodings:
        raise _no_text(path)
    return LazyText(path, "latin-1" if "latin-1" in encodings else "utf-8-sig" if "utf-8-sig" in encodings else "utf-8")


def _encodings(path: Path, size: int) -> set[str | None]:
    """Return how pieces from all over the file would be read."""
    step = max((size - _PIECE) // (_PIECES - 1), 1)
    with path.open("rb") as file:
        raws = [os.pread(file.fileno(), _PIECE, number * step) for number in range(_PIECES)]
    return {encoding_of(raws[0]), *(encoding_of(_from_a_character(raw)) for raw in raws[1:])}


def _from_a_character(raw: bytes) -> bytes:
    inside = next((i for i, byte in enumerate(raw[:4]) if byte & 0xC0 != 0x80), 0)
    return raw[inside:]


def _no_text(path: Path) -> ContextError:
    reader = _READERS.get(path.suffix[1:].lower(), "path.read_bytes(), or path.read_text(encoding=…)")
    return ContextError(
        f"The file {path.name!r} is not text.", f"read it first, and give what you have: context={reader}"
    )


def _nearest(path: Path) -> str:
    names = [entry.name for entry in islice(path.parent.iterdir(), 10_000)] if path.parent.is_dir() else []
    near = get_close_matches(path.name, names, n=1)
    return f"did you mean {near[0]}?" if near else "check the path; a relative one starts at the working directory"
