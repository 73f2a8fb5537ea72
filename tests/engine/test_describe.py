"""Cards: bounded, stable, no leaks, and they say what a model needs to know first."""

from __future__ import annotations

import dataclasses
import random
import re
import string
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.engine.describe import describe, register
from rlm_kernel.engine.describe.card import Card

if TYPE_CHECKING:
    from collections.abc import Callable

CYCLE: list[Any] = [1]
CYCLE.append(CYCLE)
NESTED: Any = []
for _ in range(5000):
    NESTED = [NESTED]


class Vast:
    """A class whose text forms must never be asked for."""

    def __repr__(self) -> str:
        raise AssertionError("repr was called")

    __str__ = __repr__


class Broken:
    def __len__(self) -> int:
        raise RuntimeError("no length")


HOSTILE: dict[str, Callable[[], object]] = {
    "long list": lambda: list(range(3_000_000)),
    "huge key": lambda: {"k" * 10_000_000: 1},
    "huge keys of records": lambda: [{"k" * 1_000_000 + str(i): i for i in range(50)}],
    "many keys": lambda: dict.fromkeys(range(500_000)),
    "many columns": lambda: pd.DataFrame(np.zeros((3, 5000))),
    "long column names": lambda: pd.DataFrame({"c" * 100_000 + str(i): [i] for i in range(20)}),
    "huge cells": lambda: pd.DataFrame({"a": ["x" * 1_000_000] * 5}),
    "cells without hash": lambda: pd.DataFrame({"a": [[1], [2]], "b": [{}, {}]}),
    "the same column twice": lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "empty frame": pd.DataFrame,
    "repr that must not run": Vast,
    "many of them": lambda: [Vast() for _ in range(1000)],
    "attributes of any size": lambda: SimpleNamespace(**{"a" * 100_000: "b" * 1_000_000}),
    "length that raises": Broken,
    "cycle": lambda: CYCLE,
    "nested": lambda: NESTED,
    "huge int": lambda: 10**1_000_000,
    "huge ints": lambda: [10**100_000, 3],
    "lone surrogate": lambda: "a\ud800b\u2028c\x00" * 100,
    "surrogates in keys": lambda: {"\ud800": "\udfff"},
    "big set": lambda: set(range(300_000)),
    "zero-dimensional array": lambda: np.array(5),
    "big array": lambda: np.zeros((3, 1000, 1000), order="F"),
    "structured array": lambda: np.zeros(3, dtype=[("a", "i4"), ("b", "U5")]),
    "object array": lambda: np.array([Vast(), None], dtype=object),
    "mixed records": lambda: [{"a": 1}, {"a": "x", "b": [1]}, {}],
    "a class": lambda: Vast,
    "a module": lambda: random,
    "nothing": lambda: None,
}


@pytest.mark.parametrize("limit", [0, 1, 60, 4000])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_value_makes_a_card_too_long(name: str, limit: int) -> None:
    card = describe(HOSTILE[name](), limit=limit)
    assert len(card) <= limit
    assert card.encode("utf-8").decode() == card
    assert bool(card) is (limit > 0)
    assert "description failed" not in card or name == "length that raises"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.decimals(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=30,
)


@settings(deadline=None)
@given(ANYTHING, st.integers(min_value=0, max_value=600), st.booleans(), st.sampled_from([None, "a,/[0-9]/,/./"]))
def test_any_value_has_a_bounded_card_that_can_be_sent(value: object, limit: int, sample: bool, redact: str) -> None:
    card = describe(value, limit=limit, sample=sample, redact=redact)
    assert len(card) <= limit
    assert card.encode().decode() == card
    assert "description failed" not in card
    assert describe(value, limit=limit, sample=sample, redact=redact) == card


PIECES = st.text(string.ascii_letters, min_size=200, max_size=300)
LARGE = st.recursive(
    PIECES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4) | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for item in (value.values() if isinstance(value, dict) else value) for text in _texts(item)]


@settings(deadline=None)
@given(LARGE)
def test_no_card_of_nested_values_holds_a_long_stretch_of_the_data(value: object) -> None:
    """Peers 1 and 5."""
    card = describe(value, limit=20_000)
    assert not set().union(*map(_windows, _texts(value))) & _windows(card)


def _windows(text: str) -> set[str]:
    return {text[i : i + 200] for i in range(len(text) - 199)}


def _random_text(seed: int, length: int) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters, k=length))


@pytest.mark.parametrize(
    "shape", ["str", "bytes", "list", "dict", "records", "frame", "series", "set", "object", "tuple"]
)
def test_no_card_holds_a_long_stretch_of_the_data(shape: str) -> None:
    text = _random_text(1, 200_000)
    parts = [text[i : i + 20_000] for i in range(0, 200_000, 20_000)]
    holder = SimpleNamespace(body=text)
    value: Any = {
        "str": text,
        "bytes": text.encode(),
        "list": parts,
        "tuple": tuple(parts),
        "dict": {str(i): part for i, part in enumerate(parts)},
        "records": [{"body": part} for part in parts],
        "frame": pd.DataFrame({"body": parts}),
        "series": pd.Series(parts),
        "set": set(parts),
        "object": holder,
    }[shape]
    card = describe(value)
    assert not _windows(text) & _windows(card)
    assert text[:30] in card or shape == "set", "a short excerpt is shown"


def test_the_same_value_has_the_same_card_in_every_process() -> None:
    code = (
        "import pandas as pd\n"
        "from rlm_kernel.engine.describe import describe\n"
        "class Thing:\n"
        "    def __init__(self): self.a, self.tags = object(), {'x', 'y', 'z', 'w'}\n"
        "words = ['w%d' % (i * 7919 % 1000) for i in range(150_000)]\n"
        "print(describe([Thing(), {'a', 'b', 'c', 1}, {'k': frozenset('hello')}]))\n"
        "print(describe(set(words))); print(describe(Thing()))\n"
        "print(describe(pd.DataFrame({'w': words, 'n': range(150_000), 'few': [w[:2] for w in words]})))\n"
        "print(describe([{'w': w, 'few': w[:2]} for w in words]))\n"
    )
    path = str(Path(__file__).parents[2] / "kernel")
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert b"0x" not in outputs.pop()


def test_neither_pandas_nor_numpy_is_imported() -> None:
    code = (
        "import sys; from rlm_kernel.engine.describe import describe; describe([{'a': 1}]); "
        "assert not {'pandas', 'numpy'} & set(sys.modules)"
    )
    path = str(Path(__file__).parents[2] / "kernel")
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, check=True)


def test_a_frame_says_shape_types_gaps_values_and_ranges() -> None:
    frame = pd.DataFrame(
        {
            "city": ["Ulm", "Rom", None, "Ulm"],
            "n": [1, 2, 3, 40],
            "x": [0.5, None, 1.5, 2.0],
            "ok": [True, False, True, True],
            "when": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]),
        }
    )
    lines = describe(frame).splitlines()
    assert lines[0].startswith("DataFrame: 4 rows x 5 columns, ")
    assert '- "city": str; nulls 25.0%; distinct 2; values "Rom", "Ulm"' in lines
    assert '- "n": int64; distinct 4; range 1 .. 40' in lines
    assert '- "x": float64; nulls 25.0%; distinct 3; range 0.5 .. 2.0' in lines
    assert '- "ok": bool; distinct 2; values False, True' in lines
    assert any(line.startswith('- "when": datetime64') and "2024-01-01" in line for line in lines)
    assert any(line.startswith('"Ulm" | 1 | 0.5 | True | 2024-01-01') for line in lines)


def test_a_long_frame_is_sampled_and_says_so() -> None:
    rows = 400_000
    frame = pd.DataFrame({"cycle": np.arange(rows) % 4, "kind": np.where(np.arange(rows) % 4 == 3, "odd", "even")})
    card = describe(frame)
    assert '- "cycle": int64; distinct ~4; range ~0 .. 3' in card
    assert '- "kind": str; distinct ~2; values "even", "odd"' in card


def test_what_is_left_out_is_counted() -> None:
    assert re.search(r"… and 4,\d\d\d more columns\n", describe(pd.DataFrame(np.zeros((3, 5000)))))
    assert "… and 980 more items" in describe(list(range(1000)))
    assert "more keys" in describe(dict.fromkeys(range(5000)))


def test_documents_records_and_mappings_are_told_apart() -> None:
    assert describe(["ab", "cde"]).startswith(
        "list of str: 2 documents, 5 characters, shortest 2, longest 3\n- [0] str"
    )
    assert describe({"a.py": "import os"}).startswith("dict of str: 1 documents by key")
    records = describe([{"a": 1, "b": "x"}, {"a": 2, "b": None}])
    assert records.startswith("list of records: 2 dicts, 2 keys")
    assert '- "b": str; nulls 50.0%; distinct 1; values "x"' in records
    assert '{"a": 1, "b": "x"}' in records
    assert '- "k": list, 2 items: 1, 2' in describe({"k": [1, 2]})


def test_the_size_of_a_value_does_not_decide_about_the_size_of_its_card() -> None:
    """Also engines 3, peers 5: what is read is bounded too, or this would take minutes."""
    rows = 10_000_000
    values: list[object] = [
        list(range(rows)),
        dict.fromkeys(range(1_000_000), "x"),
        pd.DataFrame({"a": np.zeros(rows), "b": np.arange(rows)}),
    ]
    for value in values:
        card = describe(value)
        assert 50 < len(card) <= 4000
        assert f"{len(value):,}" in card  # type: ignore[arg-type]  # each has a length


def test_a_wide_table_still_shows_how_it_begins_and_ends() -> None:
    frame = pd.DataFrame({f"column {i}": [f"r{row}"] for row in [0] for i in range(300)})
    card = describe(pd.concat([frame] * 9, ignore_index=True))
    assert "more columns" in card
    assert '\nfirst rows, cells in the order of the columns:\n"r0" | ' in card
    assert "\nlast rows:\n" in card


def test_arrays_and_scalars() -> None:
    array = describe(np.array([[1.0, np.nan], [3.0, 4.0]]))
    assert "ndarray: shape (2, 2), float64, 32 bytes" in array
    assert "range: 1.0 .. 4.0" in array
    assert "nulls: 25.0%" in array
    assert describe(5) == "int: 5"
    assert describe(None) == "NoneType: None"
    assert describe(np.float32(1.5)) == "float32: 1.5"


def test_a_path_is_shown_by_its_name_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("secret words")
    assert describe(tmp_path / "a.txt") == 'PosixPath: "a.txt"'


@dataclasses.dataclass
class Point:
    """A place in the plane."""

    x: int
    name: str


def test_an_object_is_shown_by_class_and_attributes() -> None:
    card = describe(Point(3, "here"))
    assert "Point" in card.splitlines()[0]
    assert '"A place in the plane."' in card
    assert "- x: int 3" in card
    assert '- name: str, 4 characters: "here"' in card


def test_a_type_can_describe_itself() -> None:
    class Own:
        def __rlm_describe__(self) -> str:
            return "my own words \ud800" * 1000

    card = describe(Own(), limit=50)
    assert card.startswith("my own words")
    assert len(card) == 50
    assert card.encode("utf-8").decode() == card


def test_a_failing_description_costs_the_details_only() -> None:
    class Bad:
        def __rlm_describe__(self) -> str:
            raise ValueError("no")

    assert describe(Bad()).endswith("(its description failed: ValueError)")


def test_other_types_can_be_registered_by_class_or_name() -> None:
    class Special(dict[str, int]):
        pass

    Special.__module__, Special.__qualname__ = "somewhere.deep", "Special"

    def draw(value: dict[str, int], card: Card) -> None:
        card.line(f"special with {len(value)}")

    register("somewhere.Special", draw)
    assert describe(Special(a=1)) == "special with 1"
