"""The library matrix: uses of libraries, each to be made in the notebook, in a branch, and there after a rollback.

Each row is played in a fresh process (this module as a program, with the row's name), because a library that was used
once is never unused again.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import types
from dataclasses import dataclass
from typing import Any

from rlm_kernel.branches.host import open_branch
from rlm_kernel.branches.preflight import check
from rlm_kernel.vocabulary.kit import Kit
from support.branches import no_calls

__all__ = ["ROWS", "Row", "missing", "play"]

_LIMIT = 40.0
"""Seconds for one use; what hangs, hangs for ever."""


@dataclass(frozen=True)
class Row:
    """One library in one use.

    Attributes:
        name: of the row.
        needs: modules that must be there.
        kind: of the branch that the preflight must choose.
        use: a cell that works by itself; run in the notebook, in the branch, and in the branch after a rollback.
        first: a cell for the notebook only, before.

    """

    name: str
    needs: tuple[str, ...]
    kind: str
    use: str
    first: str = ""


_FRAME = "import numpy as np, pandas as pd; df = pd.DataFrame({'k': np.arange(200_000) % 7, 'v': 1.0, 's': 'text'})\n"
_POINTS = "import numpy as np; X = np.random.default_rng(0).random((2000, 8)); y = X[:, 0] > 0.5\n"

ROWS = [
    Row(
        "numpy, BLAS", ("numpy",), "fork", "import numpy as np; m = np.ones((800, 800)); m @ m; np.linalg.svd(m[:200])"
    ),
    Row(
        "pandas, groupby and merge", ("pandas",), "fork", _FRAME + "df.groupby('k').v.sum(); df.merge(df[:10], on='v')"
    ),
    Row("pandas, text", ("pandas",), "fork", _FRAME + "df.s.str.upper().value_counts()"),
    Row(
        "pyarrow, compute",
        ("pyarrow",),
        "fork",
        "import pyarrow as pa; t = pa.table({'k': [1, 2] * 100_000, 'v': range(200_000)})\n"
        "t.group_by('k').aggregate([('v', 'sum')])",
    ),
    Row(
        "pyarrow, parquet and datasets",
        ("pyarrow",),
        "fork",
        "import pyarrow as pa, pyarrow.parquet as pq, pyarrow.dataset as ds, tempfile\n"
        "name = tempfile.mkdtemp() + '/t.parquet'; pq.write_table(pa.table({'v': range(200_000)}), name)\n"
        "assert ds.dataset(name).to_table().num_rows == 200_000",
    ),
    Row(
        "polars",
        ("polars",),
        "spawn",
        "import polars as pl; p = pl.DataFrame({'k': [1, 2] * 100_000, 'v': range(200_000)})\n"
        "p.group_by('k').agg(pl.col('v').sum()).sort('k'); p.lazy().filter(pl.col('v') > 5).collect()",
    ),
    Row(
        "polars, only imported there",
        ("polars",),
        "spawn",
        "import polars as pl\nif 'in_branch' in globals(): pl.DataFrame({'v': [2, 1]}).sort('v')",
    ),
    Row(
        "polars, used in the branch only",
        ("polars",),
        "fork",
        "if 'in_branch' in globals():\n"
        "    import polars as pl\n"
        "    p = pl.DataFrame({'k': [1, 2] * 100_000, 'v': range(200_000)}).sort('v').group_by('k').len()",
    ),
    Row(
        "duckdb, connection of its own",
        ("duckdb",),
        "fork",
        "import duckdb; c = duckdb.connect()\n"
        "c.sql('select i % 7 k, sum(i) from range(1000000) t(i) group by k order by k').fetchall()",
    ),
    Row(
        "duckdb, connection of the notebook",
        ("duckdb",),
        "fork",
        "if 'c' not in globals():\n"
        "    import duckdb; c = duckdb.connect()\n"
        "c.sql('select i % 7 k, sum(i) from range(1000000) t(i) group by k order by k').fetchall()",
    ),
    Row(
        "scikit-learn, OpenMP",
        ("sklearn",),
        "fork",
        _POINTS
        + "from sklearn.ensemble import HistGradientBoostingClassifier as H; from sklearn.cluster import KMeans\n"
        "H(max_iter=10).fit(X, y); KMeans(4, n_init=1).fit(X)",
    ),
    Row(
        "scikit-learn, joblib threads",
        ("sklearn",),
        "fork",
        _POINTS + "from sklearn.ensemble import RandomForestClassifier as R; R(20, n_jobs=2).fit(X, y)",
    ),
    Row(
        "scikit-learn, loky processes",
        ("sklearn",),
        "fork",
        _POINTS
        + "from sklearn.linear_model import LogisticRegression as L; from sklearn.model_selection import GridSearchCV\n"
        "GridSearchCV(L(), {'C': [0.1, 1]}, n_jobs=2, cv=2).fit(X, y)",
    ),
    Row(
        "torch, backward and Adam",
        ("torch",),
        "fork",
        "import torch; net = torch.nn.Linear(256, 256); opt = torch.optim.Adam(net.parameters())\n"
        "for _ in range(3): opt.zero_grad(); net(torch.ones(512, 256)).sum().backward(); opt.step()",
    ),
    Row(
        "torch, loader with a worker",
        ("torch",),
        "fork",
        "import torch; from torch.utils.data import DataLoader\n"
        "assert len(list(DataLoader(range(100), batch_size=10, num_workers=1))) == 10",
    ),
    Row(
        "torch and scikit-learn together",
        ("torch", "sklearn"),
        "fork",
        _POINTS + "import torch; from sklearn.cluster import KMeans\n"
        "KMeans(4, n_init=1).fit(X); torch.ones(800, 800) @ torch.ones(800, 800)",
    ),
    Row(
        "executor of the notebook, idle",
        (),
        "fork",
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(2) as own: assert list(own.map(abs, [-1, -2])) == [1, 2]",
        first="from concurrent.futures import ThreadPoolExecutor\n"
        "pool = ThreadPoolExecutor(2); pool.submit(abs, 1).result()",
    ),
    Row(
        "thread of the user at work",
        (),
        "spawn",
        "import threading; t = threading.Thread(target=print); t.start(); t.join()",
        first="import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
    ),
    Row(
        "matplotlib",
        ("matplotlib",),
        "fork",
        "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.savefig('/dev/null', format='png')",
    ),
    Row("logging", (), "fork", "import logging; logging.basicConfig(); logging.getLogger('it').warning('said')"),
    Row(
        "sqlite",
        (),
        "fork",
        "import sqlite3; db = sqlite3.connect(':memory:')\n"
        "db.execute('create table t(x)'); db.execute('insert into t values (1)')",
    ),
]
"""The rows of the matrix."""


async def _play(row: Row) -> dict[str, Any]:
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    namespace = vars(main)
    exec(row.first, namespace)
    exec(row.use, namespace)
    choice = check("auto")
    branch = open_branch(namespace, Kit((None,)), kind=choice.kind, reason=choice.reason)
    seen: dict[str, Any] = {"row": row.name, "kind": choice.kind, "reason": choice.reason}
    try:
        await branch.start()
        await branch.run("in_branch = True", timeout=_LIMIT, serve=no_calls)
        for when in ("branch", "after"):
            result = await branch.run(row.use, timeout=_LIMIT, serve=no_calls)
            seen[when] = result.outcome if result.outcome == "ok" else f"{result.outcome}: {result.error}"
            seen[f"{when}_seconds"] = round(result.seconds, 2)
            lost = await branch.run("while True: pass", timeout=0.3, serve=no_calls)
            seen["notes"] = lost.notes
    finally:
        branch.close()
    return seen


def missing(row: Row) -> list[str]:
    """Return the modules that a row needs and that are not installed."""
    return [module for module in row.needs if importlib.util.find_spec(module) is None]


def play(row: Row) -> dict[str, Any]:
    """Play a row in a fresh process: the kind of branch and its reason, and how each use ended, in how many seconds.

    Raises:
        AssertionError: the row cannot be played at all, for example because its code fails in the notebook.

    """
    command = [sys.executable, "-m", __spec__.name, row.name]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MPLBACKEND": "agg"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


if __name__ == "__main__":
    chosen = next(row for row in ROWS if row.name == sys.argv[1])
    sys.stdout.write(json.dumps(asyncio.run(_play(chosen))))
