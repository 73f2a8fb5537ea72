"""The fire drill: asked what survives a runaway cell, the solver writes one on purpose and reports.

It is there to be watched: a variable is made, a cell runs away and is killed, and the next cell finds everything as it
was before.
"""

from __future__ import annotations

import re

__all__ = ["asked", "steps"]

_ASKED = re.compile(r"\b(?:what|does anything) survives? (?:of )?a runaway cell\b", re.IGNORECASE)

_PREPARE = 'findings = {"size of the context": len(context)}\nprint(findings)'
_RUN_AWAY = """\
findings["spoiled"] = True
print("this cell never ends, and catches everything that would end it")
while True:
    try:
        while True:
            pass
    except BaseException:
        pass"""
_REPORT = 'answer["content"] = findings\nanswer["ready"] = True'


def asked(question: str) -> bool:
    """Tell whether the question is for a drill."""
    return _ASKED.search(question) is not None


def steps(failed: int) -> list[tuple[str, str]]:
    """Return the turns, prose and code each; a cell that was killed is not tried again."""
    prepare = ("I keep a finding in a variable first.", _PREPARE)
    run_away = ("Now a cell that runs away on purpose. It changes the finding before it does.", _RUN_AWAY)
    report = ("That cell was killed and undone. This is what the variable holds now.", _REPORT)
    return [prepare, report if failed else run_away]
