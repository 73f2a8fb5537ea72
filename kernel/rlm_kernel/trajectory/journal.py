"""The journal: a run's events as they happen, one JSON line each, flushed line by line.

    <runs_dir>/<run id>/journal.jsonl     {"v": 1, "seq": n, "t": seconds, "type": …, …}
    <runs_dir>/<run id>/texts/<sha256>    texts too long for a line, each once

The journal is the only source of truth: `load` folds it back into the `Run` it came from.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ..errors import JournalError
from .events import Event, event_from_json, event_to_json
from .redact import Redactor
from .run import Run

__all__ = ["Recorder", "load", "new_run_id", "read_events"]

VERSION = 1
_LONG = 4_096
_TEXT_KEY = "$text"


def new_run_id() -> str:
    """Return a fresh id that sorts by time, for example `20260102-030405-a1b2c3`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


class Recorder:
    """Takes events in as they happen: masks secrets, writes the journal, folds the run, tells the listener.

    If the folder cannot be written the run goes on with its journal in memory only, and `path` stays empty.

    Args:
        folder: where journals live; the run gets a folder of its own in it.
        run_id: the run's id.
        redactor: masks what must not be written down; by default the secrets of the environment.

    Attributes:
        run: the fold of all events so far.
        run_id: as given.
        path: the journal file, or an empty string.

    """

    def __init__(self, folder: Path, run_id: str, redactor: Redactor | None = None) -> None:
        self.run = Run()
        self.run_id = run_id
        self._redactor = redactor or Redactor(os.environ)
        self._lock = threading.Lock()
        self._seq = 0
        self._start = time.monotonic()
        self._texts = folder / run_id / "texts"
        self._file: IO[str] | None = None
        self.path = ""
        try:
            self._texts.mkdir(parents=True)
            path = folder / run_id / "journal.jsonl"
            self._file = path.open("x", encoding="utf-8")
        except OSError:
            return
        self.path = self.run.journal_path = str(path)

    def __call__(self, event: Event) -> None:
        """Record one event; safe from any thread."""
        record = self._redactor.record(event_to_json(event))
        known = event_from_json(record)
        with self._lock:
            self._seq += 1
            stamp = {"v": VERSION, "seq": self._seq, "t": round(time.monotonic() - self._start, 6)}
            if self._file is not None:
                self._file.write(json.dumps(self._shorten({**stamp, **record}), separators=(",", ":")) + "\n")
                self._file.flush()
            if known is not None:
                self.run.apply(known)

    def close(self) -> None:
        """Close the journal."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _shorten(self, value: Any) -> Any:
        """Put long strings into files named after their content, and a reference in their place."""
        if isinstance(value, str) and len(value) > _LONG:
            data = value.encode("utf-8", "surrogatepass")
            name = hashlib.sha256(data).hexdigest()
            path = self._texts / name
            if not path.exists():
                path.write_bytes(data)
            return {_TEXT_KEY: name}
        return _walk(value, self._shorten)


def read_events(path: str | Path) -> Iterator[Event]:
    """Yield the events of a journal; a line cut off by a crash ends it, event types of later versions are passed over.

    Args:
        path: the journal file, or the run's folder.

    Raises:
        JournalError: there is no journal, or a line within it is damaged.

    """
    file = Path(path)
    file = file / "journal.jsonl" if file.is_dir() else file
    try:
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError as error:
        raise JournalError(f"There is no journal at {path}.", "give the run's folder or its journal.jsonl") from error
    texts = file.parent / "texts"
    for number, line in enumerate(lines, 1):
        try:
            event = event_from_json(_lengthen(json.loads(line), texts))
        except (ValueError, LookupError, TypeError, OSError) as error:
            if number == len(lines) and not line.endswith("\n"):
                return
            raise JournalError(f"Line {number} of the journal at {path} is damaged.") from error
        if event is not None:
            yield event


def load(path: str | Path) -> Run:
    """Return the run that a journal tells of; see `read_events` for arguments and errors."""
    run = Run.fold(read_events(path))
    run.journal_path = str(path)
    return run


def _lengthen(value: Any, texts: Path) -> Any:
    if isinstance(value, dict) and value.keys() == {_TEXT_KEY}:
        return (texts / Path(value[_TEXT_KEY]).name).read_bytes().decode("utf-8", "surrogatepass")
    return _walk(value, lambda item: _lengthen(item, texts))


def _walk(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return [change(item) for item in value]
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    return value
