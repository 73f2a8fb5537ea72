"""Verifiers: whether a child may be asked what a cell wants to ask it.

A child that gets the whole task again only repeats the parent's work at a higher price. The rules see that without any
cost, the verifier model sees more. Whoever reviews, a review that fails lets the call pass, and the verdict says so.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .reviewer import ModelVerifier
from .verdicts import Proposal, Verdict, Verifier

if TYPE_CHECKING:
    from .tree import Tree

__all__ = ["RuleVerifier", "TieredVerifier", "UserVerifier", "make_verifier"]

_LEAST_TASK = 80
_SHINGLE = 8
_SHARE = 0.6
_REMEMBERED = 256
_PREVIEW = 120

_HINT = (
    "This hands the whole task to a child, over the whole context. Split it: ask each child a narrower question, about "
    "a part of the context (context=part), and put the answers together here."
)


class RuleVerifier:
    """Vetoes a child that gets the parent's task and its whole context; free.

    A task of less than 80 characters is not compared: too many sensible questions contain it. Longer ones must not be
    contained in the child's question, nor share 60 % of their runs of 8 words with it.
    """

    async def review(self, proposal: Proposal) -> Verdict:
        """Return the verdict; texts are compared without case and spacing."""
        task, prompt = _normal(proposal.question), _normal(proposal.prompt)
        if proposal.kind != "rlm_query" or not proposal.whole or len(task) < _LEAST_TASK:
            return Verdict(True)
        own = _shingles(task)
        if task in prompt or len(own & _shingles(prompt)) >= _SHARE * len(own):
            return Verdict(False, _HINT)
        return Verdict(True)


class UserVerifier:
    """The caller's own check: an object with `review`, or a function; either may be async.

    It gets a `Proposal` and returns true or false, (approved, reason), or anything with `approved` and `reason`.
    """

    def __init__(self, check: Any) -> None:
        self._check = getattr(check, "review", check)

    async def review(self, proposal: Proposal) -> Verdict:
        """Return the check's verdict; approval with `unsure` if it raises."""
        try:
            said = self._check(proposal)
            said = await said if inspect.isawaitable(said) else said
            return _verdict(said)
        except Exception as error:  # noqa: BLE001 (the caller's code may raise anything, and must not end the run)
            return Verdict(True, unsure=f"the check of sub-calls raised {type(error).__name__}: {error}")


class TieredVerifier:
    """Asks its tiers in turn until one vetoes, and remembers vetoes: the same again is vetoed without a new review.

    Attributes:
        vetoes: the latest vetoes, each with `kind`, `prompt_preview`, `reason` and `attempt`.

    """

    def __init__(self, tiers: Sequence[Verifier]) -> None:
        self._tiers = tiers
        self._remembered: OrderedDict[tuple[str, ...], tuple[str, int]] = OrderedDict()
        self.vetoes: list[dict[str, Any]] = []

    async def review(self, proposal: Proposal) -> Verdict:
        """Return the first veto, or approval with whatever any tier was unsure of."""
        key = (proposal.kind, _normal(proposal.prompt), proposal.question, proposal.card)
        if key in self._remembered:
            reason, attempt = self._remembered[key]
            told = f"{reason} (Refused before: this is attempt {attempt + 1} with the same question.)"
            return self._vetoed(key, proposal, Verdict(False, told), reason)
        unsure, seen = [], None
        for tier in self._tiers:
            verdict = await tier.review(proposal)
            seen = verdict.review or seen
            if not verdict.approved:
                return self._vetoed(key, proposal, verdict, verdict.reason)
            unsure += [verdict.unsure] if verdict.unsure else []
        return Verdict(True, unsure="; ".join(unsure), review=seen)

    def _vetoed(self, key: tuple[str, ...], proposal: Proposal, verdict: Verdict, reason: str) -> Verdict:
        attempt = self._remembered.pop(key, ("", 0))[1] + 1
        self._remembered[key] = reason, attempt
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        preview = proposal.prompt[:_PREVIEW]
        self.vetoes.append({"kind": proposal.kind, "prompt_preview": preview, "reason": reason, "attempt": attempt})
        del self.vetoes[:-_REMEMBERED]
        return verdict


def make_verifier(tree: Tree) -> TieredVerifier | None:
    """Return who reviews the sub-calls of a run, by `verify_subcalls` and the caller's own check; `None` for nobody."""
    who = tree.settings.verify_subcalls
    tiers: list[Verifier] = [RuleVerifier()] if who in ("rules", "tiered") else []
    if tree.hooks.subcall_check is not None:
        tiers.append(UserVerifier(tree.hooks.subcall_check))
    if who in ("model", "tiered"):
        tiers.append(ModelVerifier(tree))
    return TieredVerifier(tiers) if tiers else None


def _verdict(said: Any) -> Verdict:
    if isinstance(said, tuple):
        approved, reason = said
        return Verdict(bool(approved), str(reason))
    if hasattr(said, "approved"):
        return Verdict(bool(said.approved), str(getattr(said, "reason", "")))
    return Verdict(bool(said), "" if said else "The caller's check refused it.")


def _normal(text: str) -> str:
    return " ".join(text.split()).lower()


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + _SHINGLE]) for i in range(max(1, len(words) - _SHINGLE + 1))}
