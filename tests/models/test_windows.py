"""The table of windows, the estimate of tokens, the sizes of pieces."""

from __future__ import annotations

import pytest

from rlm_kernel.models.windows import UNKNOWN, is_known, piece_limit, piece_size, tokens, window_of


@pytest.mark.parametrize(
    ("model", "window"),
    [
        ("gpt-4", 8_192),
        ("gpt-4-0613", 8_192),
        ("gpt-4.1", 1_047_576),
        ("openai/gpt-4.1-mini", 1_047_576),
        ("ft:gpt-4.1-nano:me::x", 1_047_576),
        ("gpt-4o-mini", 128_000),
        ("gpt-4-turbo-preview", 128_000),
        ("gpt-4-32k", 32_768),
        ("gpt-3.5-turbo", 16_385),
        ("gpt-5", 272_000),
        ("GPT-5-mini", 272_000),
        ("o1", 200_000),
        ("o1-mini", 128_000),
        ("o3-pro", 200_000),
        ("o4-mini", 200_000),
        ("claude-sonnet-4-5", 200_000),
        ("anthropic/claude-2.1", 200_000),
        ("claude-2", 100_000),
        ("gemini-2.5-flash", 1_048_576),
        ("gemini-1.0-pro", 30_720),
        ("qwen3-8b", 32_768),
        ("Qwen/Qwen3-32B", 128_000),
        ("qwen3-max", 256_000),
        ("Qwen/Qwen2.5-72B-Instruct", 32_768),
        ("llama3.1:8b", 128_000),
        ("meta-llama/Llama-3.3-70B-Instruct", 128_000),
        ("llama3:8b", 8_192),
        ("mistral-large-latest", 128_000),
        ("deepseek-chat", 128_000),
        ("glm-4.6", 200_000),
        ("moonshotai/kimi-k2-thinking", 256_000),
    ],
)
def test_a_known_model_has_its_window(model: str, window: int) -> None:
    assert window_of(model) == window
    assert is_known(model)


@pytest.mark.parametrize("model", ["offline", "my-model", "gpt-44", "gpt-4.7", "solo1", "o3d", "phi-4.5", "", "gpt"])
def test_a_name_that_only_looks_like_one_is_not_known(model: str) -> None:
    assert window_of(model) == UNKNOWN == 128_000
    assert not is_known(model)


@pytest.mark.parametrize(
    ("model", "count"),
    [("gpt-4.1", 3), ("openai/gpt-5", 3), ("o3", 3), ("qwen3", 6), ("llama3", 6), ("solo1", 6), ("other", 6)],
)
def test_tokens_are_estimated_on_the_safe_side(model: str, count: int) -> None:
    assert tokens("x" * 11, model) == count
    assert tokens("", model) == 0


@pytest.mark.parametrize(
    ("window", "size", "limit"), [(128_000, 128_000, 217_600), (90_001, 90_000, 153_000), (1, 0, 0)]
)
def test_engines_34_pieces_fit_the_window(window: int, size: int, limit: int) -> None:
    assert (piece_size(window), piece_limit(window)) == (size, limit)
