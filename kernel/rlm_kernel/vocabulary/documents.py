"""`ctx` and `FILES`: a context as text and documents, read when first asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any

from .cutting import Span, cut
from .texts import heads, joined, parts_of

__all__ = ["Documents", "Files"]

_MARKER = r"(?im)^[^\w\n]*page\s+(\d+)\b.*$"


class Documents:
    """A value as text and documents. Positions are those in `text`, in characters, from 0.

    Args:
        value: what to read; see `texts` for what becomes of a value that is no text.

    """

    def __init__(self, value: Any) -> None:
        self._value = value

    @cached_property
    def _parts(self) -> dict[str, str]:
        return parts_of(self._value)

    @cached_property
    def text(self) -> str:
        """The whole text; several documents are joined."""
        return joined(self._value, self._parts)

    @property
    def reading(self) -> Any:
        """The text as far as `len` and slices go: a text that stays in its file is not read for them."""
        lazy = callable(getattr(self._value, "text", None)) and not isinstance(self._value, Mapping)
        return self._value if lazy and hasattr(self._value, "__getitem__") else self.text

    @cached_property
    def documents(self) -> list[str]:
        """The documents' texts."""
        return list(self._parts.values())

    @cached_property
    def names(self) -> list[str]:
        """The documents' names."""
        return list(self._parts)

    @cached_property
    def starts(self) -> list[int]:
        """Where each document starts in `text`."""
        starts, position = [], 0
        for head, document in zip(heads(self._value, self._parts), self.documents, strict=True):
            starts.append(position + len(head))
            position = starts[-1] + len(document)
        return starts

    @property
    def context_type(self) -> str:
        """`string` for one text, else `document_list`."""
        return "string" if self.num_documents() == 1 and not isinstance(self._value, list | tuple) else "document_list"

    def len_chars(self) -> int:
        """Return the length of the text."""
        return len(self.reading)

    def num_documents(self) -> int:
        """Return how many documents there are."""
        return len(self._parts)

    def get_document(self, index: int) -> str | None:
        """Return the document at an index from 0, `None` if there is none."""
        return self.documents[index] if 0 <= index < self.num_documents() else None

    def document_lengths(self) -> list[int]:
        """Return the lengths of the documents, in characters."""
        return [len(document) for document in self.documents]

    def slice(self, start: int, end: int) -> str:
        """Return the text from `start` to before `end`; both are moved into the text."""
        return str(self.reading[max(start, 0) : max(end, 0)])

    def find(
        self, pattern: str, regex: bool = False, max_matches: int = 20, case_sensitive: bool = True, flags: int = 0
    ) -> list[Span]:
        """Return where a pattern is, as (start, end, text)."""
        flags |= 0 if case_sensitive else re.IGNORECASE
        compiled = re.compile(pattern if regex else re.escape(pattern), flags)
        return [(m.start(), m.end(), m.group()) for m in islice(compiled.finditer(self.text), max_matches)]

    def chunk(self, size: int, overlap: int = 0) -> list[Span]:
        """Return pieces of `size` characters as (start, end, text), each starting `overlap` before the last one's end.

        Raises:
            ValueError: such pieces would never end.

        """
        return cut(self.text, size, overlap)

    def chunk_documents(self, docs_per_chunk: int = 10) -> list[tuple[int, int, list[str]]]:
        """Return the documents in groups, as (first, last + 1, texts).

        Raises:
            ValueError: the groups would be empty.

        """
        if docs_per_chunk < 1:
            raise ValueError(f"docs_per_chunk must be at least 1, not {docs_per_chunk}")
        groups = range(0, self.num_documents(), docs_per_chunk)
        texts = [self.documents[start : start + docs_per_chunk] for start in groups]
        return [(start, start + len(group), group) for start, group in zip(groups, texts, strict=True)]

    def page(self, n: int, marker_pattern: str = _MARKER) -> str | None:
        """Return page `n` of a text in which lines mark the pages, `None` if there is none.

        The pattern's first group is the number of the page that begins there; without a group they are counted from 1.
        """
        marks = list(re.compile(marker_pattern, re.MULTILINE).finditer(self.text))
        for count, mark in enumerate(marks, 1):
            number = mark.group(1) if mark.re.groups else str(count)
            if number == str(n):
                end = marks[count].start() if count < len(marks) else len(self.text)
                return self.text[mark.end() : end].strip("\n")
        return None

    def metadata(self) -> dict[str, Any]:
        """Return the kind, the length and the number of documents, with their lengths if there are several."""
        facts = {
            "context_type": self.context_type,
            "total_length": self.len_chars(),
            "num_documents": self.num_documents(),
        }
        return facts if self.num_documents() == 1 else {**facts, "document_lengths": self.document_lengths()}

    def __len__(self) -> int:
        return self.len_chars()

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<{self.num_documents():,} documents, {self.len_chars():,} characters>"


class Files(Mapping[str, str]):
    """The documents by name."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def __getitem__(self, name: str) -> str:
        return self._documents._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents.names)

    def __len__(self) -> int:
        return self._documents.num_documents()

    def __repr__(self) -> str:
        return f"<{len(self):,} files: {', '.join(islice(self, 20))}>"
