"""`%%rlm` outside our kernel: in a stock ipykernel, in plain IPython, and `solve` in plain Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.kernels import start_kernel
from support.openai_server import ScriptedModel

SCRIPT = [
    "```repl\ntotal = sum(context)\nprint(total)\n```",
    "```repl\nwhile True: pass\n```",
    "```repl\nFINAL(total)\n```",
]


@pytest.mark.kernel
def test_in_a_stock_kernel() -> None:
    with start_kernel("python3") as kernel, ScriptedModel(SCRIPT) as server:
        assert kernel.execute("%load_ext rlm_magics\nnumbers = list(range(1000))").error is None
        line = f"%%rlm context=numbers model=m base_url={server.base_url} timeout=0.5 -o run query=What is the sum?"
        done = kernel.execute(line)
        assert done.error is None, done.error
        assert "499500" in done.result["text/plain"]
        assert "499500" in done.result["text/html"]
        assert kernel.value("(run.answer, total, _ is run)") == (499500, 499500, True)
        assert kernel.value("[i.cells[0].outcome for i in run.iterations]") == ["ok", "timeout", "ok"]


def in_ipython(code: str, folder: Path) -> str:
    """Run a script of IPython code in a fresh terminal IPython; return what it printed."""
    script = folder / "script.ipy"
    script.write_text(code)
    command = [sys.executable, "-m", "IPython", "--HistoryManager.enabled=False", "--colors=NoColor", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_in_plain_ipython(tmp_path: Path) -> None:
    with ScriptedModel(SCRIPT) as server:
        cell = f"%%rlm context=numbers model=m base_url={server.base_url} timeout=0.5 out=run\nWhat is the sum?"
        said = in_ipython(
            f"%load_ext rlm_magics\nnumbers = list(range(1000))\nget_ipython().run_cell({cell!r})\n"
            "print('then', run.answer, total, run.branch)\n",
            tmp_path,
        )
    assert "499500" in said.partition("then")[0]
    assert said.splitlines()[-1] == "then 499500 499500 fork"


def test_in_plain_python(tmp_path: Path) -> None:
    code = """
import sys
from rlm_kernel import solve
secret = 5
run = solve("What is the sum?", context=list(range(1000)), model="m", base_url=sys.argv[1], timeout=0.5, keep="none")
print(run.answer, run.status, "total" in globals())
mine = {"numbers": [1, 2]}
run = solve("Again?", context=mine["numbers"], context_name="numbers", namespace=mine, model="m", base_url=sys.argv[1])
print(run.answer, sorted(mine))
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    with ScriptedModel(
        [*SCRIPT, "```repl\nnumbers.append(3)\nnew = [context is numbers for _ in [1]]\nFINAL(numbers)\n```"]
    ) as server:
        command = [sys.executable, str(script), server.base_url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
    assert (done.stdout, done.stderr) == ("499500 answered False\n[1, 2, 3] ['new', 'numbers']\n", "")
