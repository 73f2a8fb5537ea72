"""The README is true: its table of settings is the program's, its Python runs, the files it names are there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from rlm_kernel.settings import OPTIONS, Option

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def plain(value: object) -> str:
    if value in (None, ""):
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def row(option: Option) -> str:
    kind = f"{option.type}, {option.unit}" if option.unit else option.type
    env = f" (environment `{option.env}`)" if option.env else ""
    return f"| `{option.name}` | {kind} | {plain(option.default)} | {option.doc}{env} |"


def table() -> str:
    """Return the table of settings as the README is to have it; `python tests/test_readme.py` puts it there."""
    lines = ["| setting | type | default | what it does |", "|---|---|---|---|"]
    for group, options in groupby(OPTIONS.values(), key=lambda option: option.group):
        lines += [f"| **{group}** | | | |", *map(row, options)]
    return "\n".join(lines)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_setting_is_in_the_table(name: str) -> None:
    assert row(OPTIONS[name]) in README.splitlines()


def test_the_table_has_nothing_else_and_keeps_the_order() -> None:
    assert table() in README


def test_every_file_it_names_is_there() -> None:
    named = set(re.findall(r"`?\b((?:tests|kernel|notebooks|benchmarks)/[\w/.]*\.(?:py|ipynb|md))", README))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_its_python_runs_without_a_model(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(examples) > 1
    script = tmp_path / "examples.py"
    script.write_text("\n".join(examples) + "\nprint(run.answer, load(run.journal_path) == run, heard['run_ended'])\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "RLM_"))}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "F9 True 2\n"), done.stderr


if __name__ == "__main__":
    before, _, rest = README.partition("| setting |")
    after = rest.partition("\n\n")[2]
    (ROOT / "README.md").write_text(f"{before}{table()}\n\n{after}", encoding="utf-8")
