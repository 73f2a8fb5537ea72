"""Where calls go: the root of an API, and how to show up there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from ..values import URL
from .providers import OTHER, PROVIDERS, Provider, at

__all__ = ["Endpoint", "endpoint_at"]


@dataclass(frozen=True)
class Endpoint:
    """The root of an API and the models asked there; without a key no Authorization header is sent.

    Attributes:
        base_url: the root, empty for the embedded solver; a prefix and a colon for what is not reached by HTTP.
        model: the root model of a run.
        sub_model: the model of its sub-calls; it may be a reference to another endpoint.
        api_key: for the server.
        provider: its row in the table of providers.
        query: parameters of every URL.
        extra_headers: of every request.

    """

    base_url: str = field(repr=False)
    model: str
    sub_model: str
    api_key: str | None = field(repr=False)
    provider: Provider = OTHER
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def offline(self) -> bool:
        """True for the embedded solver."""
        return self.base_url == ""

    @property
    def http(self) -> bool:
        """True for a server; false for the embedded solver, commands and plugins."""
        return self.base_url.lower().startswith(("http://", "https://"))

    @property
    def own(self) -> bool:
        """True for OpenAI's own servers."""
        return urlsplit(self.base_url).hostname == urlsplit(PROVIDERS["openai"].base_url).hostname

    @property
    def shown(self) -> str:
        """The base URL for messages: without a user, a password or a query, which may hold a key."""
        parts = urlsplit(self.base_url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @property
    def key_variable(self) -> str:
        """The environment variable that the key is expected in."""
        return next(iter(self.provider.keys), "")

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries: the key, if there is one, and the provider's own headers."""
        name = self.provider.key_header
        key = {} if not self.api_key else {name: self.api_key} if name else {"Authorization": f"Bearer {self.api_key}"}
        return {**key, **self.extra_headers}

    def path(self, model: str) -> str:
        """Return the path of a chat completion of `model`, below the base URL."""
        return self.provider.chat_path.format(model=quote(model, safe=""))


def endpoint_at(
    provider: Provider, environ: Mapping[str, str], *, base_url: str = "", keys: tuple[str, ...] = ()
) -> Endpoint:
    """Return the endpoint of `provider`, its models not yet named.

    Args:
        provider: its row.
        environ: environment variables.
        base_url: its root, where it is not the provider's own.
        keys: further environment variables that may hold the key.

    Raises:
        OptionError: an environment variable should hold a URL and does not.

    """
    url = base_url or _own_url(provider, environ)
    row, parts = at(url), urlsplit(url)
    provider = row if row.name and row.name == provider.name else provider
    query = {name: environ.get(variable) or default for name, (variable, default) in provider.query.items()}
    return Endpoint(
        urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", "")),
        "",
        "",
        next((environ[name] for name in (*provider.keys, *keys) if environ.get(name)), None),
        provider,
        {**query, **dict(parse_qsl(parts.query, keep_blank_values=True))},
        {name: environ[variable] for name, variable in provider.headers.items() if environ.get(variable)},
    )


def _own_url(provider: Provider, environ: Mapping[str, str]) -> str:
    variable = next((name for name in provider.urls if environ.get(name)), None)
    if variable is None:
        return provider.base_url
    url = environ[variable].strip()
    return str(URL.read(variable, _ollama(url) if variable == "OLLAMA_HOST" else url))


def _ollama(host: str) -> str:
    """Return the API at `OLLAMA_HOST`, which may lack scheme, port and path, and may be every address of a machine."""
    scheme, _, place = host.rpartition("://")
    name, colon, port = place.rstrip("/").rpartition(":")
    if not port.isdigit():
        name, colon, port = place.rstrip("/"), "", ""
    name = "127.0.0.1" if name in ("", "0.0.0.0", "[::]") else name
    port = colon + port or ("" if scheme else ":11434")
    return f"{scheme or 'http'}://{name}{port}/v1"
