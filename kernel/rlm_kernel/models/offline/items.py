"""What "list all …" can ask for: known kinds of item, what follows a word, lines or definitions that hold a word."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .words import IN_IT

__all__ = ["Wanted", "wanted"]

_ALL = (
    r"(?:please )?(?:list|find|show|extract|collect|name|give me|what are|which)\s*(?:me\s+)?"
    r"(?:all|every|each)?\s*(?:of\s+)?(?:the\s+)?(?:distinct |unique |different )?"
)
_TAIL = rf"(?: (?:are |is )?(?:defined|mentioned|named|used|there|found))?{IN_IT}\s*[?.!]*$"

_QUOTED = r"""(?:["“](?P<double>[^"”]+)["”]|`(?P<back>[^`]+)`|(?<!\w)'(?P<single>[^']+)'(?!\w))"""
_SAY = r"(?P<say>mention|contain|include|use|call|raise|return)s?"


def _form(text: str) -> re.Pattern[str]:
    return re.compile(_ALL + text + _TAIL, re.IGNORECASE)


_AFTER = _form(rf"(?:names?|words?|values?) (?:that (?:come|follow)s? )?(?:after|following) (?:the word )?{_QUOTED}")
_LINES = _form(rf"lines? (?:(?:that )?{_SAY}|with) (?:the word )?{_QUOTED}")
_DEFINITIONS = _form(rf"(?P<what>function|method|classe?)s? (?:that |which )?{_SAY} (?:{_QUOTED}|(?P<plain>\w+))")
_KINDS = (
    (r"e-?mails?(?: address(?:es)?)?", r"(?<![\w.+-])([\w.+-]+@[\w-]+(?:\.[\w-]+)+)", "@"),
    (r"(?:urls?|links?|web address(?:es)?)", r"(https?://[^\s<>\"')\]]*[^\s<>\"')\].,;:])", "://"),
    (r"years?", r"\b((?:1[5-9]|20)\d\d)\b", ""),
    (r"dates?", r"\b(\d{4}-\d\d-\d\d)\b", "-"),
    (r"class(?:es| names)", r"(?m)^[ \t]*class[ \t]+(\w+)", "class "),
    (r"(?:functions?|methods?)(?: names)?", r"(?m)^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)", "def "),
    (r"(?:imports|imported modules)", r"(?m)^[ \t]*(?:import|from)[ \t]+([\w.]+)", "import"),
    (r"constants", r"(?m)^([A-Z][A-Z0-9_]+)[ \t]*=", "="),
    (r"hashtags?", r"(?<!\w)#(\w+)", "#"),
)
_USES = {
    "call": r"(?<!\w){}\(",
    "raise": r"\braise\s+(?:\w+\.)*{}(?!\w)",
    "return": r"\breturn\b[^\n]*(?<!\w){}(?!\w)",
}
_BLOCK = re.compile(r"(?m)^([ \t]*)(?:async[ \t]+)?(def|class)[ \t]+(\w+)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is of: `pattern` has the item as its group 1, or with `block` is what a definition must hold.

    `hint` is a text that every piece with an item must contain, empty if there is none.
    """

    pattern: str
    hint: str
    block: str = ""

    def items(self, text: str) -> list[str]:
        """Return the items that a text has, each once, in order."""
        if self.block:
            holding = (
                name for kind, name, body in _blocks(text) if kind == self.block and re.search(self.pattern, body)
            )
            return list(dict.fromkeys(holding))
        return list(dict.fromkeys(match[1] for match in re.finditer(self.pattern, text)))


def wanted(question: str) -> Wanted | None:
    """Return what a question asks to list, `None` if that is of no known kind."""
    asked = " ".join(question.split())
    if match := _AFTER.match(asked):
        word = _quoted(match)
        return Wanted(rf"{re.escape(word)}[ \t:=]*([\w.-]*\w)", word)
    if match := _LINES.match(asked):
        word = _quoted(match)
        return Wanted(rf"(?m)^[ \t]*([^\n]*{re.escape(word)}[^\n]*?)[ \t]*$", word)
    if match := _DEFINITIONS.match(asked):
        word = _quoted(match) or match["plain"]
        use = _USES.get(match["say"].lower(), r"(?<!\w){}(?!\w)").format(re.escape(word))
        return Wanted(use, word, "class" if match["what"].lower().startswith("class") else "def")
    for kind, pattern, hint in _KINDS:
        if re.match(_ALL + kind + _TAIL, asked, re.IGNORECASE):
            return Wanted(pattern, hint)
    return None


def _quoted(match: re.Match[str]) -> str:
    return match["double"] or match["back"] or match["single"] or ""


def _blocks(text: str) -> list[tuple[str, str, str]]:
    """Return kind, name and body of every definition; a body ends at the next line that is indented no deeper."""
    found = []
    for match in _BLOCK.finditer(text):
        end = re.compile(rf"(?m)^(?!{match[1]}[ \t])[ \t]*[^\s#)\]}}]").search(text, match.end())
        found.append((match[2], match[3], text[match.end() : end.start() if end else len(text)]))
    return found
