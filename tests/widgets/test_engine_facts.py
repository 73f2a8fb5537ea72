"""What the engine did is in both views: the route, guards, its own questions, parts of long texts, who spent what."""

from __future__ import annotations

import re
from html import unescape

import pytest

from rlm_kernel.trajectory import events as ev
from rlm_kernel.trajectory.records import Usage
from rlm_kernel.trajectory.run import Run
from rlm_widgets.gathering import gather
from rlm_widgets.static import static_html
from rlm_widgets.text import plain_text
from support import engine_runs
from support.sample_runs import HOSTILE, cell, started, turn


def folds(run: Run) -> list[str]:
    """Return the text of everything that can be opened in the page."""
    return [words(summary) for summary in re.findall("<summary[^>]*>(.*?)</summary>", static_html(run))]


def words(html: str) -> str:
    return unescape(re.sub("<[^>]*>", "", html))


def both(run: Run) -> tuple[str, str]:
    return words(static_html(run)), plain_text(run)


def test_a_direct_run_says_so_and_why() -> None:
    for text in both(engine_runs.direct()):
        assert f"direct: {engine_runs.DIRECT}" in " ".join(text.split())
        assert "cells" not in text
        assert "no code" not in text
        assert "verified" in text
        assert "answered" in text
    assert "the model was sent the context itself" in words(static_html(engine_runs.direct()))
    html, _ = both(engine_runs.guarded())
    assert "direct" not in html
    assert "what the model was shown instead of the value" in html


def test_a_run_at_a_limit_names_it_and_says_in_words_what_happened() -> None:
    for text in both(engine_runs.guarded()):
        assert "stopped at a limit" in text
        assert engine_runs.REFUSED in text
        assert "max_answer_retries" in text
        assert "not verified: refused, and there were no more retries" in text


def test_an_answer_nobody_checked_is_not_said_to_be_verified() -> None:
    events = [*started(), *turn(1, "x"), *cell(1, "FINAL(1)"), ev.AnswerGiven(0, 1, "1", "int", 1, True, "FINAL", True)]
    for text in both(Run.fold([*events, ev.RunEnded("answered", "done", 0, "", 1.0)])):
        assert "verified" not in text


def test_every_guard_that_acted_has_a_line_with_what_it_did() -> None:
    html, text = both(engine_runs.guarded())
    for line in (
        "guard engineer: the brief was cut to 2,000 characters",
        "guard context: 1 of 5 parts could not be read: the server did not answer in 30 s",
        "guard verify_answer: The answer must say when. It gives no date.",
    ):
        assert line in html
        assert line in text
    assert "guard soft_limit: told to wrap up: tokens" in html
    assert "guard compaction: 2 turns were summed up" in html
    assert "2 guards: soft_limit, compaction" in text


def test_what_happened_before_the_first_turn_stands_before_it() -> None:
    for text in both(engine_runs.guarded()):
        brief, first = text.index("Context described by gpt-5-nano"), text.index("I read it.")
        assert text.index("guard engineer") < first
        assert brief < first


def test_the_questions_of_the_engine_can_be_opened() -> None:
    opened = folds(engine_runs.guarded())
    assert "Context described by gpt-5-nano · 1,200 in, 60 out · 0.8 s" in opened
    assert "Earlier turns summed up by gpt-5-mini · 1,200 in, 60 out · 1.1 s" in opened
    assert "Checked by gpt-5-mini · failed · 1,200 in, 60 out · 0.4 s" in opened
    html, text = both(engine_runs.guarded())
    for word in ("Describe it.", "Minutes of a club.", "Parts read: 4 of 5.", "the server is gone"):
        assert word in html
    assert "Checked by gpt-5-mini, 1,200 in, 60 out" in text


def test_the_parts_of_a_long_text_are_one_group() -> None:
    opened = [line for line in folds(engine_runs.guarded()) if "sub-call" in line and " to gpt" in line]
    assert opened == [
        "6 sub-calls (5 map, 1 reduce) to gpt-5-nano · 1 failed · 1.3 s",
        "1 sub-call to gpt-5-nano · 0.2 s",
    ]


def test_two_long_texts_one_after_the_other_are_two_groups() -> None:
    events = [*started(), *turn(1, "x"), ev.CellStarted(0, 1, 1, "x")]
    for number, kind in enumerate(["map", "map", "reduce", "map", "reduce", "llm_query", "llm_query"], start=1):
        events.append(ev.SubcallStarted(0, number, None, "m", "p", kind))
    opened = [line.split(" to ")[0] for line in folds(Run.fold(events)) if " to m" in line]
    assert opened == [
        *("3 sub-calls (2 map, 1 reduce)", "2 sub-calls (1 map, 1 reduce)", "1 sub-call", "1 sub-call"),
    ]


def test_drafts_are_marked_as_drafts() -> None:
    facts = gather(engine_runs.guarded(), characters=100, items=10, image_bytes=0, most=100_000)
    assert [turn.given for turn in facts.iterations.head] == ["", "draft", "draft"]
    titles = [line for line in plain_text(engine_runs.guarded()).splitlines() if line[:4].strip().isdigit()]
    assert ["draft" in title for title in titles] == [False, True, True]
    assert [line for line in folds(engine_runs.guarded()) if "A first version." in line and "draft" in line]


def test_who_spent_what_is_below_the_figures() -> None:
    wanted = (
        "spent by root 3,600 in, 180 out, $0.0012 · by sub-calls 8,400 in, 420 out, $0.0028 · "
        "by engine 3,600 in, 180 out, $0.0012"
    )
    for text in both(engine_runs.guarded()):
        assert wanted in " ".join(text.split())
    for text in both(engine_runs.unpriced()):
        assert "unknown" in text
        assert "by engine 3,600 in, 180 out" in " ".join(text.split())
        assert "$" not in text
    partly = [*started(), *turn(1, "x"), ev.Consulted(0, 1, "verifier", "m", "p", "t", "", Usage(1, 5, 2), 0.1)]
    assert "$0.0021 · by engine 5 in, 2 out, cost unknown" in " ".join(plain_text(Run.fold(partly)).split())
    assert "spent by" not in plain_text(engine_runs.direct())


@pytest.mark.parametrize("draw", [static_html, plain_text])
def test_the_engine_s_own_lines_cannot_break_the_page(draw: object) -> None:
    events = [
        *started(route=HOSTILE, method="direct"),
        ev.GuardActed(0, 0, HOSTILE, HOSTILE),
        ev.Consulted(0, 0, HOSTILE, HOSTILE, HOSTILE, HOSTILE, "", Usage(1, 1, 1), 0.1),
        *turn(1, "x"),
        ev.GuardActed(0, 1, HOSTILE, HOSTILE),
        ev.RunEnded("limit", HOSTILE, None, "", 1.0, HOSTILE),
    ]
    run = Run.fold(events)
    shown = static_html(run) if draw is static_html else plain_text(run)
    assert "\x1b" not in shown
    assert "\ud83d" not in shown
    assert draw is plain_text or "<script" not in shown


def test_many_guards_and_questions_fit() -> None:
    events = [*started()]
    for number in range(1, 301):
        events += turn(number, "x")
        events += [ev.GuardActed(0, number, f"guard_{n}", "d" * 10_000) for n in range(50)]
        events += [ev.Consulted(0, number, "final", "m", "p" * 50_000, "t" * 50_000, "", Usage(1, 1, 1), 1.0)] * 5
    run = Run.fold(events)
    assert len(static_html(run).encode()) <= 300_000
    assert plain_text(run).count("\n") < 65
