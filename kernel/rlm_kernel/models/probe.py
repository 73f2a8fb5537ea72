"""What a server really serves: its window, asked once, because a table of models cannot know how it was started."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import httpx2

from ..settings import Settings
from .address import Endpoint
from .connections import http_client
from .discovery import listed, pages
from .windows import is_known, window_of

__all__ = ["Served", "served"]

_TIMEOUT = 5.0
_VERSION = re.compile(r"/v\d+/*$")
_WINDOW_KEYS = ("max_model_len", "context_length", "context_window", "max_context_length")


@dataclass(frozen=True, slots=True)
class Served:
    """What the calls to a server may take.

    Attributes:
        window: prompt and reply of one call together, in tokens.
        slots: calls the server works on at once, `None` if it does not say. Where they share one cache, as those of a
            llama.cpp server can, the window is what a call has if it is alone.
        source: in words, who says so; what could not be asked is said here too.

    """

    window: int
    slots: int | None
    source: str


async def served(endpoint: Endpoint, settings: Settings) -> Served:
    """Return what `endpoint` serves for its root model.

    The setting `window` comes first, then what the server says (`/props` of llama.cpp, `/models` of vLLM and others),
    asked once per base URL and process and for at most 5 s, then the table. OpenAI's own server does not say.
    """
    if settings.window is not None:
        return Served(settings.window, None, "the setting window")
    if not endpoint.http or endpoint.own:
        return _from_table(endpoint.model)
    try:
        async with asyncio.timeout(_TIMEOUT):
            props, models = await _ask(endpoint)
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
        return _from_table(endpoint.model, f"{endpoint.shown} could not be asked ({type(error).__name__})")
    return (
        _from_props(props)
        or _from_models(models, endpoint.model)
        or _from_table(endpoint.model, f"{endpoint.shown} does not say")
    )


async def _ask(endpoint: Endpoint) -> tuple[Any, Any]:
    """Return both pages; a server that could not be reached is asked again next time."""
    base_url = endpoint.base_url.rstrip("/")
    urls = f"{_VERSION.sub('', base_url)}/props" if endpoint.provider.local else "", f"{base_url}/models"
    if missing := [url for url in urls if url and url not in pages]:
        async with http_client(endpoint) as http:
            http.headers.update(endpoint.headers)
            answers = [await http.get(url, params=dict(endpoint.query)) for url in missing]
        pages.update(zip(missing, map(_json, answers), strict=True))
    return pages.get(urls[0]), pages.get(urls[1])


def _json(page: httpx2.Response) -> Any:
    try:
        return page.json() if page.is_success else None
    except ValueError:
        return None


def _from_props(props: Any) -> Served | None:
    """Read the properties of a llama.cpp server, whose versions differ in where they put the window."""
    if not isinstance(props, dict):
        return None
    defaults = props.get("default_generation_settings")
    window = _size(defaults.get("n_ctx") if isinstance(defaults, dict) else None) or _size(props.get("n_ctx"))
    return Served(window, _size(props.get("total_slots")), "the server's /props") if window else None


def _from_models(models: Any, name: str) -> Served | None:
    """Read a list of models, in which `name` may have its window."""
    model = listed(models).get(name, {})
    window = next((size for key in _WINDOW_KEYS if (size := _size(model.get(key)))), None)
    return Served(window, None, "the server's /models") if window else None


def _from_table(model: str, but: str = "") -> Served:
    source = f"known of {model}" if is_known(model) else f"assumed of {model}, which is not known"
    return Served(window_of(model), None, f"{source}; {but}" if but else source)


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
