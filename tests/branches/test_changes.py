"""What changed: marks before and after, hashes across a fork, and the report of a cell."""

from __future__ import annotations

import asyncio
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.branches import fingerprints, pagemap
from rlm_kernel.branches.changes import Changes, NamespaceDiff, VariableChange, preview, size_of
from rlm_kernel.branches.fingerprints import changed_since, fingerprint, mark
from rlm_kernel.errors import ProtocolError
from support.branches import branch_of, no_calls
from support.forks import frozen_copy

MANY = 300_000
"""So many items or numbers take more than a megabyte."""


class Owner:
    """Something a user could have written; it holds what cannot be pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts = {"a": 1}


# ----- marks -------------------------------------------------------------------------------------------------

Case = tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any]]


def columns() -> pd.DataFrame:
    return pd.DataFrame({"region": ["north", "south"] * (MANY // 2), "amount": np.arange(MANY)})


def objects() -> pd.DataFrame:
    return columns().astype({"region": object})


def put(key: Any, value: Any) -> Callable[[Any], None]:
    return lambda target: target.__setitem__(key, value)


CASES: dict[str, Case] = {
    "array": (lambda: np.ones(MANY), np.sum, put(MANY // 2, 2)),
    "first and last bytes of an array": (lambda: np.ones(MANY, "u1"), np.sum, put(0, 2)),
    "dates": (lambda: np.arange(MANY).astype("M8[s]"), np.max, put(7, np.datetime64(0, "s"))),
    "every third number": (lambda: np.arange(3 * MANY)[::3], np.sum, put(5, -1)),
    "backwards": (lambda: np.arange(MANY)[::-1], np.sum, put(5, -1)),
    "masked": (lambda: np.ma.masked_array([1, 2], [False, False]), np.sum, put(0, np.ma.masked)),
    "frame": (columns, lambda df: df.groupby("region").amount.sum(), lambda df: df.isetitem(1, range(MANY, 0, -1))),
    "cell of a frame": (columns, lambda df: df.describe(), lambda df: df.loc.__setitem__((5, "amount"), -1)),
    "frame of objects": (objects, lambda df: df.region.nunique(), lambda df: df.loc.__setitem__((5, "region"), "east")),
    "attributes of a frame": (columns, len, lambda df: setattr(df, "columns", ["region", "n"])),
    "list": (lambda: [str(i) for i in range(MANY)], lambda v: sum(map(len, v)), put(MANY // 2, "x")),
    "records": (
        lambda: [{"n": n, "tags": [str(n)], "text": "x" * 300} for n in range(5_000)],
        lambda v: [sorted(row.items(), key=str) for row in v],
        lambda v: v[4_000]["tags"].append("y"),
    ),
    "documents": (lambda: dict.fromkeys(range(9), "x" * MANY), lambda v: v.items(), put(5, "y")),
    "longer list": (lambda: [str(i) for i in range(MANY)], len, lambda v: v.append("x")),
    "dict": (lambda: {str(i): i for i in range(MANY)}, lambda v: sum(v.values()), put("77", -1)),
    "set": (lambda: {str(i) for i in range(MANY)}, lambda v: sum(map(len, v)), lambda v: v.remove("77")),
    "bytearray": (lambda: bytearray(MANY * 8), len, put(MANY, 1)),
    "list of arrays": (lambda: [np.ones(MANY), np.zeros(2)], len, lambda v: v[1].__setitem__(0, 1)),
    "object": (Owner, lambda v: v.counts["a"], lambda v: v.counts.update(b=2)),
    "memory map": (lambda: np.frombuffer(mmap.mmap(-1, MANY * 8), "f8"), np.sum, put(MANY // 2, 1.0)),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(params=["page map", "no page map", "hashes"])
def by_pages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param == "no page map":
        monkeypatch.setattr(fingerprints, "written_since_fork", lambda *_: None)
    return bool(request.param != "hashes")


def test_a_mark_tells_reading_from_writing(case: Case, by_pages: bool) -> None:
    make, read, write = case
    value = make()
    before = mark(value, by_pages=by_pages)
    with frozen_copy():
        read(value)
        assert not changed_since(before, value)
        write(value)
        assert changed_since(before, value)


def test_a_mark_is_taken_again_before_each_fork() -> None:
    numbers = np.ones(MANY)
    for place in range(2):
        before = mark(numbers)
        with frozen_copy():
            assert not changed_since(before, numbers)
            numbers[place] = 2
            assert changed_since(before, numbers)


def test_polars_frames_are_read_through_their_buffers() -> None:
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    frame = pl.DataFrame({"n": range(MANY), "s": ["x", "y"] * (MANY // 2)})
    before = mark(frame)
    with frozen_copy():
        frame.to_pandas()
        assert not changed_since(before, frame)
        frame[5, "n"] = -1
        assert changed_since(before, frame)


def test_what_cannot_be_read_may_have_changed_and_raises_nothing() -> None:
    class Stubborn:
        def __reduce_ex__(self, protocol: Any) -> Any:
            raise RuntimeError("no")

    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    rows = [{"n": n} for n in range(MANY)]
    assert changed_since(mark(deep), deep)
    assert changed_since(mark(rows), rows)
    assert fingerprint(deep) is None
    for value in (Stubborn(), (n for n in range(3)), threading.Lock(), [Stubborn()]):
        assert not changed_since(mark(value), value)


def test_a_mark_of_much_memory_hashes_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    crc = fingerprints._crc

    def counting(address: int, size: int) -> int:
        hashed.append(size)
        return crc(address, size)

    monkeypatch.setattr(fingerprints, "_crc", counting)
    mark(pd.DataFrame(np.ones((MANY, 10))))
    assert sum(hashed) < 2 * mmap.PAGESIZE


@pytest.mark.parametrize("closed", [OSError(1, "Operation not permitted"), b""])
def test_a_closed_page_map_is_unknown_not_unchanged(closed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        if isinstance(closed, bytes):
            return closed
        raise closed

    monkeypatch.setattr(os, "pread", refuse)
    numbers = np.ones(MANY)
    assert pagemap.written_since_fork(numbers.ctypes.data, numbers.nbytes) is None


def arrays() -> st.SearchStrategy[Any]:
    numbers = st.lists(st.integers(-9, 9), min_size=1, max_size=5)
    return numbers.map(np.array) | numbers.map(lambda n: pd.DataFrame({"n": n})) | numbers.map(set)


containers = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | arrays(),
    max_leaves=20,
)


def parts(value: Any) -> Iterator[Any]:
    """Yield everything in a value that can be changed in place."""
    if isinstance(value, (list, dict, set, np.ndarray, pd.DataFrame)):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for part in inner:
        yield from parts(part)


def change(part: Any) -> None:
    match part:
        case list():
            part.append(None)
        case dict():
            part["another key, surely"] = None
        case set():
            part.add("another item")
        case np.ndarray():
            part[0] += 1
        case pd.DataFrame():
            part.loc[0, "n"] = 100


@given(st.lists(containers, min_size=1), st.data())
@settings(max_examples=200, deadline=None)
def test_marks_and_fingerprints_see_every_change(value: list[Any], data: st.DataObject) -> None:
    before, hashed = mark(value, by_pages=False), fingerprint(value)
    assert not changed_since(before, value)
    assert fingerprint(value) == hashed
    change(data.draw(st.sampled_from(list(parts(value)))))
    assert changed_since(before, value)
    assert fingerprint(value) != hashed


# ----- fingerprints ------------------------------------------------------------------------------------------


def test_a_fingerprint_is_the_same_in_a_fork(case: Case) -> None:
    value = case[0]()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, str(fingerprint(value)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    there = os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)
    assert there == fingerprint(value)
    case[2](value)
    assert there != fingerprint(value)


# ----- reports -----------------------------------------------------------------------------------------------


def visible(name: str, value: Any) -> bool:
    return not name.startswith("_") and not isinstance(value, type(os))


def names(diff: NamespaceDiff) -> dict[str, list[str]]:
    return {event: [change["name"] for change in changes] for event, changes in diff.to_json().items() if changes}


def diff_of(code: str, namespace: dict[str, Any], *touched: str) -> NamespaceDiff:
    changes = Changes(namespace, visible, by_pages=False)
    changes.before(touched)
    exec(code, namespace)
    return changes.after()


def test_a_report_names_each_variable_once() -> None:
    namespace: dict[str, Any] = {"__builtins__": __builtins__, "old": [1], "gone": 1, "number": 1, "same": "x"}
    namespace["alias"] = namespace["old"]
    code = "import os\n_private = 1\nnew = {}\nold.append(2)\nnumber = 2000\ndel gone\nsame = same"
    diff = diff_of(code, namespace, "old", "new", "number", "gone", "same", "never")
    assert names(diff) == {"added": ["new"], "rebound": ["number"], "changed": ["alias", "old"], "removed": ["gone"]}
    assert diff.changed[1] == {"name": "old", "type": "list", "size": None, "preview": "2 items"}
    assert diff.rebound[0]["preview"] == "2000"
    assert diff
    assert not diff_of("old[0]", namespace, "old")


def test_a_name_that_becomes_or_was_a_module_is_new_or_gone() -> None:
    namespace: dict[str, Any] = {"a": 1, "b": os}
    assert names(diff_of("import os as a\nb = 2", namespace)) == {"added": ["b"], "removed": ["a"]}


def test_the_total_of_a_run_forgets_what_was_undone() -> None:
    namespace: dict[str, Any] = {"kept": [1], "lost": 1, "back": 1}
    cells = [
        ("new = 1\nbrief = 1\nkept.append(2)\ndel back", ["kept"]),
        ("new = 2\ndel brief\nlost = 2000\nback = 2000", []),
        ("new = [1]\ndel lost", []),
        ("new.append(2)\nkept.append(3)", ["new", "kept"]),
    ]
    total = NamespaceDiff.total([diff_of(code, namespace, *touched) for code, touched in cells])
    assert names(total) == {"added": ["new"], "rebound": ["back"], "changed": ["kept"], "removed": ["lost"]}
    assert total.added[0]["preview"] == "2 items"
    assert NamespaceDiff.total([]) == NamespaceDiff()


def test_a_report_survives_json_and_nothing_else_passes_for_one() -> None:
    diff = diff_of("a = 1", {})
    assert NamespaceDiff.from_json(diff.to_json()) == diff
    for wrong in (None, {}, {"added": 1}, {**diff.to_json(), "added": [{"name": "a"}]}, [1]):
        with pytest.raises(ProtocolError):
            NamespaceDiff.from_json(wrong)


def test_a_cell_that_touches_nothing_looks_into_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    namespace: dict[str, Any] = {f"v{n}": [n] for n in range(1_000)}

    def remembering(name: str, value: Any) -> bool:
        looked.append(name)
        return True

    changes = Changes(namespace, remembering)
    changes.before(["elsewhere"])
    assert not changes.after()
    assert looked == []


@pytest.mark.parametrize(
    ("value", "size", "shown"),
    [
        (np.zeros((3, 4)), 96, "3 x 4"),
        (pd.DataFrame({"a": [1, 2]}, index=[0, 1]), 32, "2 x 1"),
        (b"", 33, "b''"),
        ([1], None, "1 item"),
        ("é" * 200, None, "'" + "é" * 78 + "…"),
        ([10**5_000] * 2, None, "2 items"),
        (int, None, ""),
        (1 + 2j, None, "(1+2j)"),
    ],
)
def test_size_and_preview(value: Any, size: int | None, shown: str) -> None:
    assert size_of(value) == size or isinstance(value, str)
    assert preview(value) == shown
    assert "\n" not in preview(value)


@pytest.mark.parametrize("kind", ["fork", "spawn"])
def test_a_branch_reports_what_its_cells_changed(kind: str) -> None:
    async def story() -> list[dict[str, list[VariableChange]]]:
        namespace = {"df": columns(), "words": [str(n) for n in range(MANY)], "spare": 1}
        async with branch_of(kind, namespace) as branch:
            cells = ["df.sum(); words.count('x'); n = 1", "df.loc[0, 'amount'] = -1; del spare", "words[-1] = 'x'"]
            return [(await branch.run(code, timeout=20, serve=no_calls)).diff for code in cells]

    first, second, third = [names(NamespaceDiff.from_json(diff)) for diff in asyncio.run(story())]
    assert first == {"added": ["n"]}
    assert second == {"changed": ["df"], "removed": ["spare"]}
    assert third == {"changed": ["words"]}
