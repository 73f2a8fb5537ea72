"""Values as text and as JSON, both bounded."""

from __future__ import annotations

import json
import math
from typing import Any

from ..engine.shaping import clip

__all__ = ["exact_value", "text_of"]

_TEXT_LIMIT = 100_000
_EXACT_LIMIT = 1_000_000


def text_of(value: Any) -> str:
    """Return an answer as text: a str as it is, anything else as IPython would show it, at most 100,000 characters."""
    if isinstance(value, str):
        return clip(str(value), _TEXT_LIMIT)
    try:
        return clip(_shown(value), _TEXT_LIMIT)
    except Exception as error:  # noqa: BLE001 (any object may be an answer, also one that cannot show itself)
        return f"<{type(value).__qualname__}, which cannot be shown: {type(error).__name__}>"


def _shown(value: Any) -> str:
    try:
        from IPython.lib.pretty import pretty
    except ImportError:  # in a kernel that is none of IPython's
        return repr(value)
    return str(pretty(value))


def exact_value(value: Any) -> tuple[bool, Any]:
    """Return (true, value) if JSON can hold exactly this value in a megabyte, else (false, `None`)."""
    if not _is_plain(value, depth=20):
        return False, None
    return (True, value) if len(json.dumps(value)) <= _EXACT_LIMIT else (False, None)


def _is_plain(value: Any, depth: int) -> bool:
    if type(value) is list:
        return depth > 0 and len(value) <= _EXACT_LIMIT and all(_is_plain(v, depth - 1) for v in value)
    if type(value) is dict:
        return depth > 0 and all(type(k) is str and _is_plain(v, depth - 1) for k, v in value.items())
    if type(value) is float:
        return math.isfinite(value)
    return value is None or type(value) in (bool, int, str)
