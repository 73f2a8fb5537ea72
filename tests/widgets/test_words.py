"""Numbers in words."""

from __future__ import annotations

import pytest

from rlm_kernel.trajectory.records import Usage
from rlm_widgets.words import counted, duration, money, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 ms"),
        (0.0123, "12 ms"),
        (0.0999, "100 ms"),
        (0.1, "0.1 s"),
        (8.24, "8.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7_265, "2 h 01 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (Usage(), ""),
        (Usage(1, cost=None), "unknown"),
        (Usage(1, cost=0.0), "$0.00"),
        (Usage(1, cost=0.00004), "under $0.0001"),
        (Usage(1, cost=0.0089), "$0.0089"),
        (Usage(1, cost=1234.5), "$1,234.50"),
    ],
)
def test_money(usage: Usage, words: str) -> None:
    assert money(usage) == words


def test_counts_and_sizes() -> None:
    assert [counted(n, "cell") for n in (0, 1, 1204)] == ["0 cells", "1 cell", "1,204 cells"]
    sizes = [size(n) for n in (12, 240_000, 2_500_000, 3_210_000_000)]
    assert sizes == ["12 B", "240 KB", "2.5 MB", "3.2 GB"]
