"""Print the library matrix as a table: `PYTHONPATH=tests python benchmarks/libraries.py`, where the libraries are.

A use that hangs would end as a `timeout`; a fork that would hang has to show as a spawned branch, with the reason.
"""

from __future__ import annotations

from support.library_rows import ROWS, missing, play


def main() -> None:
    """Play every row whose libraries are installed."""
    print("| used in the notebook, then in a branch | branch | there | after a rollback |\n|---|---|---|---|")
    for row in ROWS:
        if missing(row):
            continue
        seen = play(row)
        kind = seen["kind"] if seen["kind"] == "fork" else f"{seen['kind']}: {seen['reason']}"
        there, after = (f"{seen[when]}, {seen[f'{when}_seconds']} s" for when in ("branch", "after"))
        print(f"| {row.name} | {kind} | {there} | {after} |", flush=True)


if __name__ == "__main__":
    main()
