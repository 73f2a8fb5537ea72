"""Text that would steer the screen is made visible or harmless, and nothing else is touched."""

from __future__ import annotations

import pytest

from rlm_widgets.cleaning import clean, one_line, shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain\ttext\nwith lines", "plain\ttext\nwith lines"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("10 %\r50 %\r100 %\r\ndone\r\n", "100 %\ndone\n"),
        ("a\x00b\x07c", "a\u2400b\u2407c"),
        ("half \ud83d pair", "half \ufffd pair"),
        ("if \u202egnihton\u202c", "if <U+202E>gnihton<U+202C>"),
        ("\u05e9\u05dc\u05d5\u05dd \u200f!", "\u05e9\u05dc\u05d5\u05dd \u200f!"),
        ("👩‍🔬 ok", "👩‍🔬 ok"),
    ],
)
def test_controls_are_applied_removed_or_shown(text: str, seen: str) -> None:
    assert clean(text) == seen


def test_long_text_keeps_both_ends_and_its_length() -> None:
    text = shown("a" * 500 + "b" * 500, 90)
    assert text.startswith("a" * 60)
    assert text.endswith("b" * 30)
    assert "910 of 1,000 characters cut" in text


@pytest.mark.parametrize(
    ("text", "line"),
    [("\n\n  first   line \nsecond", "first line"), ("", ""), ("x" * 20, "x" * 9 + "…"), ("\n" * 10_000 + "far", "")],
)
def test_one_line_is_the_first_that_says_something(text: str, line: str) -> None:
    assert one_line(text, 10) == line
