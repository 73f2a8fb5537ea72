"""Text from models and data, made fit to be shown: bounded, on lines, without codes that steer the screen.

What a terminal would act on (colours, cursor moves, overwritten lines) is applied or removed; everything else
that has no shape of its own gets one, so a reader sees that it is there.
"""

from __future__ import annotations

import re

from rlm_kernel.engine.shaping import clip

__all__ = ["clean", "one_line", "shown"]

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")

# Control characters get their pictures (U+2400…), half a surrogate pair the replacement mark. Marks that
# reorder text beyond their own letters are spelled out: they can make code read differently from how it runs.
_VISIBLE: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"},
    **dict.fromkeys((*range(0x7F, 0xA0), *range(0xD800, 0xE000)), "\ufffd"),
    **{code: f"<U+{code:04X}>" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}


def clean(text: str) -> str:
    """Return `text` without escape sequences and overwritten lines, other controls made visible."""
    text = _ANSI.sub("", text)
    if "\r" in text:
        lines = text.replace("\r\n", "\n").split("\n")
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return text.translate(_VISIBLE)


def shown(text: str, limit: int) -> str:
    """Return `text` cleaned, and cut to `limit` characters around a note of its true length."""
    return clean(clip(text, limit)).strip("\n")


def one_line(text: str, limit: int = 120) -> str:
    """Return the first line that says something, in single blanks, cut to `limit` characters."""
    for line in text[: 50 * limit].splitlines():
        if words := " ".join(clean(line).split()):
            return words if len(words) <= limit else f"{words[: limit - 1].rstrip()}…"
    return ""
