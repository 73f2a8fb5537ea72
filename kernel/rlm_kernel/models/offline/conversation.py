"""What the solver can know at its turn: question, card, and how its earlier cells ended."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...engine.prompt import CARD_HEADING, QUESTION_HEADING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Situation", "read"]

_OPENING = re.compile(
    rf"{QUESTION_HEADING}\n(?P<question>.*)\n\n{CARD_HEADING}\n`context`(?: \(the user's `(?P<alias>[^`\n]*)`\))?:\n"
    r"(?P<card>.*?)\n\n(?:# .*\n\n)?Write your first cell\.\Z",
    re.DOTALL,
)
_SEVERAL = re.compile(rf"\n{CARD_HEADING}\n`context` / `context_\d+`")
_HEADLINE = re.compile(r"\[cell \d+: (\w+)")
_FOUND = re.compile(r"^found: (\[.{1,500}\])$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Situation:
    """The root conversation so far: `done` cells that went well, `failed` ones, and what the lookups found.

    `several`: it is about more than one context.
    """

    question: str
    card: str
    alias: str
    done: int
    failed: int
    last_turn: bool
    found: tuple[tuple[str, str], ...]
    several: bool = False


def read(messages: Sequence[Mapping[str, str]]) -> Situation:
    """Read the conversation; a message that is not in the expected form counts as empty."""
    texts = [str(m.get("content") or "") for m in messages if m.get("role") == "user"]
    opening = _OPENING.search(texts[0]) if texts else None
    results = [match[1] for text in texts[1:] if (match := _HEADLINE.match(text))]
    return Situation(
        question=opening["question"].strip() if opening else "",
        card=opening["card"] if opening else "",
        alias=(opening["alias"] or "") if opening else "",
        done=results.count("ok"),
        failed=len(results) - results.count("ok"),
        last_turn="This is your last turn" in (texts[-1] if len(texts) > 1 else "")[-200:],
        several=bool(texts and _SEVERAL.search(texts[0])),
        found=tuple(pair for text in texts[1:] for pair in _lookups(text)),
    )


def _lookups(text: str) -> list[tuple[str, str]]:
    """Return the (column, value) pairs that a looking cell printed."""
    pairs = []
    for match in _FOUND.finditer(text):
        try:
            pair = ast.literal_eval(match[1])
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair):
            pairs.append((pair[0], pair[1]))
    return pairs
