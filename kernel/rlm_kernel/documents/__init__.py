"""Files and folders as contexts: a `Path` becomes the text it leads to.

    solve("Which release broke the API?", context=Path("CHANGELOG.md"))
    solve("Who decided what?", context=Folder("minutes", glob="**/*.md"))

A folder becomes a `Folder`, a mapping from name to text; a file becomes its text, as a `FileText` (a `str`) up to 8 MB,
above that as a `LazyText`, which reads what is asked of it and no more. Whatever is in it (CSV, JSON) stays text.
"""

from __future__ import annotations

from .folder import Folder
from .lazy import LazyText
from .opening import FileText, open_context

__all__ = ["FileText", "Folder", "LazyText", "open_context"]
