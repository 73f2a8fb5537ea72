"""Models that work on the made tasks: the root sends cells as a model writes them, sub-calls read only their prompt.

No reply is looked up. The cells compute, and the rules of the sub models judge the text they were given, so what comes
out at the end is the engine's doing. Tokens are counted here, four characters each, in and out.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rlm_kernel import Run
from support.openai_server import Reply, ScriptedModel
from support.solving import cell, solve_with
from support.tasks import TENS, UNITS, Task

__all__ = ["Faulty", "Player", "billing_reader", "fact_reader", "history", "mood_reader", "number_reader", "play"]

_PER_TOKEN = 4


class Player:
    """Plays root and sub model of one question, and counts.

    Args:
        cells: the code of the root's turns; the last one is repeated.
        sub: the reply to a sub-call's prompt.

    Attributes:
        requests: every request's messages, in order.

    """

    def __init__(self, cells: Sequence[str], sub: Callable[[str], str] = lambda prompt: "NOT FOUND") -> None:
        self._cells = list(cells)
        self._sub = sub
        self._lock = threading.Lock()
        self.requests: list[list[dict[str, Any]]] = []

    def reply(self, body: dict[str, Any]) -> Reply:
        """Return the reply to a request, with its tokens."""
        messages = body["messages"]
        with self._lock:
            turn = sum(sent[0]["role"] == "system" for sent in self.requests)
            self.requests.append(messages)
        of_root = messages[0]["role"] == "system"
        text = cell(self._cells[min(turn, len(self._cells) - 1)]) if of_root else self._sub(messages[-1]["content"])
        asked = sum(len(message["content"]) for message in messages) // _PER_TOKEN
        said = len(text) // _PER_TOKEN + 1
        return Reply(text, usage={"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said})

    @property
    def prompts(self) -> list[str]:
        """The sub-calls' prompts."""
        return [sent[0]["content"] for sent in self.requests if sent[0]["role"] != "system"]


def history(run: Run) -> int:
    """Return the characters of a run's last request without the fixed prompt and the opening; nothing was summed up."""
    return sum(len(message["content"]) for turn in run.iterations[1:] for message in turn.messages)


def play(task: Task, player: Player, **options: Any) -> Run:
    """Solve a task with the models that `player` plays."""
    with ScriptedModel(respond=player.reply) as server:
        return solve_with(server, task.context, task.question, **options)


class Faulty:
    """A sub model of which the first replies are malformed: prose, half a list, an empty one.

    Args:
        sub: what it replies when it is asked again.

    Attributes:
        spoiled: how many replies were malformed.

    """

    _FAULTS: tuple[Callable[[str], str], ...] = (
        lambda reply: "Sure! I went through all of them, and most are fine.",
        lambda reply: reply[: len(reply) // 2],
        lambda reply: "",
    )

    def __init__(self, sub: Callable[[str], str]) -> None:
        self._sub = sub
        self._lock = threading.Lock()
        self.spoiled = 0

    def __call__(self, prompt: str) -> str:
        """Return the reply, spoiled if it is one of the first three."""
        reply = self._sub(prompt)
        with self._lock:
            if self.spoiled >= len(self._FAULTS):
                return reply
            self.spoiled += 1
            return self._FAULTS[self.spoiled - 1](reply)


# ----- sub models --------------------------------------------------------------------------------------------


def _each(prompt: str, judge: Callable[[str], str]) -> str:
    """Return a line `name: judgement` for each line `name: text` of a prompt, after its first line."""
    items = [line.split(": ", 1) for line in prompt.splitlines()[1:] if ": " in line]
    return "\n".join(f"{name}: {judge(text)}" for name, text in items)


def fact_reader(prompt: str) -> str:
    """Say what has to be typed, said or shown to get in somewhere, if the text tells."""
    told = re.search(r"\b(?:open|enter|unlock)\b[^.]*?\b(?:type|say|show)s? ([\w-]+)", prompt)
    return told[1] if told else "NOT FOUND"


def number_reader(prompt: str) -> str:
    """Write amounts in words as digits."""
    return _each(prompt, lambda text: str(_number(re.findall(r"[a-z]+", text.lower()))))


def billing_reader(prompt: str) -> str:
    """Say yes for every ticket that complains about money that was asked for or taken wrongly."""
    wrong = r"charged twice|invoice .* never agreed|left my account although|debited .* again"
    return _each(prompt, lambda text: "yes" if re.search(wrong, text) else "no")


def mood_reader(prompt: str) -> str:
    """Say whether a review is glad."""
    glad = r"again tomorrow|like a charm|\bjoy\b|\bbest\b"
    return "positive" if re.search(glad, prompt.rpartition("Review:")[2], re.IGNORECASE) else "negative"


_SMALL = {word: n for n, word in enumerate(UNITS)} | {word: 10 * n for n, word in enumerate(TENS, 2)}


def _number(words: list[str]) -> int:
    total = part = 0
    for word in words:
        if word == "hundred":
            part *= 100
        elif word in ("thousand", "million"):
            total += part * (1_000 if word == "thousand" else 1_000_000)
            part = 0
        else:
            part += _SMALL.get(word, 0)
    return total + part
