"""How much a model can take: its window in tokens, the tokens of a text, and how long a piece for it may be.

The table is the last resort, for servers that do not say what they serve; see `probe`. Estimates err on the safe side:
a piece that is too short costs one call more, one that is too long costs the call.
"""

from __future__ import annotations

import functools
import re

__all__ = ["UNKNOWN", "is_known", "piece_limit", "piece_size", "tokens", "window_of"]

UNKNOWN = 128_000
"""The window assumed for a model that is not in the table, in tokens."""

_NAMES_BY_WINDOW = {
    1_048_576: "gemini llama-4 llama4",
    1_047_576: "gpt-4.1",
    272_000: "gpt-5 gpt-5.1 gpt-5.2",  # of 400,000: the rest is kept for the reply
    262_000: "gemma-4 gemma4 kimi-k2.5 qwen3-coder",
    256_000: "codestral command-a grok-4 kimi-k2-0905 kimi-k2-thinking qwen3-max",
    200_000: "claude claude-2.1 glm-4.6 o1 o3 o4",
    131_072: "gemma-3 gemma3 gpt-oss grok qwen-plus qwq",
    128_000: "chatgpt-4o command-r command-r-plus deepseek devstral glm gpt-4-turbo gpt-4.5 gpt-4o gpt-5-chat kimi "
    "llama-3.1 llama-3.2 llama-3.3 llama3.1 llama3.2 llama3.3 magistral ministral mistral-large mistral-medium "
    "mistral-nemo mistral-small o1-mini o1-preview pixtral qwen3",
    100_000: "claude-2 claude-instant",
    32_768: "gpt-4-32k mistral mixtral qwen qwen2 qwen2.5 qwen3-8b",
    30_720: "gemini-1.0",
    16_385: "gpt-3.5",
    16_384: "phi-4 phi4",
    8_192: "gemma-2 gemma2 gpt-4 llama-3 llama3",
    4_096: "llama-2 llama2",
}
_WINDOWS = {name: window for window, names in _NAMES_BY_WINDOW.items() for name in names.split()}
_OPENAI = re.compile(r"(?<![a-z0-9])(?:gpt|chatgpt|o\d)(?![a-z0-9])")
_CHARACTERS_PER_TOKEN = 4
_SAFE_CHARACTERS_PER_TOKEN = 2


def window_of(model: str) -> int:
    """Return the window of `model` in tokens as the table has it, or `UNKNOWN`.

    The longest name in the table that is a part of `model` counts, and only as a whole: `gpt-4` says nothing about
    `gpt-4.1` and `gpt-4o`.
    """
    return _known(model.lower()) or UNKNOWN


def is_known(model: str) -> bool:
    """Tell whether the table has a window for `model`."""
    return _known(model.lower()) is not None


def tokens(text: str, model: str) -> int:
    """Estimate the tokens of `text`: characters / 4 for OpenAI's models, / 2 for all others, to be safe."""
    per_token = _CHARACTERS_PER_TOKEN if _OPENAI.search(model.lower()) else _SAFE_CHARACTERS_PER_TOKEN
    return -(-len(text) // per_token)


def piece_size(window: int) -> int:
    """Return how long a piece for one sub-call best is, in characters: half of a window of `window` tokens."""
    return window // 2 * _SAFE_CHARACTERS_PER_TOKEN


def piece_limit(window: int) -> int:
    """Return how long a sub-call's prompt may be at most, in characters: 85 % of a window of `window` tokens."""
    return window * 85 // 100 * _SAFE_CHARACTERS_PER_TOKEN


@functools.cache
def _known(model: str) -> int | None:
    found = [name for name in _WINDOWS if re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9]|\.\d)", model)]
    return _WINDOWS[max(found, key=len)] if found else None
