"""What a call cost: said by the provider, set by the user, found in the library, or unknown; never guessed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import genai_prices.data
import pytest

from rlm_kernel.errors import OptionError
from rlm_kernel.models.pricing import cost_of
from rlm_kernel.models.providers import PROVIDERS
from rlm_kernel.settings import parse_value
from rlm_kernel.trajectory.records import Usage
from support.openai_server import Reply, ScriptedModel
from support.solving import cell, solve_with

MILLION = Usage(1, 1_000_000, 1_000_000)
OWN = {"scripted": {"input": 100.0, "output": 1_000.0}}
"""Prices at which a call of 10 tokens in and 5 out costs 0.006 USD."""


def test_peers_39_the_library_knows_the_price_of_a_dated_model() -> None:
    assert cost_of("openai", "gpt-4o-2024-08-06", MILLION) == pytest.approx(2.5 + 10)


def test_cached_tokens_have_their_own_price() -> None:
    usage = Usage(1, 1_000_000, 0, cached_tokens=1_000_000)
    assert cost_of("openai", "gpt-4o-2024-08-06", usage) == pytest.approx(1.25)
    assert cost_of("", "m", usage, {"m": {"input": 4.0, "output": 9.0, "cached": 1.0}}) == 1.0
    assert cost_of("", "m", usage, {"m": {"input": 4.0, "output": 9.0}}) == 4.0


@pytest.mark.parametrize(
    ("provider", "model"),
    [("", "gpt-4o"), ("openai", "nobody-knows"), ("nobody", "gpt-4o"), ("azure", "my-deployment")],
)
def test_peers_39_what_is_not_known_is_not_free(provider: str, model: str) -> None:
    assert cost_of(provider, model, MILLION) is None


def test_what_the_provider_says_wins_then_what_the_user_says() -> None:
    own = {"gpt-4o": {"input": 1.0, "output": 1.0}}
    assert cost_of("openai", "gpt-4o", Usage(1, 10, 10, cost=0.7), own) == 0.7
    assert cost_of("openai", "gpt-4o", MILLION, own) == 2.0


def test_the_offline_solver_is_free_unless_it_is_given_a_price() -> None:
    assert cost_of("offline", "offline", MILLION) == 0.0
    assert cost_of("offline", "offline", MILLION, {"offline": {"input": 1.0, "output": 0.0}}) == 1.0


def test_a_server_that_counts_strangely_has_a_price_all_the_same() -> None:
    assert cost_of("openai", "gpt-4o", Usage(1, 5, 0, cached_tokens=50)) is not None


@pytest.mark.parametrize("row", [row for row in PROVIDERS.values() if row.prices], ids=lambda row: row.name)
def test_the_names_of_providers_are_those_of_the_library(row: Any) -> None:
    assert row.prices in {provider.id for provider in genai_prices.data.providers}


def test_prices_are_found_without_a_network() -> None:
    code = """
import socket
def refuse(*_, **__): raise AssertionError("no network")
socket.socket.connect = socket.create_connection = refuse
from rlm_kernel.models.pricing import cost_of
from rlm_kernel.trajectory.records import Usage
print(cost_of("openai", "gpt-4o-2024-08-06", Usage(1, 1_000_000, 0)))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2.5\n"


# ----- the setting -------------------------------------------------------------------------------------------


def test_prices_are_given_as_a_dict_as_json_or_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text(json.dumps(OWN))
    for given in (OWN, json.dumps(OWN), str(tmp_path / "prices.json"), tmp_path / "prices.json"):
        assert parse_value("prices", given) == OWN


@pytest.mark.parametrize(
    "given",
    [
        "nowhere.json",
        "{",
        "[1]",
        3,
        {"m": 3},
        {"m": {"input": 1}},
        {"m": {"input": 1, "output": -1}},
        {"m": {"input": 1, "output": float("nan")}},
        {"m": {"input": 1, "output": 1, "audio": 1}},
    ],
)
def test_what_is_no_table_of_prices_is_an_error(given: object) -> None:
    with pytest.raises(OptionError, match="USD per million tokens"):
        parse_value("prices", given)


# ----- runs --------------------------------------------------------------------------------------------------


def test_peers_39_every_call_of_a_run_has_its_price() -> None:
    script = [cell("print(llm_query_batched(['a', 'b', 'c']))"), cell("FINAL(1)")]
    with ScriptedModel(script) as server:
        run = solve_with(server, prices=OWN)
        calls = len(server.requests)
    assert run.usage.cost == pytest.approx(0.006 * calls)
    assert sum(u.cost or 0.0 for u in run.usage_by("role").values()) == pytest.approx(run.usage.cost)


def test_engines_12_money_is_limited_by_prices_that_no_server_tells() -> None:
    script = [cell(f"print({n})") for n in range(9)]
    with ScriptedModel(script) as server:
        run = solve_with(server, prices=OWN, max_budget=0.02)
    assert (run.status, run.limit) == ("limit", "max_budget")
    assert run.usage.cost == pytest.approx(0.024)


def test_a_price_that_the_server_tells_wins_in_a_run() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.25}
    with ScriptedModel([Reply(cell("FINAL(1)"), usage=usage)]) as server:
        assert solve_with(server, prices=OWN, look_first=False).usage.cost == 0.25


def test_cached_tokens_that_the_server_counts_are_priced() -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 900}}
    prices = {"scripted": {"input": 1_000.0, "output": 0.0, "cached": 0.0}}
    with ScriptedModel([Reply(cell("FINAL(1)"), usage=usage)]) as server:
        run = solve_with(server, prices=prices, look_first=False)
    assert run.usage.cached_tokens == 900
    assert run.usage.cost == pytest.approx(0.1)


def test_a_local_server_has_no_price_and_the_run_says_so() -> None:
    with ScriptedModel([cell("FINAL(1)")]) as server:
        assert solve_with(server, model="gpt-4o", look_first=False).usage.cost is None
