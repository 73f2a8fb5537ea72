"""The page of proofs is complete, and what it names is there."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = (HERE / "PARITY.md").read_text(encoding="utf-8")
LATER = ("candidates", "memory", "viewer", "command line", "containers")
"""The parts of the project that are still to come."""

ROWS = {"Engines": 86, "Peers": 76}
OURS = {
    "Engines": {*range(1, 46), 66, 67, 71, 73, *range(77, 85)},
    "Peers": {*range(1, 38), *range(44, 48), *range(50, 55)},
}
"""The rows that need a proof now."""


def table(heading: str) -> list[list[str]]:
    """Return the rows below a heading, as cells."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.split("\n") if line.startswith("|")][2:]
    return [[part.strip() for part in row.strip("|").split("|")] for row in rows]


@functools.cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def proofs(cell: str) -> list[str]:
    """Return the tests that a cell names."""
    return re.findall(r"`([\w/]+\.py::\w+)`", cell)


@pytest.mark.parametrize("heading", ROWS)
def test_every_row_is_there_once_and_in_order(heading: str) -> None:
    assert [int(row[0]) for row in table(heading)] == list(range(1, ROWS[heading] + 1))


@pytest.mark.parametrize("heading", ROWS)
def test_every_row_is_proven_or_says_why_not(heading: str) -> None:
    for number, what, proof in table(heading):
        later = re.findall(r"later: ([a-z ]+)", proof)
        assert what, number
        assert set(later) <= set(LATER), number
        assert proofs(proof) or later or "not applicable, because" in proof, number
        assert proofs(proof) or int(number) not in OURS[heading], f"row {number} needs a test"


def test_every_defect_has_its_test() -> None:
    rows = table("Defects that stay away")
    named = {proof.partition("::")[2] for _, _, cell in rows for proof in proofs(cell)}
    assert all(len(proofs(cell)) == 1 for _, _, cell in rows)
    assert [test for test in names_in("engine/test_defects.py") if test not in named] == []


def test_every_test_that_is_named_exists() -> None:
    named = proofs(PAGE)
    assert len(named) > 200
    assert [name for name in named if name.partition("::")[2] not in names_in(name.partition("::")[0])] == []


def test_every_test_of_a_row_is_named_after_one_that_exists() -> None:
    for file in HERE.rglob("test_*.py"):
        for name in names_in(str(file.relative_to(HERE))):
            if found := re.match(r"test_(engines|peers)_(\d+)_", name):
                assert 1 <= int(found[2]) <= ROWS[found[1].capitalize()], f"{file.name}::{name}"
