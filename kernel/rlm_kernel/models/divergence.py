"""What is different: the request that has no recorded reply beside the one that comes nearest to it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DivergenceError
from .entries import whole

if TYPE_CHECKING:
    from .keys import Content
    from .where import Where

__all__ = ["divergence"]

_COMPARED = 4_000
_SHOWN = 60
_LINES = 40


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A request as it was recorded, its conversation put together again."""

    at: dict[str, int]
    parameters: dict[str, Any]
    messages: list[dict[str, Any]]


def divergence(folder: Path, content: Content, where: Where) -> DivergenceError:
    """Return the error for a request that is not recorded.

    Args:
        folder: the recorded requests of the same role.
        content: the request.
        where: its place in the run.

    """
    place = f"candidate {where.candidate}, turn {where.iteration}, role {where.role}"
    recorded = list(_recorded(folder))
    here = [one for one in recorded if _is_at(one, where)]
    if not recorded:
        told = f"no request of this role is recorded in {folder.parent}"
        return DivergenceError(f"The run left its recording at {place}: {told}.", "run once with recording=record")
    nearest = max(here or recorded, key=lambda one: _likeness(one, content))
    told, diff = _difference(nearest, content)
    if not here:
        told = f"nothing is recorded for this turn; against the nearest, {told}"
    return DivergenceError(
        f"The run left its recording at {place}: {told}.",
        "undo that change, or run once with recording=record; the error's attribute `diff` has all of it",
        diff,
    )


def _recorded(folder: Path) -> Iterator[_Recorded]:
    entries: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            entries[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # damaged ones are reported when they are wanted
    for entry in entries.values():
        parameters = {k: v for k, v in entry["request"].items() if k not in ("messages", "follows")}
        yield _Recorded(entry["at"], parameters, _conversation(entry, entries))


def _conversation(entry: dict[str, Any], entries: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all messages of a request: those of the ones that it follows, then its own."""
    parts, seen = [], set()
    while entry:
        parts.append(entry["request"]["messages"])
        before = entry["request"].get("follows", "")
        if before in seen:
            break
        seen.add(before)
        entry = entries.get(before, {})
    return [{k: whole(v) for k, v in message.items()} for part in reversed(parts) for message in part]


def _is_at(one: _Recorded, where: Where) -> bool:
    here = (where.candidate, where.iteration, where.depth)
    return here == (one.at["candidate"], one.at["iteration"], one.at["depth"])


def _likeness(one: _Recorded, content: Content) -> tuple[float, ...]:
    """Return how near a recorded request comes: the messages in common, then how much of the next one agrees."""
    same = _in_common(one, content)
    ours, theirs = _message(content.messages, same), _message(one.messages, same)
    alike = difflib.SequenceMatcher(None, ours[:_COMPARED], theirs[:_COMPARED], autojunk=False).quick_ratio()
    return same, alike, -abs(len(one.messages) - len(content.messages)), one.parameters == content.parameters


def _difference(one: _Recorded, content: Content) -> tuple[str, str]:
    """Return the first thing that differs, in words, and all of it as a diff."""
    names = sorted(one.parameters.keys() | content.parameters.keys())
    other = [n for n in names if one.parameters.get(n) != content.parameters.get(n)]
    if other:
        was, now = (p.get(other[0]) for p in (one.parameters, content.parameters))
        return f"{other[0]} was {_brief(was)}, and is {_brief(now)}", ""
    same = _in_common(one, content)
    if same == len(content.messages) == len(one.messages):
        return "this very request was recorded, but fewer times", ""
    if same in (len(content.messages), len(one.messages)):
        return f"it had {len(one.messages)} messages, and has {len(content.messages)}", ""
    was, now = _message(one.messages, same), _message(content.messages, same)
    at = next((n for n, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), min(len(was), len(now)))
    start = max(0, at - _SHOWN // 2)
    shown = f"{_brief(was[start : start + _SHOWN])}, and is now {_brief(now[start : start + _SHOWN])}"
    lines = difflib.unified_diff(was.split("\n"), now.split("\n"), "recorded", "now", n=2, lineterm="")
    role = content.messages[same].get("role")
    return f"message {same + 1} ({role}) was {shown}", "\n".join(list(lines)[:_LINES])


def _in_common(one: _Recorded, content: Content) -> int:
    pairs = zip(one.messages, content.messages, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one.messages), len(content.messages)))


def _message(messages: list[dict[str, Any]], number: int) -> str:
    return str(messages[number].get("content", "")) if number < len(messages) else ""


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN]}…"
