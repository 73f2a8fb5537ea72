"""The table of settings, the reading of values, and the layers."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.errors import OptionError
from rlm_kernel.settings import OPTIONS, Settings, parse_value, resolve

VALID = [
    ("timeout", "30", 30.0),
    ("timeout", "30s", 30.0),
    ("timeout", "2m", 120.0),
    ("timeout", "1.5h", 5400.0),
    ("timeout", " .5 s ", 0.5),
    ("timeout", "24h", 86_400.0),
    ("timeout", 0.25, 0.25),
    ("timeout", np.int64(7), 7.0),
    ("timeout", Decimal("1.5"), 1.5),
    ("subcall_timeout", "1m", 60.0),
    ("max_iterations", "7", 7),
    ("max_iterations", np.int32(7), 7),
    ("max_concurrency", 1, 1),
    ("output_limit", "8_000", 8000),
    ("model", " gpt-5-mini ", "gpt-5-mini"),
    ("base_url", "http://localhost:8000/v1", "http://localhost:8000/v1"),
    ("base_url", "HTTPS://example.org", "HTTPS://example.org"),
    ("keep", "none", "none"),
    ("keep", "df , totals", "df,totals"),
    ("keep", "größe", "größe"),
    ("branch", "fork", "fork"),
    ("branch", " kernel:python3 ", "kernel:python3"),
    ("mem", "2GB", 2_000_000_000),
    ("mem", "500MB", 500_000_000),
    ("mem", "1.5G", 1_500_000_000),
    ("mem", "1 gib", 2**30),
    ("mem", "2048KiB", 2**21),
    ("mem", "1000000", 1_000_000),
    ("mem", 2e9, 2_000_000_000),
    ("mem", 2**62 + 1, 2**62 + 1),
    ("mem", np.int64(2_000_000), 2_000_000),
    ("checkpoint_memory", "1TB", 10**12),
    ("address_space", "8g", 8 * 10**9),
    ("checkpoints", "0", 0),
    ("checkpoints", 12, 12),
    ("ship", "", ""),
    ("ship", "df , totals", "df,totals"),
    ("view", "static", "static"),
    ("runs_dir", Path("a") / "b", "a/b"),
]

INVALID = [
    *(("timeout", raw) for raw in ("", "0", "-1", "abc", "30x", "1d", "nan", "inf", "25h", "٣", "1e3", 0, math.nan)),
    *(("timeout", raw) for raw in (True, None, [30], 1j, math.inf, 10**400)),
    *(("max_iterations", raw) for raw in ("", "0", "-3", "2.5", "many", "9" * 5000, 0, 2.0, True, None)),
    *(("model", raw) for raw in ("", "  ", None, 4)),
    *(("base_url", raw) for raw in ("", "localhost:8000", "ftp://x", "http://", "http:///v1", "http://a b", None)),
    *(("keep", raw) for raw in ("", ",", "a,", "a b", "a-b", "1a", "class", "a;b", None, ["a"])),
    *(("branch", raw) for raw in ("", "forks", "FORK", "kernel:", "kernel:a b", "kernel:../x", None, 1)),
    *(("mem", raw) for raw in ("", "2", "lots", "-1GB", "1PB", "2e9", "GB", "1GBs", "9" * 400, 999_999, 2**63)),
    *(("mem", raw) for raw in (True, None, [1], math.nan, math.inf, 10**400, "٣GB")),
    *(("checkpoints", raw) for raw in ("", "-1", -1, 1.5, None, False)),
    *(("ship", raw) for raw in (" ", ",", "a b", "1a", None, ["a"])),
    *(("view", raw) for raw in ("", "AUTO", "live", None, pd.DataFrame({"a": [1, 2]}))),
    *(("runs_dir", raw) for raw in ("", 3)),
]


@pytest.mark.parametrize(("name", "raw", "value"), VALID)
def test_value_is_read(name: str, raw: object, value: object) -> None:
    read = parse_value(name, raw)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(("name", "raw"), INVALID)
def test_wrong_value_is_refused_with_the_rule_and_an_example(name: str, raw: object) -> None:
    with pytest.raises(OptionError) as caught:
        parse_value(name, raw)
    assert caught.value.message.startswith(f"{name} must be ")
    assert caught.value.hint.startswith(f"for example {name}=")
    assert len(str(caught.value)) < 300


@given(name=st.sampled_from(list(OPTIONS)), raw=st.text() | st.integers() | st.floats() | st.none() | st.binary())
def test_any_value_is_read_or_refused(name: str, raw: object) -> None:
    try:
        value = parse_value(name, raw)
    except OptionError:
        return
    assert parse_value(name, value) == value, "a value that was read is read as itself"


@pytest.mark.parametrize("name", OPTIONS)
def test_every_setting_is_in_the_table_with_its_doc_and_a_valid_default(name: str) -> None:
    option = OPTIONS[name]
    assert option.name == name
    assert option.doc
    assert option.type
    if option.default is not None:
        assert parse_value(name, option.default) == option.default
        assert parse_value(name, str(option.default)) == option.default
    for example in option.kind.example.replace(" or ", ", ").split(", "):
        parse_value(name, example)


def test_the_table_is_the_dataclass() -> None:
    assert list(OPTIONS) == [field.name for field in dataclasses.fields(Settings)]
    assert {name: option.default for name, option in OPTIONS.items()} == dataclasses.asdict(Settings())


def test_layers_default_environment_given() -> None:
    environ = {"RLM_MODEL": "from-env", "OPENAI_BASE_URL": "http://env/v1", "RLM_VIEW": "", "OTHER": "x"}
    assert resolve({}, {}) == Settings()
    settings = resolve({"model": "given", "timeout": "1m", "keep": None}, environ)
    assert settings == Settings(model="given", base_url="http://env/v1", timeout=60.0)
    assert resolve({"model": None}, environ).model == "from-env"


def test_environment_is_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLM_RUNS_DIR", "elsewhere")
    assert resolve({}).runs_dir == "elsewhere"


def test_bad_environment_value_is_blamed_on_its_variable_unless_overridden() -> None:
    environ = {"RLM_VIEW": "sideways"}
    with pytest.raises(OptionError, match=r"RLM_VIEW must be auto, static or none, not 'sideways'"):
        resolve({}, environ)
    assert resolve({"view": "none"}, environ).view == "none"


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(OptionError, match="there is no setting 'max_iteration'") as caught:
        resolve({"max_iteration": 3}, {})
    assert caught.value.hint == "did you mean max_iterations?"
    with pytest.raises(OptionError) as caught:
        parse_value("zzz", 3)
    assert "max_iterations" in caught.value.hint
