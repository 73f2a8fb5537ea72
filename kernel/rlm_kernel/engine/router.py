"""Whether a question goes to the model in one call, with its context in it, or is worked on by code.

Sending the data itself is the user's choice: `direct_threshold` is 0 unless they say otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..settings import Settings

__all__ = ["Route", "route"]


@dataclass(frozen=True, slots=True)
class Route:
    """`method` is `rlm` or `direct`, `reason` says why; `text` is the context as the direct call sends it."""

    method: str
    reason: str
    text: str = ""


def route(contexts: Sequence[Any], settings: Settings, *, offline: bool = False) -> Route:
    """Choose the way for a question over `contexts`: direct under the threshold, else by code.

    The `offline` solver works by code only.
    """
    threshold = settings.direct_threshold
    if not threshold:
        return Route("rlm", "direct_threshold is 0")
    if offline:
        return Route("rlm", "the offline solver works by code only")
    texts = [_as_text(context, threshold) for context in contexts]
    if any(text is None for text in texts):
        return Route("rlm", f"the context is no text of less than {threshold:,} characters (direct_threshold)")
    whole = "\n\n".join(text for text in texts if text)
    if len(whole) >= threshold:
        return Route("rlm", f"the context has {len(whole):,} characters, direct_threshold is {threshold:,}")
    reason = f"the context has {len(whole):,} characters, less than direct_threshold={threshold:,}"
    return Route("direct", reason, whole)


def _as_text(value: Any, limit: int) -> str | None:
    """Return a small value as text; `None` if it is large, or of a kind that only code reads well."""
    plain = getattr(value, "plain", None)
    if plain is not None and hasattr(value, "__len__"):
        value = plain() if len(value) < limit else None
    if isinstance(value, str):
        return value if len(value) < limit else None
    if type(value).__name__ in ("DataFrame", "Series") and type(value).__module__.startswith("pandas"):
        return str(value.to_csv()) if value.size < limit else None
    if not isinstance(value, (dict, list, tuple, int, float, bool)) or _is_large(value, limit):
        return None
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return None


def _is_large(value: Any, limit: int) -> bool:
    if isinstance(value, dict):
        return len(value) >= limit or any(_is_large(item, limit) for item in value.values())
    if isinstance(value, (list, tuple)):
        return len(value) >= limit or any(_is_large(item, limit) for item in value)
    return isinstance(value, str) and len(value) >= limit
