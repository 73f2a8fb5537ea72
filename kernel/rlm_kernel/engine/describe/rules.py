"""What a model must not see: names whose values stay hidden, and patterns that are masked wherever they turn up.

    Rules.parse("salary, iban, /[0-9]{16}/")

hides the values of every column, key, field or attribute called `salary` or `iban`, in any mixture of capitals and at
any depth, and masks sixteen digits in a row in every excerpt. The names themselves are shown: without them no code
could be written. A name reaches no further than the structure does: `{"salary": 1}` inside a text is text, for which
there are patterns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["MASK", "Rules"]

MASK = "«hidden»"
"""What stands in the place of a hidden value."""

_RULE = re.compile(r"\s*(?:/(?P<pattern>(?:[^/\\]|\\.)+)/|(?P<name>[^,]*))\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Rules:
    """Parsed rules; `names` are in lower case."""

    names: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()

    @staticmethod
    @lru_cache(maxsize=16)
    def parse(text: str | None) -> Rules:
        """Return the rules that `text` holds: names and /patterns/ with commas between them, or none.

        Raises:
            re.error: a pattern is no regular expression.

        """
        found = list(_RULE.finditer(text or ""))
        names = frozenset(match["name"].strip().casefold() for match in found if match["name"])
        return Rules(names - {""}, tuple(re.compile(match["pattern"]) for match in found if match["pattern"]))

    def hides(self, name: object) -> bool:
        """Tell whether the values under `name` are hidden; of a name of several parts, one is enough."""
        if not self.names:
            return False
        if isinstance(name, tuple):
            return any(self.hides(part) for part in name)
        return isinstance(name, str) and name.strip().casefold() in self.names

    def mask(self, text: str) -> str:
        """Return `text` with a mask in the place of everything that a pattern matches."""
        for pattern in self.patterns:
            text = pattern.sub(MASK, text)
        return text
