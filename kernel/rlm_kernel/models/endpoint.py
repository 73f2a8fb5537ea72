"""Which server answers, and as whom: settings and environment made into one endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from ..errors import OptionError
from ..settings import Settings

__all__ = ["OFFLINE", "Endpoint", "endpoint_for"]

OFFLINE = "offline"
"""The model name of the embedded rule-based solver, which answers when nothing is configured."""

_OPENAI = "https://api.openai.com/v1"
_OPENAI_MODEL = "gpt-5-mini"


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible API root and the models asked there; without a key no Authorization header is sent."""

    base_url: str
    model: str
    sub_model: str
    api_key: str | None = field(repr=False)

    @property
    def offline(self) -> bool:
        """True for the embedded solver."""
        return self.base_url == ""

    @property
    def own(self) -> bool:
        """True for OpenAI's own servers."""
        return urlsplit(self.base_url).hostname == urlsplit(_OPENAI).hostname

    @property
    def shown(self) -> str:
        """The base URL for messages: without a user, a password or a query, which may hold a key."""
        parts = urlsplit(self.base_url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def endpoint_for(settings: Settings, environ: Mapping[str, str]) -> Endpoint:
    """Return the endpoint that `settings` and `OPENAI_API_KEY` in `environ` mean.

    Nothing configured means the offline solver; so does `model=offline`.

    Raises:
        OptionError: a base URL without a model, whose name only the user can know.

    """
    key = environ.get("OPENAI_API_KEY") or None
    model = settings.model
    if model == OFFLINE or (model is None and settings.base_url is None and key is None):
        return Endpoint("", OFFLINE, OFFLINE, None)
    if model is None and settings.base_url is not None:
        raise OptionError(
            f"No model is named for {settings.base_url}.", "add model=NAME, or set the environment variable RLM_MODEL"
        )
    model = model or _OPENAI_MODEL
    return Endpoint(settings.base_url or _OPENAI, model, settings.sub_model or model, key)
