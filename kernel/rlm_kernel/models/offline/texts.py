"""A question about text, read into a `Task`: count mentions, count units, name places, list items, find a fact."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .items import wanted
from .words import IN_IT, content_words

__all__ = ["Task", "read"]

Kind = Literal["mentions", "units", "unit_mentions", "places", "defines", "after", "list", "find"]
"""How often; how many units; how many units with; where; where defined; the word after; all items; one fact."""

_PLACE = r"(?:document|doc|file|page|text|module|article|message|item|entr(?:y|ie)|record|row)"
_PART = rf"(?:{_PLACE}|line|paragraph)"
_UNIT = rf"(?:{_PART}|word|character)"
_SAY = r"(?:do |does )?(?:mention|contain|include|use|say|have|has|talk about|refer to|import)s?"
_SEEN = r"(?:mentioned|used|found|appear|occur|come up)\w*"
_ARE_THERE = r"(?: (?:are|is) there| do(?:es)? (?:it|they) have)?"
_END = re.compile(rf"{_ARE_THERE}{IN_IT}\s*[?.!]*$", re.IGNORECASE)
_LEAD = re.compile(r"^(?:the |an? )?(?:(?:words?|term|phrase|name|string|class|function) (?=\S))?", re.IGNORECASE)
_QUOTED = re.compile(r"""["“]([^"”]+)["”]|`([^`]+)`|'([^']+)'""")
_COMPOUND = frozenset({"after", "and", "before", "both", "but", "either", "in", "nor", "not", "or", "than", "without"})


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with the text; `exact` means that `term` was quoted: then case counts.

    `many` says that the question's noun is plural; `words` are what a fact is about.
    """

    kind: Kind
    term: str = ""
    unit: str = ""
    exact: bool = False
    many: bool = False
    words: tuple[str, ...] = ()


def read(question: str) -> Task | None:
    """Read a question about text; `None` if it is in no known form, or says more than its form has room for."""
    asked = " ".join(question.split())
    for form, kind in _FORMS:
        match = form.fullmatch(asked)
        if match:
            said = match.groupdict()
            term, exact = _term(said.get("term") or "")
            unit = (said.get("unit") or "").lower()
            task = Task(kind, term, unit.removesuffix("s"), exact, many=unit.endswith("s"))
            return task if kind == "units" or (term and (exact or kind != "after")) else None
    if wanted(asked):
        return Task("list")
    words = tuple(content_words(asked))
    return Task("find", words=words) if words and _FACT.fullmatch(asked) else None


def _term(text: str) -> tuple[str, bool]:
    """Return what is looked for and whether it was quoted; nothing if it is more than one word or phrase."""
    plain = _LEAD.sub("", _END.sub("", text)).strip(" ?.!,")
    quoted = _QUOTED.fullmatch(plain)
    if quoted:
        return next(group for group in quoted.groups() if group), True
    compound = any(mark in plain for mark in '"“”`,;') or _COMPOUND & set(plain.lower().split())
    return ("" if compound else plain), False


def _form(text: str) -> re.Pattern[str]:
    return re.compile(rf"{text}\s*[?.!]*", re.IGNORECASE)


_FORMS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (_form(rf"how (?:many times|often) (?:is|are|does|do|did|was|were) (?P<term>.+?) {_SEEN}{IN_IT}"), "mentions"),
    (_form(r"(?:how many|what is the number of|count(?: the)?) (?:mention|occurrence)s of (?P<term>.+)"), "mentions"),
    (_form(rf"how many (?P<unit>{_PART}s) {_SAY} (?P<term>.+)"), "unit_mentions"),
    (_form(rf"how many (?P<unit>{_UNIT}s){_ARE_THERE}{IN_IT}"), "units"),
    (_form(rf"(?:which|what) (?P<unit>{_PLACE}s?) (?:do |does )?(?:define|implement)s? (?P<term>.+)"), "defines"),
    (_form(rf"(?:which|what) (?P<unit>{_PART}s?) {_SAY} (?P<term>.+)"), "places"),
    (_form(rf"where (?:is|are) (?P<term>.+?) (?:defined|implemented){IN_IT}"), "defines"),
    (_form(rf"what (?:comes|stands|follows) (?:right |directly )?(?:after|behind) (?P<term>.+?){IN_IT}"), "after"),
    (_form(rf"where (?:is|are|does|do) (?P<term>.+?) {_SEEN}{IN_IT}"), "places"),
)
_FACT = _form(
    r"(?:please )?(?:what|who|whose|when|where|which|how (?:much|long|old|far|tall)|tell me|look up"
    r"|(?:find|give me) (?!all|every)).*"
)
