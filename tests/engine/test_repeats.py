"""When turns repeat themselves, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rlm_kernel.branches.result import CellResult
from rlm_kernel.engine.repeats import Repeats
from rlm_kernel.trajectory.records import CellError

ERROR = CellError(type="NameError", message="name 'x' is not defined", traceback="")


def shown(text: str) -> list[CellResult]:
    return [CellResult("ok", 0.1, stdout=text)]


def failed(seconds: float = 0.1) -> list[CellResult]:
    return [CellResult("error", seconds, error=ERROR)]


def notes(repeats: Repeats, turns: Sequence[tuple[str, list[CellResult]]]) -> list[bool]:
    """Let the turns happen; return for each whether something was said about it."""
    return [bool(repeats.note([code], results)) for code, results in turns]


def test_peers_74_loop_guard_nudges_then_stops() -> None:
    repeats = Repeats(3)
    assert repeats.note(["print(1)"], shown("1")) == ""
    assert "2 times" in repeats.note(["print( 1 )  # again"], shown("1"))
    assert not repeats.stuck
    assert repeats.note(["print(1)"], shown("1"))
    assert (repeats.stuck, repeats.count) == (True, 3)


def test_the_same_code_with_another_result_is_progress() -> None:
    repeats = Repeats(2)
    assert notes(repeats, [("print(next(parts))", shown(str(n))) for n in range(6)]) == [False] * 6
    assert not repeats.stuck


def test_other_code_starts_the_count_again() -> None:
    repeats = Repeats(3)
    turns = [("a = 1", shown("")), ("a = 1", shown("")), ("b = 2", shown("")), ("a = 1", shown(""))]
    assert notes(repeats, turns) == [False, True, False, False]
    assert (repeats.stuck, repeats.count) == (False, 1)


def test_turns_in_a_circle_are_noticed() -> None:
    """Two or three turns, again and again."""
    for circle in ("ab", "abc"):
        repeats = Repeats(3)
        said = [repeats.note([f"print('{c}')"], shown(c)) for c in circle * 3]
        first = 2 * len(circle) - 1
        assert [bool(text) for text in said] == [n >= first for n in range(len(said))]
        assert "last turns" in said[first]
        assert (repeats.stuck, repeats.count) == (True, 3)


@pytest.mark.parametrize(("limit", "until"), [(2, 2), (3, 3), (4, 3), (5, 3), (7, 4)])
def test_the_same_failure_counts_faster_but_never_before_it_was_said(limit: int, until: int) -> None:
    repeats = Repeats(limit)
    stuck = []
    for turn in range(until):
        text = repeats.note(["print(x)"], failed(seconds=turn))
        assert ("failed" in text) == (turn > 0)
        stuck.append(repeats.stuck)
    assert stuck == [False] * (until - 1) + [True]


def test_blocks_of_a_turn_count_together_and_a_turn_without_code_is_passed_over() -> None:
    repeats = Repeats(3)
    both = [*shown("1"), *shown("2")]
    assert repeats.note(["a()", "b()"], both) == ""
    assert repeats.note([], []) == ""
    assert repeats.note(["a()", "b()"], both)
    assert repeats.note(["a()"], shown("1")) == ""
    assert not repeats.stuck


@pytest.mark.parametrize("code", ["def f(:", "%time f()\n!ls", "x = '\ud800'", "(" * 10_000, "x = \x00"])
def test_code_that_is_no_python_is_compared_as_text(code: str) -> None:
    repeats = Repeats(2)
    assert notes(repeats, [(code, failed()), (f"{code} ", failed())]) == [False, True]
    assert repeats.stuck


def test_without_a_limit_nothing_is_said() -> None:
    repeats = Repeats(0)
    assert notes(repeats, [("a = 1", shown(""))] * 5) == [False] * 5
    assert not repeats.stuck
