"""A question about text, read into a `Task`: count mentions, count units, name places, list items, find a fact."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .items import item_pattern
from .words import content_words

__all__ = ["Task", "read"]

_UNITS = "document|doc|file|page|text|module|article|message|chapter|item|entry|entrie|record|row|line|paragraph|word|character"
_PLACES = "document|doc|file|page|text|module|article|message|chapter|item|entry|entrie|record|row"
_SAY = "mention|contain|include|use|say|have|has|talk about|refer to"
_TAIL = re.compile(
    r"\s+(?:(?:are|is|was|were)\s+)?(?:there|mentioned|used|found|appear|occur|come up)?\s*"
    r"(?:in|of|across|within)?\s*(?:all\s+)?(?:the|this|these|my)?\s*"
    r"(?:text|document|file|context|data|corpus|code|source)?s?\s*[?.!]*$",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"""["“]([^"”]+)["”]|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)""")


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with the text.

    `kind` is `mentions` (how often `term` occurs), `units` (how many `unit` there are), `unit_mentions` (how many
    `unit` have `term`), `places` (which documents or lines have `term`), `defines` (which define it), `list` (all
    items) or `find` (a fact). `exact` means that `term` was quoted: case counts.
    """

    kind: Literal["mentions", "units", "unit_mentions", "places", "defines", "list", "find"]
    term: str = ""
    unit: str = ""
    exact: bool = False
    words: tuple[str, ...] = ()


def read(question: str) -> Task | None:
    """Read a question about text; `None` if it is in no known form."""
    asked = " ".join(question.split())
    for pattern, kind in _FORMS:
        match = pattern.match(asked)
        if match:
            parts = match.groupdict()
            term, exact = _term(parts.get("term") or "")
            unit = (parts.get("unit") or "").lower()
            if kind == "units" or term:
                return Task(kind, term, unit.removesuffix("s"), exact)
    if _LIST.match(asked):
        return Task("list") if item_pattern(asked) else None
    words = tuple(content_words(asked))
    return Task("find", words=words) if words and _FIND.match(asked) else None


def _term(text: str) -> tuple[str, bool]:
    """Return what is looked for, and whether it was quoted."""
    quoted = _QUOTED.search(text)
    if quoted:
        return next(group for group in quoted.groups() if group), True
    plain = _TAIL.sub("", f"{text} ").strip(" ?.!,")
    plain = re.sub(r"^(?:the|a|an)\s+", "", plain, flags=re.IGNORECASE)
    return re.sub(
        r"^(?:word|words|term|phrase|name|string|class|function)\s+(?=\S)", "", plain, flags=re.IGNORECASE
    ), False


def _form(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_FORMS: tuple[tuple[re.Pattern[str], Literal["mentions", "units", "unit_mentions", "places", "defines"]], ...] = (
    (
        _form(
            r"how (?:many times|often) (?:is|are|does|do|did|was|were)?\s*(?P<term>.+?)\s*(?:appear|occur|mentioned|used|found|come up)\w*\b.*$"
        ),
        "mentions",
    ),
    (
        _form(
            r"(?:how many|what is the number of|count(?: the)?) (?:mentions|occurrences|appearances) of (?P<term>.+)$"
        ),
        "mentions",
    ),
    (
        _form(rf"how many (?:of the )?(?P<unit>(?:{_UNITS})s?) (?:do |does )?(?:{_SAY})s? (?P<term>.+)$"),
        "unit_mentions",
    ),
    (
        _form(rf"how many (?P<unit>(?:{_UNITS})s?)(?: (?:are|does|do|is|has|have)\b.{{0,40}}| in .{{0,40}})?\s*\??$"),
        "units",
    ),
    (_form(rf"(?:which|what) (?:{_PLACES})s? (?:do |does )?(?:define|implement)s? (?P<term>.+)$"), "defines"),
    (
        _form(rf"(?:which|what) (?P<unit>(?:{_PLACES}|line)s?) (?:do |does )?(?:{_SAY}|import)s? (?P<term>.+)$"),
        "places",
    ),
    (_form(r"where (?:is|are) (?P<term>.+?) (?:defined|implemented)\b.*$"), "defines"),
    (_form(r"where (?:is|are|does|do) (?P<term>.+?) (?:mentioned|used|found|appear|occur)\w*\b.*$"), "places"),
)
_LIST = _form(r"(?:please )?(?:list|find all|find every|show|extract|collect|name|give me|what are|which)\b.*$")
_FIND = _form(
    r"(?:please )?(?:what|who|whose|when|where|which|how much|how long|how old|find|tell me|give me|look up)\b.*$"
)
