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
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from . import values
from .errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OPTIONS", "Option", "Settings", "parse_value", "resolve"]


def _setting(group: str, default: object, kind: values.Kind, doc: str, *, unit: str = "", env: str = "") -> Any:
    told = {"kind": kind, "doc": doc, "unit": unit, "env": env, "group": group}
    return dataclasses.field(default=default, metadata=told)


_models = partial(_setting, "Models")
_limits = partial(_setting, "Limits, over the whole tree of a run")
_answer = partial(_setting, "What counts as an answer")
_guards = partial(_setting, "What guards the way there")
_strategy = partial(_setting, "Strategy")
_shown = partial(_setting, "What the model sees")
_place = partial(_setting, "Where cells run, and what is left of them")


@dataclass(frozen=True)
class Settings:
    """All settings of a solve; make one with `resolve`, which checks every value."""

    model: str | None = _models(
        None,
        values.NAME,
        "root model; auto for the first one listed; where none is configured, the rule-based offline solver answers",
        env="RLM_MODEL",
    )
    sub_model: str | None = _models(None, values.NAME, "model of sub-calls and children; else the root's")
    verifier_model: str | None = _models(None, values.NAME, "model that checks sub-calls and answers; else sub_model")
    judge_model: str | None = _models(None, values.NAME, "model that compares candidates; else verifier_model")
    memory_model: str | None = _models(None, values.NAME, "model that sums up experience; else sub_model")
    provider: str | None = _models(
        None, values.NAME, "whose API to ask, such as openai, gemini or ollama; else as the environment says"
    )
    base_url: str | None = _models(
        None, values.URL, "root of an OpenAI-compatible API; else the provider's own", env="OPENAI_BASE_URL"
    )
    temperature: float | None = _models(None, values.TEMPERATURE, "sampling temperature; else the server's own")
    sub_temperature: float | None = _models(
        None, values.TEMPERATURE, "sampling temperature of all but the root model; else as the root"
    )
    seed: int | None = _models(None, values.NUMBER, "seed of sampling, plus the number of the candidate")
    extra_body: Mapping[str, Any] | None = _models(None, values.OBJECT, "further fields of every request, as JSON")
    sub_extra_body: Mapping[str, Any] | None = _models(
        None, values.OBJECT, "further fields of requests to all but the root model; else as the root"
    )
    window: int | None = _models(None, values.COUNT, "served window; else asked of the server or known", unit="tokens")
    reply_limit: int = _models(16_384, values.COUNT, "length of one reply of the root model", unit="tokens")
    subcall_reply_limit: int = _models(8_192, values.COUNT, "length of one reply to a sub-call", unit="tokens")
    retries: int = _models(4, values.NUMBER, "how often a failed call is made again where that may help", unit="times")
    repeat_guard: float = _models(
        0.35, values.FRACTION, "share of repeated 4-word phrases at which a looping reply is cut off; 0 for never"
    )
    prices: Mapping[str, Mapping[str, float]] | None = _models(
        None, values.PRICES, "your own prices by model; else those of a price list, if it has the model", unit="USD"
    )
    recording: str = _models(
        "off",
        values.one_of("off", "record", "replay", "strict", "refresh"),
        "use recorded replies: off, record (ask for missing ones and write them down), replay (ask, write nothing), "
        "strict (make no call at all), refresh (ask for all of them anew)",
        env="RLM_RECORDING",
    )
    recordings_dir: str = _models("recordings", values.FOLDER, "folder of the recorded replies")
    noise: float = _models(0.0, values.FRACTION, "share of the offline solver's replies that go wrong on purpose")

    max_iterations: int = _limits(
        20, values.COUNT, "model turns at most; then the latest draft is the answer", unit="turns"
    )
    child_max_iterations: int | None = _limits(None, values.COUNT, "turns of a child; else as the root", unit="turns")
    max_depth: int = _limits(
        1, values.NUMBER, "how deep rlm_query may go: 0 for no children, 1 for children without children", unit="levels"
    )
    max_subcalls: int = _limits(1_000, values.NUMBER, "sub-calls at most", unit="calls")
    max_tokens: int | None = _limits(None, values.COUNT, "tokens in and out at most; else no limit", unit="tokens")
    max_budget: float | None = _limits(None, values.MONEY, "money to spend at most; else no limit", unit="USD")
    max_time: float | None = _limits(None, values.DURATION, "time of the whole run; else no limit", unit="seconds")
    max_errors: int | None = _limits(None, values.COUNT, "turns with a failing cell in a row", unit="turns")
    max_concurrency: int = _limits(16, values.COUNT, "sub-calls in flight at once", unit="calls")
    machine_concurrency: int | None = _limits(
        None, values.COUNT, "calls in flight over all your processes on this machine; else not counted", unit="calls"
    )
    max_children: int = _limits(4, values.COUNT, "children of rlm_query_batched at work at once", unit="children")
    timeout: float = _limits(
        30.0, values.DURATION, "time limit of one cell; a cell that runs over it is undone", unit="seconds"
    )
    subcall_timeout: float = _limits(120.0, values.DURATION, "time limit of one sub-call", unit="seconds")
    child_timeout: float | None = _limits(None, values.DURATION, "time limit of one child; else none", unit="seconds")
    soft_limit: float = _limits(
        0.8, values.FRACTION, "share of time, tokens or money at which the model is told once to wrap up; 0 for never"
    )
    final_turn: bool = _limits(True, values.FLAG, "at a limit without a draft, ask once for an answer in plain words")

    answer_type: object = _answer(None, values.TYPE, "what the answer must be: int, a model class, a JSON schema")
    look_first: bool = _answer(True, values.FLAG, "refuse an answer before any cell has run without error")
    min_iterations: int = _answer(0, values.NUMBER, "turns before an answer counts", unit="turns")
    require_subcall: bool = _answer(False, values.FLAG, "refuse an answer before any sub-call was made")
    reject_code_answers: bool = _answer(True, values.FLAG, "send back answers that are code or repeat a refusal")
    verify_answer: bool = _answer(False, values.FLAG, "have the verifier model check the answer")
    max_answer_retries: int = _answer(2, values.NUMBER, "how often an answer is sent back", unit="times")

    verify_subcalls: str = _guards(
        "rules",
        values.one_of("none", "rules", "model", "tiered"),
        "who vetoes children that get the whole task: none, rules, model, or tiered (rules, then the model)",
    )
    reject_self_delegation: bool = _guards(True, values.FLAG, "refuse sub-calls over the whole context if tools exist")
    max_repeats: int = _guards(3, values.NUMBER, "turns with the same code before the run ends; 0 for any number")
    clean_retry: bool = _guards(False, values.FLAG, "leave failing turns out of the conversation, but for the error")
    repair_calls: bool = _guards(False, values.FLAG, "let f()() mean f() where f() cannot be called")
    repair_placeholders: bool = _guards(False, values.FLAG, "fill {name} in sub-call prompts that forgot the f-prefix")
    prose_subcalls: bool = _guards(False, values.FLAG, "ask again, once, where a sub-call replies with code")

    direct_threshold: int = _strategy(
        0, values.NUMBER, "smaller contexts are sent to the model as they are, in one call", unit="characters"
    )
    profile: str = _strategy(
        "auto",
        values.one_of("auto", "deterministic", "semantic", "hybrid", "verify"),
        "how to go about it: auto, deterministic (code first), semantic (sub-calls), hybrid or verify (check twice)",
    )
    orchestrator: bool = _strategy(False, values.FLAG, "have the root plan and its children do the work")
    engineer: str = _strategy(
        "off",
        values.one_of("off", "brief", "notes", "both"),
        "have the sub model write a brief of the context first, notes for each sub-call, or both",
    )
    instructions: str | None = _strategy(None, values.TEXT, "what else to tell the root model")
    child_instructions: str | None = _strategy(None, values.TEXT, "what else to tell children; else as the root")
    follow: bool = _strategy(False, values.FLAG, "go on from the last question: its context and conversation are there")

    output_limit: int = _shown(
        2_000, values.COUNT, "output over this is stored as _result_N, and its ends are shown", unit="characters"
    )
    compaction: float = _shown(
        0.85, values.FRACTION, "share of the window at which the conversation is summed up; 0 for never"
    )
    sample: bool = _shown(True, values.FLAG, "show short excerpts of the context on its card")
    redact: str | None = _shown(
        None, values.RULES, "what the model must not see: names of columns and keys, and /patterns/ of text"
    )

    branch: str = _place(
        "auto",
        values.BRANCH,
        "where cells run: auto, fork (a copy of the session), spawn (a new process) or kernel:NAME (a Jupyter kernel)",
    )
    mem: int | None = _place(
        None,
        values.MEMORY,
        "memory one cell may add, such as 2GB; a cell that takes more is undone; else by what is free",
        unit="bytes",
    )
    ship: str = _place("", values.NAMES, "variables that a branch in another process gets besides the context")
    keep: str = _place("new", values.KEEP, "variables to bring back: none, new (only new names), all, or names")
    view: str = _place(
        "auto", values.VIEW, "how a run shows itself: auto, static (no progress line) or none", env="RLM_VIEW"
    )
    runs_dir: str = _place(".rlm/runs", values.FOLDER, "folder of the journals", env="RLM_RUNS_DIR")
    checkpoints: int = _place(
        8, values.NUMBER, "checkpoints of finished runs to hold on to, over all runs", unit="checkpoints"
    )
    checkpoint_memory: int | None = _place(
        None, values.MEMORY, "memory those checkpoints may take together; else a quarter of what is free", unit="bytes"
    )
    address_space: int | None = _place(
        None, values.MEMORY, "hard limit on the address space of a branch (RLIMIT_AS); else none", unit="bytes"
    )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them; a type is represented by its name."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        kind = self.answer_type
        return {**plain, "answer_type": kind if kind is None or isinstance(kind, dict) else str(kind)}


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table, under the heading `group`; `env` is the environment variable that sets it, if one does."""

    name: str
    default: object
    kind: values.Kind
    doc: str
    unit: str
    env: str
    group: str

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
        hint = f"did you mean {near[0]}?" if near else "rlm_kernel.Settings has them all, such as max_iterations"
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
