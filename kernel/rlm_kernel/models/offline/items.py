"""What "list all …" can ask for, each as a pattern of which group 1 is the item."""

from __future__ import annotations

import re

__all__ = ["item_hint", "item_pattern", "items"]

_QUOTED = r"""(?:["“](?P<double>[^"”]+)["”]|`(?P<back>[^`]+)`|(?<!\w)'(?P<single>[^']+)'(?!\w))"""
_AFTER = re.compile(
    rf"\b(?:names?|words?|values?|text) (?:that (?:come|follow)s? )?(?:after|following) (?:the word )?{_QUOTED}",
    re.IGNORECASE,
)
_LINES = re.compile(
    rf"\blines? (?:that )?(?:contain|mention|includ|us|hav|with)\w* (?:the word )?{_QUOTED}", re.IGNORECASE
)
_USING = re.compile(
    rf"\b(?P<what>functions?|methods?|classes) (?:that |which )?(?:mention|contain|use|call|raise|return)s? (?:the word )?(?:{_QUOTED}|(?P<plain>\w+))",
    re.IGNORECASE,
)
_KINDS = (
    (r"e-?mails?(?: address(?:es)?)?", r"([\w.+-]+@[\w-]+(?:\.[\w-]+)+)", "@"),
    (r"urls?|links?|web address(?:es)?", r"(https?://[^\s<>\"')\]]*[^\s<>\"')\].,;:])", "://"),
    (r"years?", r"\b((?:1[5-9]|20)\d\d)\b", ""),
    (r"dates?", r"\b(\d{4}-\d\d-\d\d)\b", "-"),
    (r"classes|class names", r"(?m)^[ \t]*class[ \t]+(\w+)", "class "),
    (r"functions?(?: names)?|methods?", r"(?m)^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)", "def "),
    (r"imports|imported modules", r"(?m)^[ \t]*(?:import|from)[ \t]+([\w.]+)", "import"),
    (r"constants", r"(?m)^([A-Z][A-Z0-9_]+)[ \t]*=", "="),
    (r"hashtags?", r"(?<!\w)#(\w+)", "#"),
)
_FRAME = r"(?:please )?(?:list|find|show|extract|collect|name|give me|what are|which)\s*(?:me\s+)?(?:all|every|each)?\s*(?:of\s+)?(?:the\s+)?(?:distinct |unique |different )?"
_TAIL = (
    r"(?: (?:are |is )?(?:defined|mentioned|named|used|there|found))?(?: in (?:the |this |these |all )*\w+)?\s*[?.!]*$"
)
_BLOCK = re.compile(r"(?m)^([ \t]*)(?:async[ \t]+)?(def|class)[ \t]+(\w+)")


def item_pattern(question: str) -> str | None:
    """Return the pattern of the items a question asks for, `None` if it is none of the known kinds."""
    asked = " ".join(question.split())
    for form, build in ((_AFTER, r"{}[ \t:=]*([\w.-]*\w)"), (_LINES, r"(?m)^[ \t]*([^\n]*{}[^\n]*?)[ \t]*$")):
        match = form.search(asked)
        if match:
            return build.format(re.escape(_quoted(match)))
    using = _USING.search(asked)
    if using:
        return re.escape(_quoted(using) or using["plain"])
    for kind, pattern, _ in _KINDS:
        if re.match(rf"{_FRAME}(?:{kind}){_TAIL}", asked, re.IGNORECASE):
            return pattern
    return None


def item_hint(question: str) -> str:
    """Return a text that every piece with an item must contain, empty if there is none."""
    asked = " ".join(question.split())
    for form in (_AFTER, _LINES, _USING):
        match = form.search(asked)
        if match:
            return _quoted(match) or match["plain"]
    return next((hint for kind, _, hint in _KINDS if re.match(rf"{_FRAME}(?:{kind}){_TAIL}", asked, re.IGNORECASE)), "")


def items(question: str, text: str) -> list[str]:
    """Return the items a text has, each once, in order."""
    asked = " ".join(question.split())
    pattern = item_pattern(asked)
    using = _USING.search(asked)
    if pattern is None:
        return []
    if using:
        keyword = "class" if using["what"].lower().startswith("class") else "def"
        return list(
            dict.fromkeys(name for kind, name, body in _blocks(text) if kind == keyword and re.search(pattern, body))
        )
    return list(dict.fromkeys(match[1] for match in re.finditer(pattern, text)))


def _quoted(match: re.Match[str]) -> str:
    return match["double"] or match["back"] or match["single"] or ""


def _blocks(text: str) -> list[tuple[str, str, str]]:
    """Return kind, name and body of every definition; a body ends at the next line that is indented no deeper."""
    found = []
    for match in _BLOCK.finditer(text):
        end = re.compile(rf"(?m)^(?!{match[1]}[ \t])[ \t]*[^\s#)\]}}]").search(text, match.end())
        found.append((match[2], match[3], text[match.end() : end.start() if end else len(text)]))
    return found
