"""Python code as HTML, in inline colours that read on white and on black.

Few kinds of token have a colour; everything else keeps the page's own, so code looks at home in any theme.
"""

from __future__ import annotations

from html import escape

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

from .paint import BLUE, GREEN, GREY, ORANGE, VIOLET, tag

__all__ = ["python_html"]

_COLOURS = (
    (Comment, GREY),
    (Keyword, VIOLET),
    (Operator.Word, VIOLET),
    (Name.Builtin, BLUE),
    (Number, ORANGE),
    (String, GREEN),
)
_LEXER = PythonLexer(stripnl=False, ensurenl=False)


def python_html(code: str) -> str:
    """Return escaped, coloured HTML of `code`, without a surrounding tag."""
    return "".join(_token(kind, text) for kind, text in _LEXER.get_tokens(code))


def _token(kind: object, text: str) -> str:
    colour = next((colour for family, colour in _COLOURS if kind in family), "")
    return tag("span", escape(text), f"color: {colour}") if colour else escape(text)
