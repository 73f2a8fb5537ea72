"""The house keeps its order: arrows run one way, names are what they claim, nothing local leaks in."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {
    "rlm_kernel": ROOT / "kernel" / "rlm_kernel",
    "rlm_magics": ROOT / "magics" / "rlm_magics",
    "rlm_widgets": ROOT / "widgets" / "rlm_widgets",
}
MAY_IMPORT = {
    "rlm_kernel": {"rlm_kernel"},
    "rlm_widgets": {"rlm_kernel", "rlm_widgets"},
    "rlm_magics": {"rlm_kernel", "rlm_magics", "rlm_widgets"},
}
MODULES = sorted(file for room in ROOMS.values() for file in room.rglob("*.py"))
EAGER = ("IPython", "anywidget", "dill", "httpx2", "ipykernel", "numpy", "openai", "pandas")
LONGEST = 300


def tracked() -> list[Path]:
    """Return the files of the repository that exist, those not yet committed included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the top package of every absolute import, wherever in the file it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def bound(tree: ast.Module) -> set[str]:
    """Return the names a module binds at its top level."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update(name.asname or name.name for name in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        else:
            names.update(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return names


def exported(tree: ast.Module) -> list[str] | None:
    """Return a module's `__all__`, or `None` where it has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def undocumented(node: ast.AST, path: str) -> Iterator[str]:
    """Yield public functions, classes and methods without a docstring."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            overload = any("overload" in ast.unparse(decorator) for decorator in child.decorator_list)
            if not child.name.startswith("_") and not overload:
                if not ast.get_docstring(child):
                    yield f"{path}.{child.name}"
                if isinstance(child, ast.ClassDef):
                    yield from undocumented(child, f"{path}.{child.name}")


def in_order(names: Iterable[str]) -> list[str]:
    """Sort as the linter does: constants, classes, functions, each by name."""
    return sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))


each_module = pytest.mark.parametrize("file", MODULES, ids=[str(file.relative_to(ROOT)) for file in MODULES])


@each_module
def test_arrows_run_one_way(file: Path) -> None:
    room = next(name for name, folder in ROOMS.items() if file.is_relative_to(folder))
    wrong = set(imported(tree_of(file))) & ROOMS.keys() - MAY_IMPORT[room]
    assert not wrong


@each_module
def test_all_is_sorted_and_true(file: Path) -> None:
    tree = tree_of(file)
    names = exported(tree)
    if names is None:
        defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)}
        public = sorted(name for name in defined if not name.startswith("_"))
        assert not public, "public names, but no __all__"
        return
    assert names == in_order(set(names))
    lazy = "__getattr__" in bound(tree)
    assert lazy or not set(names) - bound(tree)


@each_module
def test_every_module_tells_its_idea_and_every_public_name_is_explained(file: Path) -> None:
    tree = tree_of(file)
    assert ast.get_docstring(tree)
    assert not list(undocumented(tree, file.stem))


@each_module
def test_modules_stay_small(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_offers_can_be_imported(room: str) -> None:
    module = importlib.import_module(room)
    names = getattr(module, "__all__", [])
    assert names == in_order(names)
    assert not [name for name in names if not hasattr(module, name)]


def test_importing_the_kernel_room_loads_nothing_heavy() -> None:
    code = "import sys, rlm_kernel, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert not set(json.loads(done.stdout)) & set(EAGER)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-ipykernel-7.3.lock"])
def test_locks_are_hashed_and_name_no_host(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    pins = re.findall(r"^[\w.-]+==[^\\]+\\\n    --hash=sha256:", text, flags=re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[^\s#]", text, flags=re.MULTILINE)) > 0


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.split(r"[^\w.-]", name)[0].replace("_", "-").lower() for name in wanted}
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    assert names <= set(pinned)


def test_nothing_local_is_committed() -> None:
    """Machine paths and registry hosts: the patterns are put together here so that this file passes as well."""
    folders = "|".join(("work", "root"))
    hosts = "|".join((r"pypi\.org", "pythonhosted", r"registry\.npmjs", r"index[-_]url"))
    local = re.compile(rf"(?<![\w.~$}}>-])/(?:{folders})/[\w.]|{hosts}".encode())
    found = {
        str(path.relative_to(ROOT)): match.group().decode(errors="replace")
        for path in tracked()
        if (match := local.search(path.read_bytes())) and path != Path(__file__)
    }
    assert not found
