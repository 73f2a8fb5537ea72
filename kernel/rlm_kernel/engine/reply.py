"""Reading a model's reply: the code blocks it wants run.

The reply is Markdown, so a Markdown parser finds the fences: backticks or tildes, any length, indented or not, in
lists too. What is quoted (`>`) is talk about code, not code, and a fence in another language is not ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["Reply", "parse_reply"]

_RUNS = {"", "repl", "python", "python3", "py", "ipython", "pycon"}
_markdown = MarkdownIt("zero").enable(["fence", "list", "blockquote"])


@dataclass(frozen=True, slots=True)
class Reply:
    """The blocks to run, in order; `unclosed` if the last fence never ends and so was left out."""

    blocks: list[str]
    unclosed: bool = False


def parse_reply(text: str) -> Reply:
    """Return the code blocks of a reply. Any text is fine; nothing is raised."""
    lines = text.splitlines()
    blocks, unclosed, quoted = [], False, 0
    for token in _markdown.parse(text):
        if token.type in ("blockquote_open", "blockquote_close"):
            quoted += token.nesting
        if token.type != "fence" or quoted or _language(token) not in _RUNS or not token.content.strip():
            continue
        if _is_closed(token, lines):
            blocks.append(token.content)
        else:
            unclosed = True
    return Reply(blocks, unclosed)


def _language(token: Token) -> str:
    words = token.info.strip().strip("{}.").split()
    return words[0].lower() if words else ""


def _is_closed(token: Token, lines: list[str]) -> bool:
    """Tell whether a fence ends with its own marker, not with the end of the text (CommonMark 4.5)."""
    if token.map is None:
        return False
    first, end = token.map
    last = lines[min(end, len(lines)) - 1].strip() if lines else ""
    return end - 1 > first and set(last) == {token.markup[0]} and len(last) >= len(token.markup)
