"""Words of a question: tokens, plurals, and the small words that carry no meaning of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "FILLER",
    "IN_IT",
    "NOUNS",
    "Token",
    "content_words",
    "literal",
    "name_words",
    "raw_literal",
    "stem",
    "tokens",
]

_TOKEN = re.compile(
    r"""["“](?P<double>[^"“”\n]{1,200})["”]|`(?P<back>[^`\n]{1,200})`|(?<!\w)'(?P<single>[^'\n]{1,200})'(?!\w)"""
    r"""|(?P<number>(?<!\w)-?\d[\d,]{0,30}(?:\.\d{1,30})?(?!\w))|(?P<symbol>[<>=!]=?|%)|(?P<word>\w+)""",
)

_SMALL = frozenset(
    """
    a about all am among an and any are at be been by can context could did do does doing done each find for from
    get had has have having i in is it its me of on our overall please s show tell that the their them there these
    this those to us was we were what when where which who whose will with would you
    """.split()  # noqa: SIM905 - a page of quotes and commas reads worse than the words
)
_NEUTRAL = frozenset(
    """
    contain contained contains data dataframe dataset depart departed departing exist exists flew flies flown fly
    flying gave give given go goes going gone leave leaves leaving left list made make names operate operated sold
    table value values went
    """.split()  # noqa: SIM905
)
FILLER = _SMALL | _NEUTRAL
"""Words that may stand in a question about a table without changing what is asked: its rows left, went, were sold."""
NOUNS = frozenset({"context", "data", "left", "list", "made", "sold", "table", "value"})
"""Those of them that may also be the name of a column."""

IN_IT = (
    r"(?: in (?:(?:the|this|these|all|my|of) )*(?:text|document|file|context|corpus|code|data|source|list|total)s?)?"
)
"""A pattern for the words that say "in all of it", and for nothing narrower."""

_QUESTION = frozenset(["answer", "does", "exactly", "explain", "how", "much", "name", "say", "says", "state", "text"])


@dataclass(slots=True)
class Token:
    """One word, number, symbol or quoted phrase; `role` is what it was understood as, empty while it is not."""

    text: str
    kind: str
    role: str = ""

    @property
    def low(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @property
    def number(self) -> int | float:
        """The value of a number token."""
        plain = self.text.replace(",", "")
        return float(plain) if "." in plain else int(plain)


def tokens(text: str) -> list[Token]:
    """Split a question; quoted phrases of up to 200 characters stay together."""
    found = []
    for match in _TOKEN.finditer(text[:2000]):
        kind = match.lastgroup or "word"
        quoted = kind in ("double", "back", "single")
        found.append(Token(match[kind], "quoted" if quoted else kind))
    return found


def stem(word: str) -> str:
    """Return a word in lower case and singular, by the regular endings only."""
    low = word.lower()
    if len(low) > 4 and low.endswith("ies"):
        return low[:-3] + "y"
    if len(low) > 4 and low.endswith(("sses", "xes", "ches", "shes")):
        return low[:-2]
    return low[:-1] if len(low) > 3 and low.endswith("s") and not low.endswith(("ss", "us", "is")) else low


def name_words(name: str) -> list[str]:
    """Split a column's name into stems: `dep_delay`, `depDelay` and `Dep. delay` give the same."""
    return [stem(part) for part in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])|\d+", name)] or [name.lower()]


def content_words(question: str) -> list[str]:
    """Return what the question is about: its words in lower case without the small ones, quoted phrases whole."""
    plain = [t.low for t in tokens(question) if t.kind != "symbol"]
    return list(dict.fromkeys(word for word in plain if word not in _SMALL | _QUESTION))


def literal(value: object) -> str:
    """Return Python source for a value; no value can end the literal, nor the code fence around it."""
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    plain = isinstance(value, str) and value.isprintable() and not set(value) & set('"\\`')
    return f'"{value}"' if plain else repr(value).replace("`", "\\x60")


def raw_literal(pattern: str) -> str:
    """Return Python source for a regular expression, as a raw string where that can hold it."""
    plain = pattern.isprintable() and not set(pattern) & set('"`') and not pattern.endswith("\\")
    return f'r"{pattern}"' if plain else literal(pattern)
