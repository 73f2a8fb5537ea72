"""What libraries leave running in the notebook: used there, then in a branch, then after a rollback, they work.

Where a fork would hang, the preflight has to have chosen a spawned branch, and the same must work there.
"""

from __future__ import annotations

import pytest

from support.library_rows import ROWS, Row, missing, play

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_library_works_before_in_and_after(row: Row) -> None:
    for module in missing(row):
        pytest.skip(f"{module} is not installed")
    seen = play(row)
    assert (seen["kind"], seen["branch"], seen["after"]) == (row.kind, "ok", "ok"), seen
