"""Masking secrets in whatever is written down or sent: journals, views and prompts travel far from the notebook."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Redactor"]

_TELLING_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?$", re.IGNORECASE)
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b")
_IN_URL = re.compile(r"(://)[^\s/?#@]+(?=@)")
_IN_QUERY = re.compile(r"([?&](?i:(?:[\w-]{0,40}[-_])?(?:key|token|secret|password|signature|sig)=))[^&\s#\"'<>]+")
_IN_HEADER = re.compile(r"([Bb]earer\s+)(?=\S*\d)[\w.~+/=-]{8,}")
_MASK = "«secret»"
_SHORTEST = 8


class Redactor:
    """Replaces values of secret-sounding environment variables, and what looks like a key, by a mask.

    That is a text such as `sk-…`, the user and password in a URL, a key in its query, and a bearer's token.

    Args:
        environ: the environment; values of variables named like `…_KEY` or `…_TOKEN` count as secret if they have at
            least 8 characters (shorter ones would mask ordinary words).
        also: masks what else is not to be seen.

    """

    def __init__(self, environ: Mapping[str, str], also: Callable[[str], str] = str) -> None:
        self._also = also
        secrets = {v for n, v in environ.items() if _TELLING_NAME.search(n) and len(v) >= _SHORTEST}
        longest_first = sorted(secrets, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if secrets else None

    def text(self, text: str) -> str:
        """Return `text` with every secret masked."""
        if self._known is not None:
            text = self._known.sub(_MASK, text)
        text = _KEY_LIKE.sub(_MASK, text)
        for place in (_IN_URL, _IN_QUERY, _IN_HEADER):
            text = place.sub(rf"\1{_MASK}", text)
        return self._also(text)

    def record(self, value: Any) -> Any:
        """Return a JSON value with every secret in its strings masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.record(item) for item in value]
        if isinstance(value, dict):
            return {key: self.record(item) for key, item in value.items()}
        return value
