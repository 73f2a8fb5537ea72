"""What a server's refusal says: why, and in which numbers.

Servers that cannot fit a request state the window, the prompt's tokens, or the longest reply they give, each in words
of its own. Read here are those of OpenAI, Anthropic, Gemini, Mistral, vLLM, SGLang, TGI and llama.cpp.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openai

__all__ = ["Overflow", "overflow", "reply_cap", "words_of"]

_N = r"(\d[\d,]*)"
_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context length is only|context limit"
    r"|exceeds? (?:the |your |its )?(?:available |model's |maximum )?context"
    r"|context (?:size|length|window) (?:has been )?exceeded"
    r"|prompt is too long|longer than the model's context|input token.{0,40} exceeds?|input tokens exceed"
    r"|max_new_tokens. must be <=",
    re.IGNORECASE,
)
_WINDOWS = [
    rf"maximum context length (?:is|of) {_N}",
    rf"context length is only {_N}",
    rf"(?:available context size|model's context length|tokens allowed) \({_N}",
    rf"n_ctx\W+{_N}",
    rf"with {_N} maximum context",
    rf"> {_N}(?: maximum|, decrease)",
    rf"limit of {_N} tokens",
    rf"must be <= {_N}",
]
_PROMPTS = [
    rf"{_N} (?:tokens )?(?:in|from|of) (?:the |your )?(?:input )?(?:messages|text input|prompt)",
    rf"has {_N} input tokens",
    rf"passed {_N} input tokens",
    rf"messages resulted in {_N}",
    rf"n_prompt_tokens\W+{_N}",
    rf"(?:request|input|token count) \({_N}",
    rf"too long: {_N}",
    rf"context limit: {_N}",
    rf"prompt contains {_N}",
    rf"given: {_N}",
]
_TOTALS = [rf"requested (?:about |a total of )?{_N}"]
_CAPS = [
    rf"at most {_N} completion",
    rf"> {_N}, which is the maximum",
    rf"range of max\w+ is \[1, ?{_N}\]",
    rf"max\w*tokens\W.{{0,30}}(?:at most|less than or equal to|<=) {_N}",
]


@dataclass(frozen=True, slots=True)
class Overflow:
    """Tokens of the window, of the prompt, and of prompt and reply together, each as far as the server says them."""

    window: int | None
    prompt: int | None
    total: int | None

    def room(self, asked: int | None) -> int | None:
        """Return the tokens left beside the prompt when `asked` tokens of reply were asked for; `None` if unknown."""
        prompt = self.prompt
        if prompt is None and self.total is not None:
            prompt = self.total - (asked or 0)
        return None if self.window is None or prompt is None else self.window - prompt


def words_of(error: openai.APIError) -> str:
    """Return all that the server says: its message and, as JSON, the rest of what it sent."""
    return f"{error.message} {json.dumps(error.body, default=str)}"


def overflow(words: str) -> Overflow | None:
    """Read a refusal because of the context's length; `None` if it is about something else."""
    if not _OVERFLOW.search(words):
        return None
    return Overflow(_number(_WINDOWS, words), _number(_PROMPTS, words), _number(_TOTALS, words))


def reply_cap(words: str) -> int | None:
    """Read how many tokens of reply the server allows, where it refuses because more were asked for."""
    return _number(_CAPS, words)


def _number(patterns: list[str], words: str) -> int | None:
    """Return the number that the first fitting pattern finds."""
    found = (re.search(pattern, words, re.IGNORECASE) for pattern in patterns)
    return next((int(match[1].replace(",", "")) for match in found if match), None)
