"""What a server says of itself: the models it lists, asked once per server and process.

Servers differ in how they list: `{"data": […]}` as OpenAI, `{"models": […]}`, or the bare list; entries are objects
with an `id`, a `name` or a `model`, or names.
"""

from __future__ import annotations

from typing import Any

import httpx2

from ..errors import OptionError
from .address import Endpoint

__all__ = ["first_model", "listed", "pages", "unlisted"]

_TIMEOUT = 5.0
_NAME_KEYS = ("id", "name", "model")
_SHOWN = 5

pages: dict[str, Any] = {}
"""What servers answered to GET requests, as JSON, by URL; `None` for an answer that was no JSON."""


def first_model(endpoint: Endpoint) -> str:
    """Return the first model that the server lists.

    Raises:
        OptionError: it cannot be asked, or lists none.

    """
    url = f"{endpoint.base_url}/models"
    page = pages[url] if url in pages else _get(endpoint, url)
    names = list(listed(page))
    if not names:
        raise OptionError(
            f"{endpoint.shown} lists no model to choose from.",
            "load one there, or add model=NAME, or set the environment variable RLM_MODEL",
        )
    pages[url] = page
    return names[0]


def unlisted(endpoint: Endpoint, model: str) -> str:
    """Return, in words, that a server of the user's own does not list `model`, as far as it was asked; else nothing."""
    names = list(listed(pages.get(f"{endpoint.base_url}/models")))
    if not endpoint.provider.local or not names or model in names:
        return ""
    more = ", …" if len(names) > _SHOWN else ""
    return f"{endpoint.shown} does not list the model {model!r}, but {', '.join(names[:_SHOWN])}{more}"


def listed(page: Any) -> dict[str, dict[str, Any]]:
    """Return what a list of models says of each, by name, in its order; nothing if it is no such list."""
    rows = (page.get("data") or page.get("models")) if isinstance(page, dict) else page
    found = (_row(row) for row in (rows if isinstance(rows, list) else []))
    return {name: row for name, row in found if name}


def _row(row: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(row, dict):
        return (row, {}) if isinstance(row, str) else ("", {})
    return next((row[key] for key in _NAME_KEYS if isinstance(row.get(key), str)), ""), row


def _get(endpoint: Endpoint, url: str) -> Any:
    try:
        with httpx2.Client(timeout=_TIMEOUT, follow_redirects=True) as http:
            answer = http.get(url, headers=endpoint.headers, params=dict(endpoint.query))
            return answer.raise_for_status().json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        raise OptionError(
            f"{endpoint.shown} could not be asked for its models ({_why(error)}).",
            "is it running? Check base_url, or add model=NAME, or set the environment variable RLM_MODEL",
        ) from None


def _why(error: Exception) -> str:
    answer = getattr(error, "response", None)
    return f"HTTP status {answer.status_code}" if answer is not None else type(error).__name__
