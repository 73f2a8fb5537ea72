"""Every setting once: its type, unit, default and meaning.

The fields of `Settings` are the table. `OPTIONS` is that table as data, for the magic's parser, its help and
completion; `parse_value` checks one value; `resolve` puts the layers on top of each other: defaults, then the
environment, then what the caller gave. The API key is no setting: it is read where the client is made.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from . import values
from .errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OPTIONS", "Option", "Settings", "parse_value", "resolve"]


def _setting(default: object, kind: values.Kind, doc: str, *, unit: str = "", env: str = "") -> Any:
    return dataclasses.field(default=default, metadata={"kind": kind, "doc": doc, "unit": unit, "env": env})


@dataclass(frozen=True)
class Settings:
    """All settings of a solve; make one with `resolve`, which checks every value."""

    model: str | None = _setting(
        None,
        values.NAME,
        "root model; where none is configured, the rule-based offline solver answers",
        env="RLM_MODEL",
    )
    sub_model: str | None = _setting(None, values.NAME, "model that llm_query asks; else the root model")
    base_url: str | None = _setting(
        None, values.URL, "root of an OpenAI-compatible API; else OpenAI's own", env="OPENAI_BASE_URL"
    )
    timeout: float = _setting(
        30.0, values.DURATION, "time limit of one cell; a cell that runs over it is undone", unit="seconds"
    )
    max_iterations: int = _setting(
        20, values.COUNT, "model turns at most; then the latest draft is the answer", unit="turns"
    )
    max_depth: int = _setting(
        1, values.NUMBER, "how deep rlm_query may go: 0 for no children, 1 for children without children", unit="levels"
    )
    keep: str = _setting("new", values.KEEP, "variables to bring back: none, new (only new names), all, or names")
    branch: str = _setting(
        "auto",
        values.BRANCH,
        "where cells run: auto, fork (a copy of the session), spawn (a new process) or kernel:NAME (a Jupyter kernel)",
    )
    mem: int | None = _setting(
        None,
        values.MEMORY,
        "memory one cell may add, such as 2GB; a cell that takes more is undone; else by what is free",
        unit="bytes",
    )
    ship: str = _setting("", values.NAMES, "variables that a branch in another process gets besides the context")
    view: str = _setting(
        "auto", values.VIEW, "how a run shows itself: auto, static (no progress line) or none", env="RLM_VIEW"
    )
    subcall_timeout: float = _setting(120.0, values.DURATION, "time limit of one sub-call", unit="seconds")
    max_concurrency: int = _setting(16, values.COUNT, "sub-calls in flight at once", unit="calls")
    output_limit: int = _setting(8000, values.COUNT, "how much of each output stream the model sees", unit="characters")
    runs_dir: str = _setting(".rlm/runs", values.FOLDER, "folder of the journals", env="RLM_RUNS_DIR")
    checkpoints: int = _setting(
        8, values.NUMBER, "checkpoints of finished runs to hold on to, over all runs", unit="checkpoints"
    )
    checkpoint_memory: int | None = _setting(
        None, values.MEMORY, "memory those checkpoints may take together; else a quarter of what is free", unit="bytes"
    )
    address_space: int | None = _setting(
        None, values.MEMORY, "hard limit on the address space of a branch (RLIMIT_AS); else none", unit="bytes"
    )


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table; `env` is the environment variable that sets it, empty if there is none."""

    name: str
    default: object
    kind: values.Kind
    doc: str
    unit: str
    env: str

    @property
    def type(self) -> str:
        """The type in a word or two."""
        return self.kind.word


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {f.name: Option(name=f.name, default=f.default, **f.metadata) for f in dataclasses.fields(Settings)}
)
"""The fields of `Settings` by name, in the order of the class."""


def parse_value(name: str, raw: object) -> object:
    """Return the value of setting `name` that `raw` stands for; text is read as on the magic's line.

    Raises:
        OptionError: there is no such setting (the hint has the nearest name), or `raw` is no value for it.

    """
    if name not in OPTIONS:
        near = get_close_matches(name, OPTIONS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(OPTIONS)}"
        raise OptionError(f"there is no setting {name!r}", hint)
    return OPTIONS[name].kind.read(name, raw)


def resolve(given: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the effective settings: defaults < environment < `given`.

    Args:
        given: values by setting name, as text or as objects; `None` counts as not given.
        environ: environment variables; an empty one counts as not set.

    Raises:
        OptionError: a name or a value is wrong; a bad value of the environment is blamed on its variable.

    """
    chosen: dict[str, Any] = {name: parse_value(name, raw) for name, raw in given.items() if raw is not None}
    for name, option in OPTIONS.items():
        if name not in chosen and (text := environ.get(option.env)):
            chosen[name] = option.kind.read(option.env, text)
    return Settings(**chosen)
