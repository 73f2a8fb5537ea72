"""The files of a recording: one reply each, written whole or not at all, with long texts as lists of lines."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import errors
from ..errors import ModelError, ModelRejected, RecordingError
from ..trajectory.records import Usage
from .client import Completion

__all__ = ["failure", "lined", "plain", "read", "reply_of", "whole", "write"]

_TEXTS = ("text", "reasoning", "finish_reason", "stopped")


def read(path: Path) -> dict[str, Any] | None:
    """Return what a file holds; `None` if there is none.

    Raises:
        RecordingError: it is damaged.

    """
    try:
        entry: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise RecordingError(f"The recording {path} is damaged.", "delete it, and record it again") from None
    return entry


def write(path: Path, entry: Mapping[str, Any]) -> None:
    """Put a file into its place; whoever reads meanwhile sees the old one or the new one.

    Raises:
        RecordingError: the folder cannot be written.

    """
    text = json.dumps(entry, indent=1, ensure_ascii=False, sort_keys=True)
    part = path.with_name(f".{path.stem}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(f"{text}\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RecordingError(f"A reply could not be recorded in {path.parent}: {reason}.") from None


def plain(done: Completion) -> dict[str, Any]:
    """Return what is kept of a reply: everything but how long it took."""
    said = {name: value for name in (*_TEXTS, "cut") if (value := getattr(done, name))}
    return {**said, "notes": list(done.notes), "usage": asdict(done.usage)}


def reply_of(entry: Mapping[str, Any], *, all_failures: bool) -> Completion | None:
    """Return the reply in an entry; `None` if it is a failure that is worth another try.

    Raises:
        ModelError: the call failed for good.

    """
    if (failed := entry.get("error")) is not None:
        kind = getattr(errors, failed["type"], ModelError)
        if not all_failures and not issubclass(kind, ModelRejected):
            return None
        raise kind(*failed["arguments"])
    reply = entry["reply"]
    return Completion(
        **{name: whole(reply.get(name, "")) for name in _TEXTS},
        usage=Usage(),
        seconds=0.0,
        cut=reply.get("cut", False),
        notes=tuple(reply["notes"]),
        saved=Usage(**reply["usage"]),
    )


def failure(error: ModelError) -> dict[str, Any]:
    """Return what is kept of a call that failed."""
    _, arguments = error.__reduce__()
    assert isinstance(arguments, tuple)
    return {"type": type(error).__name__, "arguments": list(arguments)}


def lined(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn texts of several lines into lists of lines."""
    return {k: v.split("\n") if isinstance(v, str) and "\n" in v else v for k, v in values.items()}


def whole(value: Any) -> Any:
    """Turn a list of lines back into a text."""
    return "\n".join(value) if isinstance(value, list) else value
