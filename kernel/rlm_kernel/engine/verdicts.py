"""The words of verifying: what is proposed, what a model said about it, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ..trajectory.records import Usage

__all__ = ["Proposal", "Review", "Verdict", "Verifier"]


@dataclass(frozen=True, slots=True)
class Review:
    """A verdict; `feedback` is the reviewer's reason, `error` says why there is no verdict. The rest is the call."""

    accepted: bool
    feedback: str
    error: str
    model: str
    prompt: str
    text: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A sub-call before it is made.

    Attributes:
        kind: `rlm_query`.
        prompt: what the child is to be asked.
        question: what the trajectory that asks has to answer itself.
        depth: of that trajectory, 0 for the root.
        card: the description of the child's context.
        whole: whether the child gets the whole context of that trajectory again; true where that is not known.

    """

    kind: str
    prompt: str
    question: str
    depth: int
    card: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sub-call may be made, why not, and in `unsure` why a review failed; `review` is the model's, if any."""

    approved: bool
    reason: str = ""
    unsure: str = ""
    review: Review | None = None


class Verifier(Protocol):
    """Whoever reviews sub-calls."""

    async def review(self, proposal: Proposal) -> Verdict:
        """Return the verdict; never raises."""
