"""What a call cost, in USD: as the provider says, else by the user's prices, else by a price library; else unknown.

The library, genai-prices, brings its data along, so no price is fetched over the network. Unknown is `None`, never 0:
a server of the user's own has costs that no list knows. Reasoning is part of the reply's tokens and costs the same;
tokens that the server had in its cache are priced apart, where they are counted and have a price of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..trajectory.records import Usage

__all__ = ["cost_of", "read_prices"]

Prices = Mapping[str, Mapping[str, float]]

_CLASSES = ("input", "output", "cached")
_MILLION = 1_000_000


def cost_of(provider: str, model: str, usage: Usage, overrides: Prices | None = None) -> float | None:
    """Return what a call cost in USD, `None` if that is unknown.

    Args:
        provider: its name in the price library, `offline` for the embedded solver; empty where there is no price list.
        model: as it was asked.
        usage: of the call; a cost that the provider reported wins.
        overrides: the user's prices, see `read_prices`.

    """
    if usage.cost is not None:
        return usage.cost
    if overrides and (own := overrides.get(model)) is not None:
        return _by_own(own, usage)
    if provider == "offline":
        return 0.0
    return _by_library(provider, model, usage) if provider else None


def read_prices(raw: object) -> dict[str, dict[str, float]]:
    """Return a table of prices in USD per million tokens: by model, for `input` and `output`, and `cached` input.

    Without a price for cached tokens they cost as much as others. For example
    `{"qwen3:32b": {"input": 0.1, "output": 0.3}}`.

    Args:
        raw: the table, as a dict, as JSON, or as the path of a JSON file.

    Raises:
        TypeError, ValueError: it is no such table, or the file cannot be read.

    """
    if isinstance(raw, str) and raw.lstrip().startswith("{"):
        raw = json.loads(raw)
    elif isinstance(raw, (str, Path)):
        try:
            raw = json.loads(Path(raw).expanduser().read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError from error
    if not isinstance(raw, Mapping):
        raise TypeError
    return {str(model): _row(row) for model, row in raw.items()}


def _row(raw: object) -> dict[str, float]:
    if not isinstance(raw, Mapping) or not {"input", "output"} <= raw.keys() <= set(_CLASSES):
        raise ValueError
    row = {str(name): float(price) for name, price in raw.items()}
    if not all(0 <= price < _MILLION for price in row.values()):  # false for nan too
        raise ValueError
    return row


def _by_own(prices: Mapping[str, float], usage: Usage) -> float:
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    spent = (
        (usage.prompt_tokens - cached) * prices["input"]
        + cached * prices.get("cached", prices["input"])
        + usage.completion_tokens * prices["output"]
    )
    return spent / _MILLION


def _by_library(provider: str, model: str, usage: Usage) -> float | None:
    import genai_prices  # 40 ms and 5 MB, for the first call that has a price

    tokens = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=min(usage.cached_tokens, usage.prompt_tokens) or None,
    )
    try:
        return float(genai_prices.calc_price(tokens, model_ref=model, provider_id=provider).total_price)
    except (LookupError, ValueError):
        return None
