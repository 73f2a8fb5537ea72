"""Reading a model's reply: the code it wants run, in order, and the answer it gives in its talk.

What is not run is not passed over in silence: the reply knows what it left out (`unclosed`, `foreign`, `bare`, `cut`,
`note`), and `corrections.py` has the words for it.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from .fences import RUNNABLE, Fence, scan
from .prose import ProseAnswer, find_answer
from .syntax import doing, parse

__all__ = ["Reply", "parse_reply"]

_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)")
_ANSWERS = {"FINAL", "FINAL_VAR", "SUBMIT"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What is in a reply.

    Attributes:
        blocks: the code to run, in order.
        prose: the answer given outside all code; where there are blocks too, the model has not seen what they do.
        unclosed: the last fence never ends, and was left out.
        foreign: labels of fences that are no Python, as in `json`; nothing of them is run.
        cut: the reply ended at the ceiling of tokens.
        bare: the reply is code without a fence; it is not run.
        note: why something that looks like an answer in the talk is none.

    """

    blocks: list[str] = field(default_factory=list)
    prose: ProseAnswer | None = None
    unclosed: bool = False
    foreign: list[str] = field(default_factory=list)
    cut: bool = False
    bare: bool = False
    note: str = ""


def parse_reply(text: str, finish_reason: str = "") -> Reply:
    """Return what is in a reply. Any text is fine; nothing is raised.

    Args:
        text: the reply, in Markdown.
        finish_reason: why the server ended it; a last fence without end is run only after `stop`, and if it is valid
            Python with a label: many models forget to close it.

    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    fences, thoughts = scan(text)
    ours = [fence for fence in fences if fence.label in RUNNABLE and (fence.body.strip() or fence.label)]
    whole = [fence for fence in ours if fence.closed or (finish_reason == "stop" and _is_whole(fence))]
    cut = finish_reason == "length"
    bare = not fences and _is_code(_talk(text, thoughts))
    hidden = [*thoughts, *((fence.start, fence.end) for fence in fences)]
    prose, note = (None, "") if bare else find_answer(text, hidden, cut=cut)
    return Reply(
        blocks=[code for fence in whole if (code := _without_prompts(fence.body)).strip()],
        prose=prose,
        unclosed=len(whole) < len(ours),
        foreign=list(dict.fromkeys(fence.label for fence in fences if fence.label not in RUNNABLE)),
        cut=cut,
        bare=bare,
        note=note,
    )


def _is_whole(fence: Fence) -> bool:
    return fence.label != "" and parse(fence.body) is not None


def _without_prompts(code: str) -> str:
    """Return a session as Python shows it (`>>>`) without its prompts and outputs; any other code as it is."""
    if not _PROMPT.match(code.lstrip("\n")):
        return code
    return "".join(_PROMPT.sub("", line, count=1) for line in code.splitlines(keepends=True) if _PROMPT.match(line))


def _talk(text: str, thoughts: list[tuple[int, int]]) -> str:
    return text[thoughts[-1][1] :] if thoughts else text


def _is_code(talk: str) -> bool:
    return any(not _is_answer(statement) for statement in doing(talk.strip()))


def _is_answer(statement: ast.stmt) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _ANSWERS
