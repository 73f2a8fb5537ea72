"""Strategies as data: what a profile tells the root model, and what it insists on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PROFILES", "Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A way to go about a question.

    Attributes:
        advice: the part of the prompt.
        require_subcall: whether an answer needs at least one sub-call before it.
        verify: whether the answer is checked by the verifier model.

    """

    advice: str
    require_subcall: bool = False
    verify: bool = False


PROFILES = {
    "auto": Profile(""),
    "deterministic": Profile("""\
Strategy: code first
- Solve it with code alone if you can: search, regular expressions, `extract_after(marker)`, `grep(pattern)`, table \
operations. A fact behind a fixed marker needs no sub-call at all.
- Ask the sub model only for what code cannot decide, and only on the few pieces that code has found."""),
    "semantic": Profile(
        """\
Strategy: read in batches
- The question needs reading, not matching. Split all of the context into pieces, ask about every piece with \
`llm_query_batched`, let each reply be short and in a fixed form, and put them together with code.
- Do not answer from keywords; an answer without any sub-call is refused.""",
        require_subcall=True,
    ),
    "hybrid": Profile("""\
Strategy: filter, read, add up
- Narrow the context down with code first, then ask the sub model about what is left, in batches and in a fixed form, \
then count, add and sort with code. Keep the evidence: the exact lines your answer rests on."""),
    "verify": Profile(
        """\
Strategy: check twice
- When you have an answer, find it a second time by another way (another expression, another split, a child by \
`rlm_query`), compare, and settle any difference before you answer.""",
        verify=True,
    ),
}
"""The strategy profiles by the names of the setting `profile`."""
