"""The look: a few inline styles and the tags that carry them.

Saved notebooks are opened where style sheets, scripts, ids and classes are taken away. So every tag says what
it means even without its style, and every style works on a white and on a black page: translucent fills,
inherited text, and six colours of middle lightness (contrast at least 4.2 to 1 on both).
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "LINE",
    "ORANGE",
    "RED",
    "VIOLET",
    "code",
    "fold",
    "label",
    "nowrap",
    "plain_dollars",
    "pre",
    "quote",
    "table",
    "tag",
]

GREEN = "#23895a"
ORANGE = "#b5651d"
RED = "#d64545"
BLUE = "#4078d6"
VIOLET = "#8a63d2"
GREY = "#777777"
LINE = "1px solid rgba(128, 128, 128, 0.28)"

_FILL = "rgba(128, 128, 128, 0.08)"
_QUOTE = (
    "margin: 0; padding: 0; background: transparent; border: 0; font-family: monospace; font-size: 12px; "
    "line-height: 1.45; "
    "max-height: 180px; overflow: auto; white-space: pre-wrap; overflow-wrap: break-word"
)
_CELL = "padding: 3px 18px 3px 0; text-align: left; vertical-align: top; border: 0"
_UNTYPESET = re.compile(r"(<(pre|code)\b.*?</\2>)|\$", re.DOTALL)
_HEAD = f"{_CELL}; font-size: 11px; font-weight: 400; white-space: nowrap; color: {GREY}"
_ROW = f"background: transparent; border: 0; border-top: {LINE}"


def tag(name: str, content: str, style: str = "") -> str:
    """Return an element around `content`, which is HTML already."""
    return f'<{name} style="{style}">{content}</{name}>' if style else f"<{name}>{content}</{name}>"


def plain_dollars(page: str) -> str:
    """Return a page whose dollar signs are money: two in one text would be typeset as a formula by notebooks.

    In an element of its own a sign has no partner. Code and preformatted text are never typeset.
    """
    return _UNTYPESET.sub(lambda match: match[1] or "<span>$</span>", page)


def label(text: str) -> str:
    """Return the small grey caption above a block."""
    return tag("div", escape(text), f"margin: 10px 0 3px; font-size: 11px; color: {GREY}; letter-spacing: 0.04em")


def pre(content: str, *, edge: str = "", wrap: bool = False) -> str:
    """Return a block of fixed-width text around HTML; `edge` is the colour of a rule on its left."""
    style = (
        f"margin: 0; padding: 7px 10px; background: {_FILL}; border: 0; border-radius: 3px; "
        f"font-family: monospace; font-size: 12px; line-height: 1.45; max-height: 360px; overflow: auto; "
    )
    style += "white-space: pre-wrap; overflow-wrap: break-word" if wrap else "white-space: pre"
    return tag("pre", content, f"{style}; border-left: 3px solid {edge}" if edge else style)


def quote(content: str) -> str:
    """Return text with its own line breaks, for use inside a table; content is HTML already."""
    return tag("pre", content, _QUOTE)


def code(content: str) -> str:
    """Return a name or an expression within a line, without the box some pages draw around it."""
    return tag("code", content, "padding: 0; background: transparent; font-size: 12px")


def nowrap(content: str) -> str:
    """Return content that stays on one line."""
    return tag("span", content, "white-space: nowrap")


def fold(summary: str, body: str, style: str = "") -> str:
    """Return a block that shows `summary` and opens on a click."""
    return tag("details", tag("summary", summary, "cursor: pointer; padding: 3px 0") + body, style)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a plain table; `heads` is text, cells are HTML already."""
    head = "".join(tag("th", escape(h), _HEAD) for h in heads)
    body = "".join(tag("tr", "".join(tag("td", c, _CELL) for c in row), _ROW) for row in rows)
    grid = f"<thead>{tag('tr', head, 'background: transparent; border: 0')}</thead><tbody>{body}</tbody>"
    return tag("table", grid, "margin: 4px 0; border: 0; border-collapse: collapse; font-size: 12px")
