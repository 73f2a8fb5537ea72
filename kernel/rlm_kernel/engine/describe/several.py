"""The cards of all contexts of a question, each under the name that cells know it by, within one limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .registry import describe
from .rules import Rules

__all__ = ["describe_all"]


def describe_all(
    contexts: Sequence[Any],
    names: Sequence[str] = (),
    *,
    first: int = 0,
    limit: int = 4000,
    sample: bool = True,
    redact: str | None = None,
) -> str:
    """Return the cards of the contexts, one below the other.

    Args:
        contexts: the values a question is about; the first of them is `context`.
        names: the user's names for them, empty where there is none; one that `redact` names hides its whole value.
        first: the number of the first: it is also `context_<first>`, the next one `context_<first + 1>`.
        limit: characters all cards may have together, headings aside; what a short one leaves, the others get.
        sample: whether the cards may quote the data.
        redact: what they must not quote, see `describe`.

    Returns:
        For each context a line such as `` `context` (the user's `df`): `` and its card.

    """
    rules = Rules.parse(redact)
    aliases = [names[i] if i < len(names) else "" for i in range(len(contexts))]

    def card(i: int, room: int) -> str:
        return describe(contexts[i], limit=room, sample=sample and not rules.hides(aliases[i]), redact=redact)

    cards = [card(i, limit) for i in range(len(contexts))]
    rooms = _shares([len(text) for text in cards], limit)
    cards = [
        text if len(text) <= room else card(i, room) for i, (text, room) in enumerate(zip(cards, rooms, strict=True))
    ]
    headings = [_heading(i, first, aliases[i], alone=len(contexts) == 1) for i in range(len(contexts))]
    return "\n\n".join(f"{heading}:\n{text}" for heading, text in zip(headings, cards, strict=True))


def _shares(wanted: Sequence[int], limit: int) -> list[int]:
    """Divide `limit` so that no one gets more than wanted, and no one less than another who still wants more."""
    shares = [0] * len(wanted)
    for done, i in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        shares[i] = min(wanted[i], (limit - sum(shares)) // (len(wanted) - done))
    return shares


def _heading(i: int, first: int, alias: str, *, alone: bool) -> str:
    name = f"`context_{first + i}`"
    if i == 0:
        name = "`context`" if alone else f"`context` / {name}"
    shown = alias and alias != "context" and not set("`\n") & set(alias)
    return f"{name} (the user's `{alias}`)" if shown else name
