"""The turns of a conversation: which cell comes next, and one sentence that says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...engine.prompt import SYSTEM
from . import cards, conversation, drill, pieces, questions, table_code, text_code, texts
from .words import literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .cards import Facts
    from .conversation import Situation

__all__ = ["SHAPES", "reply"]

SHAPES = """\
tables: a DataFrame, a list of dicts, a Series or a list of numbers
    count          How many rows are there?  How many rows with dep_delay over 60?  How many columns are there?
    one number     What is the total / average / median / highest / lowest distance?
    per group      Average distance per carrier.  How many rows per origin?
    ranked groups  Which carrier has the highest average dep_delay?  Top 5 dest by number of rows.
    ranked rows    Which row has the longest air_time?
    distinct       How many distinct carriers are there?  List the distinct origins.
    conditions     origin JFK · dep_delay over / under / at least / between 5 and 9 · month 1 or 2 · missing dep_time
text: a str, list or dict of str, file or folder, or a table with a column named text, body, content or the like
    count          How many times does "error" occur?  How many documents mention X?  How many lines are there?
    place          Which file defines class X?  Where is X mentioned?
    list           List all email addresses / URLs / years / dates / classes / functions / names after 'class '.
    fact           What is the secret code?
    after          What comes after "KEY:"?
anything with a length
    fire drill     What survives a runaway cell?"""
"""The question shapes that are understood, with examples."""

_KNOWN = (
    "counts, totals, averages, medians, highest and lowest values, groups, rankings, conditions and different values "
    "of a table; counting, placing and listing words, and finding a stated fact, in text"
)
_LOOK = "I look at a small part first."
_LONGEST = 2000
_PARTS_OF_A_TEXT = ("line", "paragraph", "word", "character")
_TEXT_FIELDS = ("text", "body", "content", "document", "message", "description", "review", "comment", "abstract")


@dataclass(frozen=True, slots=True)
class _Step:
    """One turn: a sentence and a cell."""

    prose: str
    code: str


def reply(messages: Sequence[Mapping[str, str]]) -> str:
    """Return the next message of the conversation: a pure function of the messages, which never raises."""
    first = messages[0] if messages else {}
    if first.get("role") != "system" or not str(first.get("content")).startswith(SYSTEM):
        last = messages[-1].get("content") if messages else ""
        return pieces.reply(str(last or ""))
    situation = conversation.read(messages)
    step = _next(situation)
    return f"{step.prose}\n\n```repl\n{step.code}\n```"


def _next(situation: Situation) -> _Step:
    if situation.failed > 1:
        return _say("Two cells failed, so I stop here.", "I could not compute this: two of my cells failed.")
    plan = _plan(situation)
    at = min(situation.done, len(plan) - 1)
    if not situation.last_turn or at == len(plan) - 1:
        return plan[at]
    rest = plan[at:]
    return _Step(rest[-1].prose, "\n".join(step.code for step in rest))


def _plan(situation: Situation) -> list[_Step]:
    """Return all turns of the way to the answer, as far as it can be seen from here."""
    if len(situation.question) > _LONGEST:
        return [_decline(f"it has more than {_LONGEST:,} characters")]
    if situation.several:
        return [_decline("it is about several contexts, and I can read only one")]
    if drill.asked(situation.question):
        return [_Step(prose, code) for prose, code in drill.steps(situation.failed)]
    facts = cards.read(situation.card)
    if facts.kind in ("frame", "records", "values"):
        reading = questions.read(
            situation.question, facts, situation.alias, situation.found, last=situation.done + situation.failed > 0
        )
        if reading.query is not None:
            again = "That failed; I read the column as numbers where possible. " if situation.failed else ""
            code = table_code.compute(reading.query, facts, simple=situation.failed > 0)
            prose = f"{again}{reading.note} Now I compute the answer over all rows.".strip()
            return [_Step(_LOOK, table_code.look(facts, ())), _Step(prose, code)]
        field = _text_field(facts)
        task = texts.read(situation.question) if field else None
        if task is not None and task.kind != "units":
            return _text_plan(situation, facts, task, field)
        decline = _decline(reading.problem)
        if reading.unknown:
            looking = f"{_LOOK} I also check whether the words I do not know are values in it."
            return [_Step(looking, table_code.look(facts, reading.unknown)), decline]
        return [decline]
    task = texts.read(situation.question)
    if facts.kind == "other":
        return [_decline("I work on tables and texts, and this is neither")]
    if task is None:
        return [_decline("it has none of the forms I know")]
    if facts.kind in ("text", "file") and task.unit not in ("", *_PARTS_OF_A_TEXT):
        return [_decline(f"this is one text, and I cannot tell its {task.unit}s apart")]
    return _text_plan(situation, facts, task, "")


def _text_plan(situation: Situation, facts: Facts, task: texts.Task, field: str) -> list[_Step]:
    again = situation.failed > 0
    cells = text_code.steps(task, facts.kind, situation.question, simple=again)
    first = "That failed; I ask about one piece at a time. " if again else ""
    if len(cells) == 1:
        prose = [f"{first}Code can tell this exactly, so I let it."]
    else:
        prose = [
            f"{first}I ask the sub model about each piece that can matter.",
            "I check the replies against the text and put them together.",
        ]
    turns = [_Step(words, code) for words, code in zip(prose, cells, strict=True)]
    return [_Step(_LOOK, text_code.look(facts.kind, field)), *turns]


def _text_field(facts: Facts) -> str:
    """Return the column that holds free text, known by its name; empty if there is none."""
    return next((c.name for c in facts.columns if c.textual and c.name.lower() in _TEXT_FIELDS), "")


def _decline(reason: str) -> _Step:
    return _say(
        "I am rule-based and say so rather than guess.",
        f"I can't read that question: {reason}. I am rule-based, not a language model; I understand {_KNOWN}. "
        "Configure a model for open questions.",
    )


def _say(prose: str, sentence: str) -> _Step:
    return _Step(prose, f'answer["content"] = {literal(sentence)}\nanswer["ready"] = True')
