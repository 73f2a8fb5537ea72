"""What an answer must not be: given without a look, empty, code, or the refusal that came before it.

`judge` says whether a final answer counts, and if not, which setting refused it and what the model is told. The
conditions on the way to an answer (`counts=False`) may be missed any number of times; being sent back for the answer
itself is counted.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from ..settings import Settings
from .syntax import doing

__all__ = ["AnswerFacts", "Refusal", "is_code_shaped", "judge", "strip_echo"]

_ECHO_REACH = 400
"""Characters at the start of an answer in which a repeated refusal is looked for (prehend's rejection echo)."""
_PHRASE = 60
"""Characters of a refusal that tell it from anything else; one with less than half of them is not looked for."""
_LONGEST_LINE = 2_000

_LOOK_FIRST = (
    "An answer does not count before you have looked: no cell has run without error yet. Print a part of `context` in "
    "a ```repl fence, then answer from what you see."
)
_MIN_ITERATIONS = (
    "It is too early for an answer: check what you have by another way first. An answer counts from turn {least} on."
)
_REQUIRE_SUBCALL = (
    "An answer needs at least one sub-call before it. Ask llm_query or llm_query_batched about the text that decides "
    "the question, then answer from the replies."
)
_EMPTY = 'The answer is an empty text. Set answer["content"] to the answer; if empty is what you mean, give it again.'
_CODE = (
    "The answer looks like code that was not run. Run it in a ```repl fence and answer with its result; if code is "
    'what was asked for, answer with a dict, as in {"code": text}.'
)
_REFUSAL_AGAIN = (
    "The answer only repeats a message of this session. Answer the question itself, from what you have found."
)
_OWN_TEXTS = (_LOOK_FIRST, _MIN_ITERATIONS, _REQUIRE_SUBCALL, _EMPTY, _CODE, _REFUSAL_AGAIN)

_FENCE_LINE = re.compile(r"^[ \t>]*(?:```|~~~)", re.MULTILINE)
_STEP = re.compile(r"(?:await[ \t]+)?[\w., ]+(?:[(\[]|[-+*/|&%@]{0,2}=[^=])|[fF]['\"]")


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What `judge` needs to know about a final answer.

    Attributes:
        text: the answer as text.
        value_type: the name of its type.
        via: the dialect it was given in, such as `answer` or `FINAL`.
        iteration: the turn that gave it, from 1.
        cells_ok: cells that ended without error so far, that of the answer included if it did more than answer.
        subcalls: sub-calls made so far.
        told: what the model was told when earlier answers and sub-calls were refused.

    """

    text: str
    value_type: str
    via: str
    iteration: int
    cells_ok: int
    subcalls: int
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an answer does not count: the guard, named as its setting, and what to tell the model.

    `counts` says whether it is one of the `max_answer_retries`.
    """

    guard: str
    feedback: str
    counts: bool


def judge(facts: AnswerFacts, settings: Settings, *, require_subcall: bool = False) -> Refusal | None:
    """Return why a final answer does not count, or `None` if it does, as far as rules can tell.

    An object that is no text is never taken for code; an empty text is refused once, and only where it may be an
    oversight, in `answer`: `FINAL("")` says it outright.
    """
    if settings.look_first and not facts.cells_ok:
        return Refusal("look_first", _LOOK_FIRST, counts=False)
    if facts.iteration < settings.min_iterations:
        return Refusal("min_iterations", _MIN_ITERATIONS.replace("{least}", str(settings.min_iterations)), counts=False)
    if (settings.require_subcall or require_subcall) and not facts.subcalls:
        return Refusal("require_subcall", _REQUIRE_SUBCALL, counts=False)
    if facts.value_type != "str":
        return None
    if not facts.text.strip():
        oversight = facts.via == "answer" and not any(_EMPTY in told for told in facts.told)
        return Refusal("empty_answer", _EMPTY, counts=True) if oversight else None
    if not settings.reject_code_answers:
        return None
    if _repeats_refusal(facts.text, (*_OWN_TEXTS, *facts.told)):
        return Refusal("reject_code_answers", _REFUSAL_AGAIN, counts=True)
    return Refusal("reject_code_answers", _CODE, counts=True) if is_code_shaped(facts.text) else None


def is_code_shaped(text: str) -> bool:
    """Tell whether a text that should be prose is code.

    It is if it has a fence line, if its first line is a call, a subscript or an assignment (not of a mere number: that
    is how an equation is solved), or if all its lines together are a program. Source of the shape: prehend 0.3.
    """
    if _FENCE_LINE.search(text):
        return True
    lines = text.strip().split("\n")
    first = lines[0][:_LONGEST_LINE]
    steps = doing(first) if _STEP.match(first) else []
    steps += doing(text.strip()) if len(lines) > 1 else []
    return not all(map(_is_equation, steps))


def strip_echo(reply: str, sentence: str) -> str:
    """Return `reply` without `sentence` at its start, in any case, spacing and dress; a mere echo is left as it is."""
    words = r"\s+".join(re.escape(word) for word in sentence.split())
    echo = rf"\A(?:[\s>*_\"'“”]*{words}(?!\w)[\"'“”*_]*[\s:]*)+"
    rest = re.sub(echo, "", reply, flags=re.IGNORECASE) if words else reply
    return rest if rest.strip() else reply


def _is_equation(step: ast.stmt) -> bool:
    if not isinstance(step, ast.Assign) or not isinstance(step.targets[0], ast.Name):
        return False
    value = step.value.operand if isinstance(step.value, ast.UnaryOp) else step.value
    return isinstance(value, ast.Constant) and type(value.value) in (int, float)


def _repeats_refusal(text: str, refusals: tuple[str, ...]) -> bool:
    """Tell whether one of the refusals, or its beginning if it is long, comes early in the text."""
    start = _plain(text[:_ECHO_REACH])
    return any(len(phrase := _plain(refusal)[:_PHRASE]) >= _PHRASE // 2 and phrase in start for refusal in refusals)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
