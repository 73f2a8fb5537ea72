"""A reference to a model, read: who is asked, and for which model.

    gpt-5-mini              a model of the run's own endpoint
    groq:openai/gpt-oss-20b a model of a provider in the table
    ollama:qwen3:32b        only the first colon counts, and only after a provider's name: `qwen3:32b` is a model's name
    cmd:llm -m small        a command that gets the prompt and prints the reply
    toy:small               a model of an installed plugin
    offline                 the embedded solver

What a cell may name is less: no command and no provider that the user has not chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..errors import OptionError
from ..settings import Settings
from . import plugins
from .address import Endpoint, endpoint_at
from .providers import AUTO, COMMAND, OFFLINE, PROVIDERS, Provider, at

__all__ = ["References", "Target", "checked", "outside", "split"]

_OTHERS = ("sub_model", "verifier_model", "judge_model", "memory_model")
"""The settings that may name another endpoint than the run's own."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked.

    Attributes:
        endpoint: where.
        model: the name there; for a command the command itself.

    """

    endpoint: Endpoint
    model: str

    @property
    def provider(self) -> str:
        """Its name in the table; a plugin's name; empty for a server known by its URL alone."""
        return self.endpoint.provider.name

    @property
    def key(self) -> str:
        """What tells endpoints apart: the base URL without secrets."""
        return self.endpoint.shown if self.endpoint.http else f"{self.provider}:"


class References:
    """Reads references for one run.

    Args:
        settings: those of the run.
        home: the run's own endpoint.
        environ: environment variables, for keys.

    """

    def __init__(self, settings: Settings, home: Endpoint, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._home = home
        self._environ = environ
        self._targets: dict[str, Target] = {}

    def check(self) -> None:
        """Read all references of the settings.

        Raises:
            OptionError: one of them cannot be asked.

        """
        for name in _OTHERS:
            if reference := getattr(self._settings, name):
                self.target(reference)

    def target(self, reference: str) -> Target:
        """Return who `reference` means.

        Raises:
            OptionError: its provider needs a key, or it is a bare name where nobody is asked by name.

        """
        if reference not in self._targets:
            self._targets[reference] = self._read(reference)
        return self._targets[reference]

    def allowed_for_cells(self, reference: str) -> str:
        """Return why a cell may not ask `reference`, written for the model; empty if it may.

        It may ask what the settings name, and the models at the sub model's endpoint. It never chooses a command.
        """
        if reference in self._named:
            return ""
        prefix, _ = split(reference)
        if prefix != COMMAND and reference != AUTO:
            try:
                if self.target(reference).endpoint == self.target(self._home.sub_model).endpoint:
                    return ""
            except OptionError:
                pass  # a provider without a key was not chosen by the user either
        known = ", ".join(sorted(self._named))
        return f"model={reference!r} is not available here. Leave model= out, or use one of: {known}."

    @cached_property
    def _named(self) -> frozenset[str]:
        given = (getattr(self._settings, name) for name in _OTHERS)
        return frozenset({self._home.model, self._home.sub_model, *filter(None, given)} - {AUTO})

    def _read(self, reference: str) -> Target:
        prefix, name = split(reference)
        if not prefix:
            return self._at_home(name)
        if prefix == self._home.provider.name:
            return Target(self._home, name)
        if prefix in PROVIDERS:
            endpoint = endpoint_at(PROVIDERS[prefix], self._environ)
            return Target(endpoint if self._settings.recording == "strict" else checked(endpoint), name)
        return Target(outside(prefix), name)

    def _at_home(self, name: str) -> Target:
        if name == OFFLINE:
            return Target(Endpoint("", OFFLINE, OFFLINE, None), OFFLINE)
        if self._home.offline or self._home.provider.name == COMMAND:
            raise OptionError(
                f"Nobody is named to ask for the model {name!r}: {self._home.model} is no server.",
                f"write it as PROVIDER:{name}; the providers are {', '.join(PROVIDERS)}",
            )
        return Target(self._home, name)


def split(reference: str) -> tuple[str, str]:
    """Return the provider that `reference` names, empty for none, and the rest of it.

    A prefix counts if it is `cmd`, in the table of providers, or the name of an installed plugin.
    """
    prefix, colon, name = reference.partition(":")
    known = bool(colon and name) and (prefix == COMMAND or prefix in PROVIDERS or prefix in plugins.installed())
    return (prefix, name.strip()) if known else ("", reference)


def outside(prefix: str) -> Endpoint:
    """Return the endpoint of a command or a plugin, which is not reached by HTTP."""
    return Endpoint(f"{prefix}:", "", "", None, Provider(prefix, "", needs_key=False))


def checked(endpoint: Endpoint) -> Endpoint:
    """Return `endpoint`; at a URL that is not its provider's own, whether a key is needed is not known.

    Raises:
        OptionError: it can be asked nothing: its key or its URL is missing.

    """
    row = endpoint.provider
    if row.urls and not endpoint.base_url:
        raise OptionError(f"No URL is known for {row.name}.", f"set the environment variable {row.urls[0]}")
    if row.needs_key and not endpoint.api_key and at(endpoint.base_url).name == row.name:
        variables = " or ".join(row.keys)
        raise OptionError(f"There is no API key for {row.name}.", f"set the environment variable {variables}")
    return endpoint
