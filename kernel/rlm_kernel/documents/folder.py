"""A folder as a mapping from the names of its text files to their texts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import ContextError
from .encoding import HEAD, decode, encoding_of

__all__ = ["Folder"]

_LARGEST = 100_000_000
_FILES = 100_000
_LISTED = 10


class Folder(Mapping[str, str]):
    """The text files of a folder and of the folders in it, name → text; each is read anew when it is asked for.

    Names are relative, with `/`, and come in natural order: `part2.md` before `part10.md`. Hidden files, files that are
    no text, files over 100 MB and links out of the folder are left out, and `notices` says so; links to folders are not
    followed. A file that is not UTF-8 is read as Latin-1. A `Folder` can be pickled: it stands for the files, it does
    not hold them.

    Args:
        path: the folder.
        glob: which files to take; `*` stays within one folder, `**` goes through any number of them.

    Attributes:
        name: the folder's own name.
        sizes: bytes of each file by name.
        notices: what was left out or read in an unusual way, one sentence each.

    Raises:
        ContextError: there is no such folder, or no text file in it.

    """

    def __init__(self, path: str | os.PathLike[str], glob: str = "**/*") -> None:
        self._path = Path(path).absolute()
        if not self._path.is_dir():
            raise ContextError(
                f"There is no folder {str(path)!r}.", "check the path; it starts at the working directory"
            )
        self.name = self._path.name
        self.sizes: dict[str, int] = {}
        found: dict[str, list[str]] = {}
        for name, reason in sorted(self._look(glob.split("/")), key=_natural):
            if reason:
                found.setdefault(reason, []).append(name)
            if not reason or reason in _READ_ALL_THE_SAME:
                self.sizes[name] = (self._path / name).stat().st_size
        self.notices = [f"{reason}: {_listed(found[reason])}" for reason in sorted(found)]
        if not self.sizes:
            hint = "; ".join(self.notices) or f"no file fits {glob!r}"
            raise ContextError(f"The folder {self.name!r} has no text files.", hint)

    def __getitem__(self, name: str) -> str:
        if name not in self.sizes:
            raise KeyError(name)
        return decode((self._path / name).read_bytes())[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    def __contains__(self, name: object) -> bool:
        return name in self.sizes

    def __repr__(self) -> str:
        return f"<Folder {self.name!r}: {len(self):,} text files>"

    def documents(self) -> dict[str, str]:
        """Return all texts by name, read into memory."""
        return dict(self)

    def plain(self) -> dict[str, str]:
        """Return the same as a dict, for a process that does not know this class or these files."""
        return dict(self)

    def text(self) -> str:
        """Return all texts as one, each behind its name."""
        return "\n\n".join(f"=== {name} ===\n{text}" for name, text in self.items())

    def _look(self, pattern: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield (name, what is unusual about it) of every file that fits the pattern, and of what is hidden."""
        taken = 0
        for folder, folders, files in os.walk(self._path):
            here = Path(folder).relative_to(self._path)
            hidden = sorted(name for name in folders if name.startswith("."))
            yield from (((here / name).as_posix() + "/", _HIDDEN) for name in hidden)
            yield from (((here / n).as_posix() + "/", _LINK) for n in folders if (Path(folder) / n).is_symlink())
            folders[:] = sorted(set(folders) - set(hidden), key=_natural)
            for name in sorted(files, key=_natural):
                if not _fits((*here.parts, name), pattern):
                    continue
                taken += 1
                if taken > _FILES:
                    yield (here / name).as_posix(), f"skipped, as are all after it: a folder may have {_FILES:,} files"
                    return
                yield (here / name).as_posix(), self._oddity(here / name)

    def _oddity(self, name: Path) -> str:
        path = self._path / name
        if name.name.startswith("."):
            return _HIDDEN
        if path.is_symlink() and not path.resolve().is_relative_to(self._path.resolve()):
            return _LINK
        try:
            if not path.is_file():
                return "skipped, not a file"
            if path.stat().st_size > _LARGEST:
                return f"skipped, over {_LARGEST // 1_000_000} MB (give its path alone to have it read piece by piece)"
            with path.open("rb") as file:
                encoding = encoding_of(file.read(HEAD))
        except OSError:
            return "skipped, cannot be read"
        return {None: "skipped, not text", "latin-1": _LATIN}.get(encoding, "")


_HIDDEN = "skipped, hidden"
_LINK = "skipped, a link to somewhere else"
_LATIN = "not UTF-8, read as Latin-1"
_READ_ALL_THE_SAME = (_LATIN,)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _fits(parts, pattern[1:]) or (bool(parts) and _fits(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _natural(name: str | tuple[str, str]) -> list[tuple[bool, int, str]]:
    """Return the key of an order in which numbers count as numbers; digits come before letters."""
    text = name if isinstance(name, str) else name[0]
    parts = re.findall(r"[0-9]+|[^0-9]+", text.replace("/", "\0"))
    return [(not part[0].isdigit(), int(part) if part[0].isdigit() else 0, part) for part in parts]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
