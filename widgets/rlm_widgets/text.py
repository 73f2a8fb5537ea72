"""A run as plain text: for terminals, logs, diffs and readers that show no HTML.

The same facts as the static view in at most about sixty lines: answer, header, iterations with what went wrong, which
guards acted and what became of the variables, names.
"""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from .gathering import gather
from .words import counted, status_words

if TYPE_CHECKING:
    from rlm_kernel.trajectory.run import Run

    from . import facts as f

__all__ = ["plain_text"]

_WIDTH = 88
_ANSWER_LINES = 12
_ITERATIONS = 12
_CHANGES = 6
_MOST = 1_000_000  # more than the few texts of a page without cells can have
_OFFLINE = (
    "Not a language model: this answer comes from the embedded rule-based solver.\n"
    "To use a model: %%rlm model=… base_url=…, or set OPENAI_API_KEY, OPENAI_BASE_URL and RLM_MODEL."
)


def plain_text(run: Run) -> str:
    """Return the run as plain text, about sixty lines at most."""
    facts = gather(run, characters=600, items=_ITERATIONS, image_bytes=0, most=_MOST, cells=False)
    before = "\n".join(_cut(line, _WIDTH) for line in _of_engine(facts.guards, facts.asked))
    blocks = (_answer(facts), _header(facts), before, _iterations(facts.iterations), _end(facts))
    return "\n\n".join(filter(None, blocks))


def _answer(facts: f.Facts) -> str:
    if facts.answer is None:
        return "No answer"
    lines = facts.answer.text.split("\n")
    if len(lines) > _ANSWER_LINES:
        half = _ANSWER_LINES // 2
        note = f"… {counted(len(lines) - 2 * half, 'line')} not shown …"
        lines = [*lines[:half], note, *lines[-half:]]
    prefix = "Answer:" if facts.answer.final else "Draft:"
    return prefix + ("\n" if len(lines) > 1 else " ") + "\n".join(lines)


def _header(facts: f.Facts) -> str:
    state = status_words(facts.status)
    if facts.status != "answered" and facts.reason:
        state += f": {facts.reason}"
    if facts.answer is not None and facts.answer.verified:
        state += f" ({facts.answer.verified})"
    strip = " · ".join(f"{name} {value}" for name, value in facts.strip)
    spent = " · ".join(f"by {who} {used}" for who, used in facts.spent)
    lines = [state, fill(strip, _WIDTH), *([fill(f"spent {spent}", _WIDTH)] if spent else [])]
    return "\n".join([*lines, *([_OFFLINE] if facts.offline else [])])


def _iterations(listed: f.Listed[f.IterationFacts]) -> str:
    gap = [f"     … {counted(listed.left_out, 'iteration')} not shown …"] if listed.left_out else []
    return "\n".join([*map(_lines, listed.head), *gap, *map(_lines, listed.tail)])


def _lines(turn: f.IterationFacts) -> str:
    below = " · ".join(filter(None, [turn.trouble, _changes(turn.changes)]))
    lines = [*([below] if below else []), *_of_engine(turn.guards, turn.asked)]
    return "\n".join([_title(turn), *(f"      {_cut(line, _WIDTH - 6)}" for line in lines)])


def _of_engine(guards: f.Listed[f.GuardFacts], asked: f.Listed[f.AskedFacts]) -> list[str]:
    """Return one line for the guards, which has the detail if there is only one, and one for the engine's questions."""
    acted = guards.head + guards.tail
    names = ", ".join(dict.fromkeys(note.guard for note in acted))
    what = f"guard {names}: {acted[0].detail}" if guards.count == 1 else f"{guards.count:,} guards: {names}"
    questions = " · ".join(f"{a.what} {a.model}, {a.tokens}" for a in asked.head + asked.tail)
    return [*([what] if acted else []), *([questions] if questions else [])]


def _title(turn: f.IterationFacts) -> str:
    right = " · ".join(filter(None, [turn.notes, turn.mark, turn.given, turn.time]))
    room = _WIDTH - 7 - len(right)
    return f"{turn.number:>4}  {_cut(turn.title, room):<{room}} {right}"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _changes(listed: f.Listed[f.ChangeFacts]) -> str:
    first = (listed.head + listed.tail)[:_CHANGES]
    more = listed.count - len(first)
    words = [" ".join(filter(None, (change.sign, change.name, change.type, change.size))) for change in first]
    return " · ".join([*words, *([f"{more:,} more"] if more else [])])


def _end(facts: f.Facts) -> str:
    kept = ", ".join(f"{n.name} ({n.type})" for n in facts.kept.head + facts.kept.tail)
    lines = [f"Changed on the branch: {changes}"] if (changes := _changes(facts.changes)) else []
    lines += [f"Kept in the notebook: {kept}{_more(facts.kept)}"] if kept else []
    refused = facts.refused
    for name in (refused.head + refused.tail)[:5]:
        lines.append(f"Stayed behind: {name.name} ({name.type}): {name.detail}")
    if refused.count > 5:
        lines.append(f"Stayed behind: {refused.count - 5:,} more")
    return "\n".join(lines)


def _more(listed: f.Listed[f.NameFacts]) -> str:
    return f" and {listed.left_out:,} more" if listed.left_out else ""
