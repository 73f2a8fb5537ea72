"""Numbers and states in words, the same in every view."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlm_kernel.trajectory.records import Status, Usage

__all__ = ["counted", "duration", "money", "purpose", "size", "status_words", "tokens", "verdict"]

_STATUS: dict[Status, str] = {
    "running": "running",
    "answered": "answered",
    "limit": "stopped at a limit",
    "interrupted": "interrupted",
    "failed": "failed",
}

_PURPOSE = {
    "compaction": "Earlier turns summed up by",
    "engineer": "Context described by",
    "final": "Last words asked of",
    "verifier": "Checked by",
}
_VERDICT = {None: "", True: "verified", False: "not verified: refused, and there were no more retries"}


def status_words(status: Status) -> str:
    """Return how a run stands, for example `stopped at a limit`."""
    return _STATUS[status]


def counted(number: int, noun: str) -> str:
    """Return number and noun, in the plural where it belongs: `1 cell`, `1,204 cells`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Return seconds to read: `12 ms`, `8.2 s`, `3 min 05 s`, `1 h 02 min`."""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def money(usage: Usage) -> str:
    """Return the cost in USD; `unknown` where no price is known, empty where nothing was called."""
    if not usage.calls:
        return ""
    if usage.cost is None:
        return "unknown"
    if usage.cost == 0 or usage.cost >= 0.1:
        return f"${usage.cost:,.2f}"
    return f"${usage.cost:.4f}" if usage.cost >= 0.0001 else "under $0.0001"


def tokens(usage: Usage) -> str:
    """Return tokens sent and received: `12,400 in, 1,200 out`."""
    return f"{usage.prompt_tokens:,} in, {usage.completion_tokens:,} out"


def size(count: int) -> str:
    """Return a number of bytes to read: `240 KB`, `1.5 MB`, `2.4 GB`."""
    if count < 1_000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1_000:,.0f} KB"
    return f"{count / 1_000_000:,.1f} MB" if count < 1_000_000_000 else f"{count / 1_000_000_000:,.1f} GB"


def purpose(role: str) -> str:
    """Return what the engine asked a model for, to be followed by the model: `Checked by`."""
    return _PURPOSE.get(role, f"{role} asked of")


def verdict(verified: bool | None) -> str:
    """Return what a check of an answer came to; empty if there was none."""
    return _VERDICT[verified]
