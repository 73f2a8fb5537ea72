"""Which server a run is at, and as whom: settings and environment made into one endpoint.

What is explicit comes first:

 1. `model=offline`: the embedded solver.
 2. The provider that `model` names (`groq:NAME`, `cmd:…`, a plugin), or the setting `provider`, at its own URL or at
    `base_url`.
 3. `base_url`; then the first that is set of `RLM_API_URL`, `LLM_BASE_URL` and `OPENAI_BASE_URL`.
 4. The first provider of the table whose key is in the environment, or whose own URL variable is, as `OLLAMA_HOST`.
 5. OpenAI, if `model` is set; without its key that is an error.
 6. The embedded solver.

The model is the one named, else the provider's default; `auto` is the first one that the server lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches

from ..errors import OptionError
from ..settings import Settings
from ..values import URL
from .address import Endpoint, endpoint_at
from .discovery import first_model
from .providers import AUTO, OFFLINE, OTHER, PROVIDERS, Provider, at
from .references import References, checked, outside, split

__all__ = ["OFFLINE", "Endpoint", "endpoint_for"]

_URLS = ("RLM_API_URL", "LLM_BASE_URL", "OPENAI_BASE_URL")


def endpoint_for(settings: Settings, environ: Mapping[str, str]) -> Endpoint:
    """Return the endpoint that `settings` and the keys and URLs in `environ` mean, its models named.

    It may ask the server for its models, once per process and for at most 5 s, where `model` is `auto`.

    Raises:
        OptionError: a provider is unknown, its key is missing, its model is not named and cannot be found out, or one
            of the other models has no server.

    """
    prefix, name = split(settings.model or "")
    home = _home(settings, environ, prefix, name)
    strict = settings.recording == "strict"  # which asks nobody
    if not strict:
        checked(home)
    if home.http:
        model = _found(home, _model(home, name, environ), strict=strict)
        home = replace(home, model=model, sub_model=_found(home, settings.sub_model or model, strict=strict))
    else:
        model = OFFLINE if home.offline else str(settings.model)
        home = replace(home, model=model, sub_model=settings.sub_model or model)
    References(settings, home, environ).check()
    return home


def _home(settings: Settings, environ: Mapping[str, str], prefix: str, name: str) -> Endpoint:
    if name == OFFLINE and not prefix:
        return Endpoint("", OFFLINE, OFFLINE, None)
    if prefix and prefix not in PROVIDERS:
        return outside(prefix)
    url, variable = _url(settings, environ)
    row = _named(prefix or settings.provider)
    if row is None and url:
        return _at(url, environ, paired=variable in ("", "OPENAI_BASE_URL"))
    if row is None:
        row = _implied(environ) or (PROVIDERS["openai"] if name else None)
        return Endpoint("", OFFLINE, OFFLINE, None) if row is None else endpoint_at(row, environ)
    ours = url if not variable or (row.name == "openai" and variable == "OPENAI_BASE_URL") else ""
    return endpoint_at(row, environ, base_url=ours)


def _url(settings: Settings, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the base URL that is asked for, and the environment variable it comes from, if it does."""
    if settings.base_url and settings.base_url != environ.get("OPENAI_BASE_URL", "").strip():
        return settings.base_url, ""
    variable = next((name for name in _URLS if environ.get(name)), "")
    if variable:
        return str(URL.read(variable, environ[variable])), variable
    return settings.base_url or "", ""


def _at(url: str, environ: Mapping[str, str], *, paired: bool) -> Endpoint:
    """Return the endpoint at `url`; `paired` is whether OpenAI's variable for keys belongs to it before others."""
    row = at(url)
    general = OTHER.keys if paired else OTHER.keys[::-1]
    row, further = (replace(OTHER, keys=general), ()) if row is OTHER else (row, general)
    return endpoint_at(row, environ, base_url=url, keys=further)


def _named(name: str | None) -> Provider | None:
    if not name:
        return None
    if name not in PROVIDERS:
        near = get_close_matches(name, PROVIDERS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the providers are {', '.join(PROVIDERS)}"
        raise OptionError(f"there is no provider {name!r}", hint)
    return PROVIDERS[name]


def _implied(environ: Mapping[str, str]) -> Provider | None:
    """Return the first provider that the environment is set up for."""
    for row in PROVIDERS.values():
        placed = any(environ.get(name) for name in row.urls)
        keyed = any(environ.get(name) for name in row.keys)
        if (placed and (keyed or not row.needs_key)) or (row.needs_key and row.implied and keyed and row.base_url):
            return row
    return None


def _model(home: Endpoint, name: str, environ: Mapping[str, str]) -> str:
    row = home.provider
    named = (environ[variable] for variable in row.model_variables if environ.get(variable))
    model = name or next(named, row.model)
    if not model:
        raise OptionError(
            f"No model is named for {row.name}.",
            f"add model=NAME, or set the environment variable {row.model_variables[0]}",
        )
    return model


def _found(home: Endpoint, model: str, *, strict: bool) -> str:
    """Return the name behind `auto`; any other name is the model's own."""
    if model != AUTO:
        return model
    if strict:
        message = "recording=strict makes no call, so no server can be asked which model it lists first."
        raise OptionError(message, "name the model that was recorded: model=NAME")
    return first_model(home)
