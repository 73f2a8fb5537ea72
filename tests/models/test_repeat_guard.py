"""The repeat guard stops loops, and nothing that merely has rows."""

from __future__ import annotations

import argparse
import inspect
import json
import random
import typing
from collections.abc import Iterator
from pydoc_data.topics import topics

import pytest

from rlm_kernel.models.repeats import RepeatGuard

THRESHOLD = 0.35
LABELS = ("positive", "neutral", "negative")


def stopped_at(text: str, floor: int = 0, threshold: float = THRESHOLD) -> int | None:
    """Return after how many characters a stream of `text` is stopped."""
    guard = RepeatGuard(threshold, floor)
    for end in range(7, len(text) + 7, 7):
        if guard.feed(text[end - 7 : end]):
            return end
    return None


def labels(count: int, weights: tuple[int, ...] = (1, 1, 1)) -> list[str]:
    return random.Random(7).choices(LABELS, weights, k=count)


def healthy() -> Iterator[tuple[str, str]]:
    rows = labels(600)
    yield "prose, 2.5 K characters", topics["import"][:2_500]
    yield "prose, 30 K characters", (topics["specialnames"] + topics["objects"])[:30_000]
    yield "code", inspect.getsource(argparse)
    yield "more code", inspect.getsource(typing)
    yield "assertions", "\n".join(f'assert parse("{n * 37}") == [{n * 37}, "{label}"]' for n, label in enumerate(rows))
    yield "numbers", ", ".join(map(str, range(5_000)))
    yield "zeros and ones", ", ".join(map(str, random.Random(7).choices([0, 1], k=5_000)))
    yield "labels", json.dumps(rows)
    yield "labels, a line each", "\n".join(rows)
    yield "labels, nearly all the same", "\n".join(labels(900, (1, 30, 1)))
    records = [{"id": n, "label": label, "confidence": "very high", "lang": "en"} for n, label in enumerate(rows)]
    yield "records", json.dumps(records)
    yield "records, a field each line", json.dumps(records, indent=2)
    yes = [" | ".join("yes" if n * k % 3 else "no" for k in range(1, 9)) for n in range(400)]
    yield "table", "\n".join(f"| {n} | {row} |" for n, row in enumerate(yes))
    sentence = "Line {} of the document has the label {} with a confidence that is very high."
    yield "sentences alike", "\n".join(sentence.format(n, label) for n, label in enumerate(rows))


def loops() -> Iterator[tuple[str, str]]:
    say = "Wait, I should check the table of orders once more before I answer. "
    yield "a sentence", say * 200
    yield "a word", "the " * 3_000
    yield "small words", "Okay, so, wait, no, hm, " * 400
    yield "after good prose", topics["import"][:6_000] + say * 100
    yield "a long round", topics["objects"][:900] * 12
    yield (
        "sentences from a small stock",
        " ".join(
            random.Random(7).choices(
                [
                    "Let me look at the table again.",
                    "I need to check that the total is right.",
                    "But wait, maybe the table is not right.",
                    "So the total of the orders is what I need.",
                ],
                k=300,
            )
        ),
    )
    yield "a record", '{"name": "Smith", "place": "London", "kind": "person"}, ' * 200
    yield "a line of code", "result = result + [row for row in rows if row.label == 'positive']\n" * 200


@pytest.mark.parametrize("name", [name for name, _ in healthy()])
def test_engines_33_healthy_text_is_never_stopped(name: str) -> None:
    assert stopped_at(dict(healthy())[name]) is None


@pytest.mark.parametrize("topic", range(0, len(topics), 7))
def test_engines_33_documentation_is_never_stopped(topic: int) -> None:
    text = "\n".join(list(topics.values())[topic : topic + 7])
    assert stopped_at(text[:40_000]) is None


@pytest.mark.parametrize("name", [name for name, _ in loops()])
def test_engines_32_loops_are_stopped(name: str) -> None:
    at = stopped_at(dict(loops())[name])
    assert at is not None
    assert at < 10_000


def test_it_looks_no_earlier_than_it_should() -> None:
    text = "I look at it again and again, and then once more. " * 200
    assert (stopped_at(text) or 0) < 2_500
    at = stopped_at(text, floor=4_000)
    assert at is not None
    assert 4_000 <= at < 4_400


def test_a_threshold_of_zero_means_never() -> None:
    assert stopped_at("again " * 5_000, threshold=0.0) is None
