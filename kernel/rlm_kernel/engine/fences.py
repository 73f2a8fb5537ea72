"""Where a reply has code and where it has thoughts: the fences of Markdown (CommonMark 4.5), read with tolerance.

Models put fences anywhere: indented, in lists, after a colon, with code on the fence line, the closing one glued to
the last line of code. In Python, backticks can only be part of a string or a comment, so a fence there closes nothing
if the block is valid Python with the lines after it. What is quoted (`>`) is talk, and what a model thinks (`<think>`)
is not for us. The work is bounded: reading a megabyte of anything takes about a second.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from .syntax import parse

__all__ = ["RUNNABLE", "Fence", "scan"]

RUNNABLE = frozenset({"", "repl", "python", "python3", "py", "py3", "ipython", "ipython3", "pycon"})
"""Labels of the fences whose code is run, in lower case."""

_LOOKAHEAD = 100_000
"""Characters of a block in which strings are looked through."""
_PATIENCE = 8
"""Fences in strings that are looked past in one reply: each look may cost the whole lookahead."""
_MARK = re.compile(
    r"""
      (?:^|(?P<after>(?<=</think>)|(?<=</thinking>)))
      (?: [ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)* (?P<fence>`{3,}|~{3,}) (?P<info>[^\n]*)
        | [ \t]*(?P<think><think(?:ing)?>) )
    | ^(?!(?:[ \t]|[-*+]|\d{1,9}[.)])*+>)[^\n`]* (?P<late>`{3,}) (?P<word>[ \t]*[\w+\#{}.-]*[ \t]*)$
    | (?P<thought>^[ \t]*</think(?:ing)?> | </think(?:ing)?>[ \t]*$)
    """,
    re.MULTILINE | re.IGNORECASE | re.VERBOSE,
)
_THOUGHT = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_LABEL = re.compile(r"\A[\s{.]*([\w+#-]*)}*[ \t]*")
_ATTRIBUTES = re.compile(r"[{\[(:.,]|[\w-]+=\S+(?:\s+[\w-]+=\S+)*\s*$|[\w./-]*\s*$")
_PYTHON = re.compile(
    r'''
      \\.
    | \#[^\n]*
    | """(?:[^"\\]|\\.|"(?!""))*+"""
    | \'\'\'(?:[^'\\]|\\.|'(?!''))*+\'\'\'
    | "(?:[^"\\\n]|\\.)*+"
    | '(?:[^'\\\n]|\\.)*+'
    | (?P<fence>`{3,}|~{3,})[ \t]*$
    ''',
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block: its label in lower case, what is in it, and from where to where in the text it stands."""

    label: str
    body: str
    start: int
    end: int
    closed: bool


def scan(text: str) -> tuple[list[Fence], list[tuple[int, int]]]:
    r"""Return the fences of `text`, whose lines end in `\n`, and the spans (start, end) of the model's thoughts."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._patience = _PATIENCE

    def scan(self) -> tuple[list[Fence], list[tuple[int, int]]]:
        fences: list[Fence] = []
        thoughts: list[tuple[int, int]] = []
        at = resumed = 0
        while mark := _MARK.search(self._text, at):
            at = mark.end()
            if mark["thought"]:  # the opening tag was in the prompt: all so far is thought
                fences, thoughts, resumed = [], [(0, at)], at
            elif mark["after"] is not None and mark.start() != resumed:
                continue  # a closing tag that somebody quotes
            elif mark["think"]:
                end = _THOUGHT.search(self._text, at)
                at = resumed = end.end() if end else len(self._text)
                thoughts.append((mark.start(), at))
            elif fence := self._fence(mark):
                fences.append(fence)
                at = fence.end
        return fences, thoughts

    def _fence(self, mark: re.Match[str]) -> Fence | None:
        group, info = ("fence", mark["info"]) if mark["fence"] else ("late", mark["word"])
        marker, start = mark[group], mark.start(group)
        label, rest = _LABEL.split(info, maxsplit=1)[1:]
        label = label.lower()
        if marker[0] == "`" and "`" in info:
            return _one_line(label, rest.rstrip(), marker, mark)
        begin = min(mark.end() + 1, len(self._text))
        close = self._close(begin, marker, label)
        body = self._text[begin : close.start("fence") if close else None]
        if close and body[body.rfind("\n") + 1 :].isspace():
            body = body[: body.rfind("\n") + 1]  # the indentation of the closing fence
        if mark.start() < start:
            body = textwrap.dedent(body)
        if rest and label in RUNNABLE and not _ATTRIBUTES.match(rest) and parse(f"{rest}\n{body}"):
            body = f"{rest}\n{body}"
        return Fence(label, body, start, close.end() if close else len(self._text), closed=close is not None)

    def _close(self, begin: int, marker: str, label: str) -> re.Match[str] | None:
        """Find the closing fence, the same character at least as often; glued to text only where that is Python."""
        alone = "" if label in RUNNABLE else r"^[ \t]*"
        closing = re.compile(rf"{alone}(?P<fence>{marker[0]}{{{len(marker)},}})[ \t]*$", re.MULTILINE)
        first = closing.search(self._text, begin)
        if first is None or label not in RUNNABLE or not self._patience:
            return first
        tokens = _PYTHON.finditer(self._text, begin, begin + _LOOKAHEAD)
        hiding = next((token for token in tokens if token.end() > first.start("fence")), None)
        if hiding is None or hiding["fence"]:
            return first
        self._patience -= 1
        later = next((token for token in tokens if (token["fence"] or "").startswith(marker)), None)
        return later if parse(self._text[begin : later.start() if later else None]) else first


def _one_line(label: str, rest: str, marker: str, mark: re.Match[str]) -> Fence | None:
    """Return the fence that opens and closes on one line; anything else with backticks after it is inline code."""
    code = rest.rstrip("`")
    if label and label in RUNNABLE and len(rest) - len(code) >= len(marker) and parse(code):
        return Fence(label, code, mark.start("fence"), mark.end(), closed=True)
    return None
