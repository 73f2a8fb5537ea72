"""What is sent in a sub-call: prompts that are text, data first and the task last, forgotten `{names}` filled in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .reach import Reach
from .texts import GAP, as_text

__all__ = ["composed", "filled", "listed"]

_PLACEHOLDER = re.compile(r"(?<!\{)\{([A-Za-z]\w*)\}(?!\})")


def composed(prompt: Any, task: str | None) -> str:
    """Return one prompt: text as it is, or any data before a task.

    Raises:
        TypeError: it is no text; the message says what to write instead.

    """
    if task is None:
        if isinstance(prompt, str):
            return str(prompt)
        kind = type(prompt).__qualname__
        raise TypeError(
            f"a prompt is text, not {kind}: build a str that contains the data, "
            "or give the data and the task: llm_query(data, task)"
        )
    if not isinstance(task, str):
        raise TypeError(f"a task is text, not {type(task).__qualname__}: llm_query(data, task)")
    return f"{as_text(prompt)}{GAP}{task}"


def listed(prompts: Any, word: str, single: str) -> list[Any]:
    """Return prompts as a list.

    Raises:
        TypeError: they are one text, a table or nothing that has items; the message says what to write instead.

    """
    if isinstance(prompts, str | bytes):
        raise TypeError(f"{word} takes a list of prompts; for a single one use {single}")
    if isinstance(prompts, dict) or hasattr(prompts, "columns") or not hasattr(prompts, "__iter__"):
        kind = type(prompts).__qualname__
        raise TypeError(f"{word} takes a list of prompts, not {kind}: build one str for each, with its data in it")
    return list(prompts)


def filled(session: Reach, prompts: Sequence[str]) -> list[str]:
    """Return prompts with `{name}` filled in from text that a cell made, where the setting says so."""
    if not session.kit.repair_placeholders:
        return list(prompts)
    names: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        value = session.namespace.get(name)
        if not isinstance(value, str) or not session.made_here(name):
            return match.group()
        names.add(name)
        return value

    done = [_PLACEHOLDER.sub(fill, prompt) for prompt in prompts]
    if names:
        shown = ", ".join(f"{{{name}}}" for name in sorted(names))
        session.notes.append(f'Note: {shown} in a prompt was filled in; write f"…" in front of such a text.')
    return done
