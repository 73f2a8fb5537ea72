"""Typed answers: what fits is, or becomes, the type; what does not fit is explained."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from rlm_kernel.vocabulary.typed import check, schema_of, unchecked
from support.words import WordSession


class Ticket(BaseModel):
    id: int
    price: float


@dataclass
class Point:
    x: int
    y: int


SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["id"],
}

FITTING: list[tuple[Any, Any, Any]] = [
    (42, int, 42),
    ("42", int, 42),
    (42.0, int, 42),
    (42, float, 42.0),
    ("yes", str, "yes"),
    ("[1, 2]", list[int], [1, 2]),
    ('```json\n{"id": 1, "price": 2}\n```', Ticket, Ticket(id=1, price=2)),
    ({"id": 1, "price": "2.5"}, Ticket, Ticket(id=1, price=2.5)),
    ({"x": 1, "y": 2}, Point, Point(1, 2)),
    (Point(1, 2), Point, Point(1, 2)),
    ({"id": 1, "tags": ("a",)}, SCHEMA, {"id": 1, "tags": ["a"]}),
    ('{"id": 1}', SCHEMA, {"id": 1}),
    (None, int | None, None),
    ("low", Literal["low", "high"], "low"),
    (True, bool, True),
    ({"a": [1]}, dict[str, list[int]], {"a": [1]}),
]


@pytest.mark.parametrize(("value", "kind", "expected"), FITTING)
def test_peers_52_what_fits_becomes_the_type(value: Any, kind: Any, expected: Any) -> None:
    """Also engines 82."""
    found, problem = check(value, kind)
    assert problem == ""
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "told"),
    [
        ("many", int, ["valid integer", "'many'", "Expected: int"]),
        (True, int, ["true or false is not a number"]),
        ([1, True], list[int], ["1: true or false is not a number"]),
        ({"id": True, "price": 1.0}, Ticket, ["id: true or false is not a number"]),
        ({"id": 1}, Ticket, ["price: Field required", "Expected: Ticket(id: int, price: float)"]),
        ({"x": 1, "y": "b"}, Point, ["y: ", "'b'", "Point(x: int, y: int)"]),
        ({"tags": [1]}, SCHEMA, ["'id' is a required property", "tags.0: 1 is not of type 'string'", '"required"']),
        (object(), SCHEMA, ["JSON cannot hold it"]),
        ("middle", Literal["low", "high"], ["'low' or 'high'"]),
        (1, {"type": "nonsense"}, ["the schema itself is wrong"]),
    ],
)
def test_what_does_not_fit_is_explained(value: Any, kind: Any, told: list[str]) -> None:
    found, problem = check(value, kind)
    assert found is value
    assert not [part for part in told if part not in problem]
    assert len(problem) < 6_000


def test_numbers_of_numpy_and_pandas_are_numbers() -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    assert check(numpy.int64(3), int) == (3, "")
    assert check([numpy.int64(3)], list[int]) == ([3], "")
    assert check({"id": numpy.int64(3), "price": numpy.float64(1)}, Ticket)[0] == Ticket(id=3, price=1)
    assert check(pandas.Series([1, 2]), list[int]) == ([1, 2], "")
    assert check({"id": numpy.int64(3)}, SCHEMA) == ({"id": 3}, "")
    frame = pandas.DataFrame({"a": [1]})
    assert check(frame, pandas.DataFrame)[0] is frame
    assert "Expected: DataFrame" in check(3, pandas.DataFrame)[1]


def test_a_validated_answer_replaces_what_was_given() -> None:
    session = WordSession(answer_type=Ticket)
    given = session.final('answer["content"] = {"id": "7", "price": 1}; answer["ready"] = True')
    assert given == Ticket(id=7, price=1)
    assert session.final('SUBMIT(8, "2.5")') == Ticket(id=8, price=2.5)


def test_peers_21_a_wrong_answer_is_told_and_a_second_try_accepted() -> None:
    session = WordSession(answer_type=int)
    assert "valid integer" in session.problem('FINAL("many")')
    session.update(clear_answer=True)
    assert session.problem("FINAL(3)") == ""


def test_a_draft_is_not_checked() -> None:
    session = WordSession(answer_type=int)
    session.cell('answer["content"] = "so far"')
    told = session.describe_answer()
    assert told is not None
    assert told["problem"] == ""


def _raise(value: Any) -> None:
    raise ValueError("must be positive")


def _assert(value: int) -> None:
    assert value > 0


CHECKS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda value: True, ""),
    (lambda value: (True, "fine"), ""),
    (_assert, ""),
    (lambda value: False, "checked and refused."),
    (lambda value: (False, "too small"), "checked and refused: too small"),
    (_raise, "checked and refused: ValueError: must be positive"),
    (lambda value: value.nothing, "checked and refused: AttributeError"),
]


@pytest.mark.parametrize(("user_check", "told"), CHECKS)
def test_the_users_own_check_accepts_or_says_why(user_check: Callable[[Any], Any], told: str) -> None:
    problem = WordSession(check=user_check).problem("FINAL(3)")
    assert told in problem
    assert bool(told) == bool(problem)


def test_the_users_check_sees_the_value_after_the_type() -> None:
    seen: list[Any] = []
    WordSession(answer_type=int, check=seen.append).problem('FINAL("3")')
    assert seen == [3]


def test_without_the_libraries_a_note_says_what_was_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **named: Any) -> Any:
        if name.partition(".")[0] in ("pydantic", "jsonschema"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("pydantic", "jsonschema")]:
        monkeypatch.delitem(sys.modules, name)
    for kind in (SCHEMA, Ticket, list[int]):
        assert check("anything", kind) == ("anything", "")
        assert "was not checked" in unchecked(kind)
    assert unchecked(int) == ""
    assert check("3", int) == (3, "")
    assert "it is str" in check("many", int)[1]
    assert "it is bool" in check(True, int)[1]
    session = WordSession(answer_type=SCHEMA)
    assert "was not checked" in session.cell("FINAL(1)")[0]
    with pytest.raises(TypeError, match="schema is a JSON schema"):
        schema_of(int)
