"""What must not be seen is on no card: hidden values, masked patterns, all of the data; and several cards in one."""

from __future__ import annotations

import dataclasses
import datetime
import random
import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from rlm_kernel.documents import open_context
from rlm_kernel.engine.describe import Rules, describe, describe_all
from rlm_kernel.engine.describe.rules import MASK

CARD = "4111111111111111"
SECRETS = ("Zanzibar", "31337", "2031-07-09")


@dataclasses.dataclass
class Person:
    name: str
    salary: object


class Pair(NamedTuple):
    name: str
    salary: object


def holders(secret: Any) -> dict[str, Any]:
    """Return values that hold a secret under the name `salary`, or below it."""
    return {
        "dict": {"name": "Ann", "Salary": secret},
        "dict of texts": {"name": "Ann", "salary": str(secret)},
        "nested": {"staff": {"Ann": {"SALARY": [secret, {"inner": secret}]}}},
        "records": [{"name": "Ann", "salary": secret}, {"name": "Bob", "salary": secret}],
        "records in records": [{"name": "Ann", "pay": {"salary": {"is": secret}}} for _ in range(3)],
        "object": Person("Ann", secret),
        "objects": [Person("Ann", secret), Person("Bob", secret)],
        "named tuple": Pair("Ann", secret),
        "named tuples": [Pair("Ann", secret)],
        "frame": pd.DataFrame({"name": ["Ann", "Bob"], "salary": [secret, secret]}),
        "levels": pd.DataFrame({("pay", "salary"): [secret]}),
        "series": pd.Series([secret, secret], name="Salary"),
        "index": pd.Series([1], index=pd.Index([secret], name="salary")),
        "dates": pd.Series([1], index=pd.DatetimeIndex(["2031-07-09"], name="salary")),
        "structured": np.array([("Ann", str(secret))], dtype=[("name", "U9"), ("salary", "U20")]),
    }


@pytest.mark.parametrize("secret", [SECRETS[0], int(SECRETS[1]), datetime.date.fromisoformat(SECRETS[2])])
@pytest.mark.parametrize("where", holders(0))
def test_peers_06_no_value_of_a_hidden_name_is_on_a_card(where: str, secret: object) -> None:
    value = holders(secret)[where]
    card = describe(value, redact="iban, salary")
    assert not [word for word in SECRETS if word in card]
    assert "alary" in card or "SALARY" in card, "the name itself is shown"
    assert "values hidden" in card or where in ("index", "dates")


def test_a_hidden_column_keeps_its_type_and_its_gaps() -> None:
    frame = pd.DataFrame({"salary": [1.5, None], "n": [1, 2]})
    lines = describe(frame, redact="salary").splitlines()
    assert '- "salary": float64; nulls 50.0%; values hidden' in lines
    assert f"{MASK} | 1" in lines


PATTERNS: dict[str, Callable[[], object]] = {
    "text": lambda: f"pay {CARD} now",
    "text end": lambda: "x" * 500 + f" {CARD}",
    "text cut in two": lambda: "x" * 110 + CARD + "x" * 500,
    "documents": lambda: ["x" * 75 + CARD, CARD],
    "named documents": lambda: {"a": CARD},
    "records": lambda: [{"card": CARD}],
    "number": lambda: [{"card": int(CARD)}],
    "numbers": lambda: [int(CARD), int(CARD) + 1],
    "float": lambda: {"card": float(CARD)},
    "key": lambda: {CARD: 1},
    "column": lambda: pd.DataFrame({CARD: [1]}),
    "frame": lambda: pd.DataFrame({"card": [CARD, f"no. {CARD}"], "n": [int(CARD)] * 2}),
    "categories": lambda: pd.Series([CARD], dtype="category"),
    "bytes": lambda: CARD.encode() * 2,
    "array": lambda: np.array([int(CARD)]),
    "texts in an array": lambda: np.array([CARD]),
    "set": lambda: {CARD},
    "object": lambda: Person(CARD, 1),
}


@pytest.mark.parametrize("where", PATTERNS)
def test_patterns_are_masked_in_every_excerpt(where: str) -> None:
    card = describe(PATTERNS[where](), redact="/[0-9]{16}/")
    assert MASK in card
    assert not re.search("[0-9]{5}", card)


def test_what_a_type_says_of_itself_is_masked_as_well() -> None:
    class Own:
        def __rlm_describe__(self) -> str:
            return f"my card is {CARD}"

    assert describe(Own(), redact="/[0-9]{16}/") == f"my card is {MASK}"
    assert CARD not in describe(Own(), sample=False)


def test_rules_are_read_from_one_line() -> None:
    rules = Rules.parse(" salary , IBAN,/[0-9]{3,5}/, /a\\/b/ ,")
    assert rules.hides("Salary")
    assert rules.hides("iban ")
    assert rules.hides(("pay", "SALARY"))
    assert not rules.hides("salaries")
    assert not rules.hides(3)
    assert rules.mask("1234 a/b 12") == f"{MASK} {MASK} 12"
    assert Rules.parse(None) == Rules.parse("") == Rules()
    assert Rules.parse(None).mask("1234") == "1234"


def _data() -> tuple[str, dict[str, Any]]:
    text = "".join(random.Random(3).choices(string.ascii_lowercase, k=40_000))
    parts = [text[i : i + 400] for i in range(0, 40_000, 400)]
    return text, {
        "str": text,
        "bytes": text.encode(),
        "list": parts,
        "mixed": [*parts, 1],
        "dict": {str(i): part for i, part in enumerate(parts)},
        "records": [{"body": part, "in": {"b": [part]}} for part in parts],
        "frame": pd.DataFrame({"body": parts, "few": parts[:2] * 50}),
        "dated": pd.Series(parts, index=pd.date_range("2024", periods=100)),
        "set": set(parts),
        "array": np.array(parts),
        "objects": np.array(parts, dtype=object),
        "object": Person(text, {"a": parts}),
        "memoryview": memoryview(text.encode()),
    }


@pytest.mark.parametrize("kind", _data()[1])
def test_peers_05_without_samples_a_card_has_none_of_the_data(kind: str) -> None:
    text, values = _data()
    card = describe(values[kind], sample=False)
    letters = {text[i : i + 6] for i in range(len(text) - 5)}
    assert not letters & {card[i : i + 6] for i in range(len(card) - 5)}
    assert "2024" not in card
    assert re.search(r"40,000|\b100\b|name", card), "but it says how much there is"


@pytest.mark.parametrize(
    "value", [12345, 1.2345, [12345], {12345.5}, {"a": 12345}, np.array([12345]), pd.Series([12345])]
)
def test_peers_05_without_samples_no_number_is_shown(value: object) -> None:
    assert "12" not in describe(value, sample=False)


def test_without_samples_a_file_is_a_name_and_a_size(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("secret words")
    for value in (tmp_path, tmp_path / "a.txt"):
        card = describe(open_context(value), sample=False)
        assert "secret" not in card
        assert '"a.txt"' in card


def test_one_context_is_headed_by_its_name() -> None:
    assert describe_all([5], ["df"]) == "`context` (the user's `df`):\nint: 5"
    assert describe_all([5], ["context"]) == describe_all([5]) == "`context`:\nint: 5"
    assert describe_all([5], ["a\nb"], first=3) == "`context`:\nint: 5"


def test_several_contexts_are_headed_by_their_numbers() -> None:
    cards = describe_all([5, "x", 7], ["a", "", "c"], first=2)
    assert [line for line in cards.splitlines() if line.startswith("`")] == [
        "`context` / `context_2` (the user's `a`):",
        "`context_3`:",
        "`context_4` (the user's `c`):",
    ]


def test_several_contexts_share_one_limit() -> None:
    wide = pd.DataFrame(np.zeros((3, 500)))
    cards = describe_all([wide, 5, wide], limit=2000)
    first, middle, last = re.split(r"`context.*`:\n", cards)[1:]
    assert len(first) + len(middle) + len(last) <= 2000 + 4
    assert middle.strip() == "int: 5"
    assert len(first) > 900
    assert len(last) > 900


def test_the_name_of_a_context_can_be_hidden_too() -> None:
    assert "12345" not in describe_all([12345], ["salary"], redact="salary")
    assert "12345" in describe_all([12345], ["wages"], redact="salary")
