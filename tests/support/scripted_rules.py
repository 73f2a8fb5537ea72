r"""A scripted model of rules: what a request says decides the reply, in whatever order requests come.

    with Rules() as rules, ScriptedModel(respond=rules) as server:
        rules.on("Which colour", "red")                      a part of the last message
        rules.on(re.compile(r"piece (\d+)"), "none")         a pattern in it
        rules.on(lambda body: len(body["messages"]) > 4, …)  anything about the request
        rules.once("hello", Raw.error(503, "busy"))          used up by its first request
        solve(…)

The first rule that fits replies; a reply may be a function of the request. At the end every rule must have been used,
and no request may have gone without one: both are errors of the test. `log` has what was asked, and of which rule.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .openai_server import Answer, Raw

__all__ = ["Asked", "Rules"]

Body = dict[str, Any]
When = str | re.Pattern[str] | Callable[[Body], bool]
Reply = Answer | Callable[[Body], Answer]


@dataclass
class _Rule:
    when: When
    reply: Reply
    once: bool
    used: int = 0

    def fits(self, body: Body) -> bool:
        said = str(body["messages"][-1]["content"])
        if isinstance(self.when, str):
            return self.when in said
        return bool(self.when.search(said) if isinstance(self.when, re.Pattern) else self.when(body))


@dataclass(frozen=True)
class Asked:
    """One request: its last message, and the number of the rule that replied, from 0; -1 if none fitted."""

    said: str
    rule: int


class Rules:
    """The rules, in order; give it to `ScriptedModel` as `respond`."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self.log: list[Asked] = []

    def on(self, when: When, reply: Reply) -> Rules:
        """Add a rule; return all of them."""
        self._rules.append(_Rule(when, reply, once=False))
        return self

    def once(self, when: When, reply: Reply) -> Rules:
        """Add a rule for one request."""
        self._rules.append(_Rule(when, reply, once=True))
        return self

    def __call__(self, body: Body) -> Answer:
        said = str(body["messages"][-1]["content"])
        with self._lock:
            fitting = (n for n, r in enumerate(self._rules) if not (r.once and r.used) and r.fits(body))
            number = next(fitting, -1)
            self.log.append(Asked(said, number))
            if number < 0:
                return Raw.error(400, "no rule of the script fits")
            self._rules[number].used += 1
        reply = self._rules[number].reply
        return reply(body) if callable(reply) else reply

    def __enter__(self) -> Rules:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return  # the test has failed already, for a better reason
        missed = [asked.said[-200:] for asked in self.log if asked.rule < 0]
        assert not missed, f"no rule for: {missed}"
        unused = [rule.when for rule in self._rules if not rule.used]
        assert not unused, f"rules that nothing used: {unused}"
