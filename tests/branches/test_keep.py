"""What comes back from a branch, as what it was there; and what does not, with the reason."""

from __future__ import annotations

import asyncio
import os
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rlm_kernel.branches.keep import Parcel, Snapshot, pack, unpack
from rlm_kernel.branches.refusals import path_to
from rlm_kernel.errors import KeepError
from support.branches import KINDS, branch_of, no_calls

DEFINITIONS = """
import abc, collections, dataclasses, enum, functools, typing
factor = 10
class Base(abc.ABC):
    @abc.abstractmethod
    def scaled(self): ...
class Point(Base):
    def __init__(self, x):
        super().__init__()
        self.x = x
    def scaled(self): return self.x * factor
class Child(Point): pass
@dataclasses.dataclass
class Row:
    n: int
    tags: list = dataclasses.field(default_factory=list)
class Color(enum.Enum):
    RED = 1
    GREEN = 2
    CRIMSON = 1
    def loud(self): return self.name + "!"
class Slots:
    __slots__ = ("a", "b")
Pair = collections.namedtuple("Pair", "left right")
class Typed(typing.NamedTuple):
    n: int
    m: int = 3
point = Point(3); child = Child(4); row = Row(1); red = Color.RED; pair = Pair(1, 2); typed = Typed(1)
slots = Slots(); slots.a = 1
alias = point
both = [point, point]
method = point.scaled
def scaled(v): return v * factor
def counter():
    n = 0
    def step():
        nonlocal n
        n += factor
        return n
    return step
step = counter()
def factorial_maker():
    def factorial(n): return 1 if n < 2 else n * factorial(n - 1)
    return factorial
factorial = factorial_maker()
adder = functools.partial(scaled, 2)
@functools.cache
def cached(v): return v + factor
"""


def new_namespace(name: str) -> dict[str, Any]:
    """Return the variables of a session: those of a module, or a plain dict that is nobody's."""
    namespace: dict[str, Any] = {"__name__": "__main__"} if name == "plain dict" else vars(types.ModuleType("__main__"))
    namespace["__builtins__"] = __builtins__
    return namespace


def across(wanted: dict[str, Any], snapshot: Snapshot | None = None) -> tuple[dict[str, Any], Parcel]:
    """Pack and unpack, as if the other end had what the snapshot has, and nothing of it had changed."""
    snapshot = snapshot or Snapshot({})
    parcel = pack(wanted, snapshot, lambda _: True)
    return unpack(parcel, snapshot), parcel


def reasons(parcel: Parcel) -> dict[str, str]:
    return {refused["name"]: refused["reason"] for refused in parcel.refused}


async def kept(
    namespace: dict[str, Any], *cells: str, keep: str = "new", kind: str = "fork"
) -> tuple[dict[str, Any], Parcel]:
    """Run cells on a branch and bring back what `keep` means."""
    async with branch_of(kind, namespace) as branch:
        for code in cells:
            done = await branch.run(code, timeout=60, serve=no_calls)
            assert done.outcome == "ok", done.error
        parcel = await branch.keep(keep)
        return unpack(parcel, branch.snapshot), parcel


# ----- between two processes that share their past -----------------------------------------------------------


@pytest.mark.parametrize("where", ["module", "plain dict"])
def test_what_cells_define_comes_back_whole(where: str) -> None:
    there, here = new_namespace(where), new_namespace(where)
    exec(DEFINITIONS, there)
    wanted = {n: v for n, v in there.items() if not n.startswith("_") and not isinstance(v, types.ModuleType)}
    parcel = pack(wanted, Snapshot({}, there), lambda _: True)
    v = unpack(parcel, Snapshot({}, here))
    assert reasons(parcel) == {}
    assert v["both"][0] is v["both"][1] is v["point"] is v["alias"] is v["method"].__self__
    assert [c.__name__ for c in type(v["child"]).__mro__[:3]] == ["Child", "Point", "Base"]
    assert type(v["child"]) is v["Child"]
    assert type(v["row"]) is v["Row"]
    assert v["row"] == v["Row"](1)
    assert v["red"] is v["Color"].RED is v["Color"].CRIMSON
    assert v["red"].loud() == "RED!"
    assert (v["pair"], v["typed"], v["slots"].a, v["factorial"](5)) == ((1, 2), (1, 3), 1, 120)
    with pytest.raises(TypeError, match="abstract"):
        v["Base"]()


@pytest.mark.parametrize("where", ["module", "plain dict"])
def test_functions_come_back_with_the_live_globals(where: str) -> None:
    there, here = new_namespace(where), new_namespace(where)
    exec(DEFINITIONS, there)
    names = ("scaled", "point", "step", "adder", "cached", "method")
    v = unpack(pack({n: there[n] for n in names}, Snapshot({}, there), lambda _: True), Snapshot({}, here))
    here["factor"] = 7
    assert v["scaled"].__globals__ is here
    assert (v["scaled"](2), v["adder"](), v["cached"](1), v["step"](), v["step"]()) == (14, 14, 8, 7, 14)
    assert v["point"].scaled() == v["method"]() == 21
    there["factor"] = 0
    assert v["scaled"](2) == 14


def test_what_both_have_is_named_and_not_sent() -> None:
    class Point:
        pass

    Point.__module__ = "__main__"
    past = {"big": np.ones(1_000_000), "Point": Point, "p": Point(), "rows": [1]}
    snapshot = Snapshot(past, past)
    fresh = Point()
    back, parcel = across({"a": past["big"], "b": [past["big"], past["rows"]], "q": fresh, "P": Point}, snapshot)
    assert back["a"] is back["b"][0] is past["big"]
    assert back["b"][1] is past["rows"]
    assert type(back["q"]) is back["P"] is Point
    assert parcel.pickle_size < 1_000
    assert parcel.buffers == []


def test_a_class_without_a_name_keeps_its_identity() -> None:
    namespace = new_namespace("plain dict")
    exec(
        "class Point: pass\nclass Child(Point): pass\np = Child()\nPoint_ = Point\ndel Point, Child, Point_", namespace
    )
    snapshot = Snapshot({"p": namespace["p"]})
    kind = type(namespace["p"])
    back, _ = across({"q": kind(), "base": kind.__mro__[1]}, snapshot)
    assert type(back["q"]) is kind
    assert back["base"] is kind.__mro__[1]


def test_what_changed_is_sent_and_replaces_the_binding() -> None:
    old = [1]
    snapshot = Snapshot({"old": old, "other": old})
    parcel = pack({"old": old, "pair": (old, old)}, snapshot, lambda name: False)
    back = unpack(parcel, snapshot)
    assert back["old"] == old
    assert back["old"] is not old
    assert back["pair"][0] is back["pair"][1] is back["old"]


# ----- what cannot travel ------------------------------------------------------------------------------------

REFUSED = {
    "lock": "import threading; x = threading.Lock()",
    "the process that made it": "import threading; x = threading.Condition()",
    "open file": "x = open(0, closefd=False)",
    "list(...)": "x = (i for i in 'ab')",
    "coroutine": "async def f(): pass\nx = f(); y = x.close()",
    "connection": "import socket; x = socket.socket(); x.close()",
    "a connection belongs": "import sqlite3; x = sqlite3.connect(':memory:'); x.close()",
    "fetchall()": "import sqlite3; c = sqlite3.connect(':memory:'); x = c.cursor(); c.close()",
    "thread ends": "import threading; x = threading.Thread()",
    "workers end": "from concurrent.futures import ThreadPoolExecutor; x = ThreadPoolExecutor(1)",
    "keep its bytes": "import mmap; x = mmap.mmap(-1, 1)",
    "keep the object": "import weakref\nclass C: pass\nc = C(); x = weakref.ref(c)",
    "a process ends": "import multiprocessing; x = multiprocessing.Process()",
    "queue": "import queue; x = queue.Queue()",
    "task": "from concurrent.futures import Future; x = Future()",
    "event loop": "import asyncio; x = asyncio.new_event_loop(); x.close()",
    "memoryview": "x = memoryview(b'')",
    "cannot be pickled: RuntimeError: no": "class C:\n def __reduce_ex__(self, p): raise RuntimeError('no')\nx = C()",
    "missing 1 required": "class E(Exception):\n def __init__(self, a, b): super().__init__(a)\nx = E(1, 2)",
}


@pytest.mark.parametrize("wrap", ["x", "{'a': [0, x]}", "Box(x)", "lambda: x"])
@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_travel_is_refused_with_the_reason_and_the_rest_travels(reason: str, wrap: str) -> None:
    namespace = new_namespace("plain dict")
    exec(f"class Box:\n    def __init__(self, item): self.item = item\n{REFUSED[reason]}", namespace)
    if wrap == "lambda: x":
        exec("wrapped = (lambda x: lambda: x)(x)", namespace)
    else:
        exec(f"wrapped = {wrap}", namespace)
    wanted = {"good": [1], "wrapped": namespace["wrapped"], "f": namespace["Box"]}
    back, parcel = across(wanted, Snapshot({}, namespace))
    assert sorted(back) == ["f", "good"]
    assert back["good"] == [1]
    assert reason in reasons(parcel)["wrapped"]
    assert parcel.refused[0]["type"] == type(namespace["wrapped"]).__qualname__
    assert [name["name"] for name in parcel.kept] == ["good", "f"]


def test_the_reason_says_where_it_was_found() -> None:
    namespace = new_namespace("plain dict")
    exec("import threading\nclass Box: pass\nbox = Box()\nbox.parts = {'deep': [0, threading.Lock()]}", namespace)
    _, parcel = across({"box": namespace["box"]}, Snapshot({}, namespace))
    assert reasons(parcel)["box"] == "box.parts['deep'][1]: a lock belongs to the process that made it"
    needle = object()
    assert path_to(needle, [{"a": (1, needle)}]) == "[0]['a'][1]"
    assert path_to(needle, [1]) == ""


def test_in_memory_files_and_iterators_over_lists_travel() -> None:
    import io

    back, parcel = across({"text": io.StringIO("abc"), "data": io.BytesIO(b"abc"), "rest": iter([1, 2])})
    assert parcel.refused == []
    assert (back["text"].getvalue(), back["data"].read(), list(back["rest"])) == ("abc", b"abc", [1, 2])


def test_a_parcel_that_is_not_one_is_an_error_in_words() -> None:
    fd = os.memfd_create("nonsense")
    os.write(fd, b"nonsense")
    with pytest.raises(KeepError, match="could not be brought back"):
        unpack(Parcel(fd, 8, [], [], []), Snapshot({}))
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(fd)


# ----- data --------------------------------------------------------------------------------------------------


def frame() -> pd.DataFrame:
    return pd.DataFrame({"n": range(5), "s": list("abcde"), "c": pd.Categorical(list("aabbc"))})


DATA: dict[str, Callable[[], Any]] = {
    "frame": frame,
    "series": lambda: frame()["n"],
    "group sums": lambda: frame().groupby("s").n.sum(),
    "view": lambda: np.arange(10)[::2],
    "dates": lambda: np.arange(3).astype("M8[s]"),
    "empty": lambda: np.zeros((0, 3)),
    "object array": lambda: np.array([1, "a", None], dtype=object),
    "nested": lambda: {"a": [np.arange(3), {"b": frame()}], "c": (1, {2})},
}


@pytest.mark.parametrize("with_code", [False, True], ids=["data alone", "with a function"])
@pytest.mark.parametrize("name", DATA)
def test_data_come_back_equal_and_can_be_written_to(name: str, with_code: bool) -> None:
    value = DATA[name]()
    wanted = {"value": value, **({"f": lambda: 1} if with_code else {})}
    back, parcel = across(wanted)
    assert parcel.refused == []
    assert repr(back["value"]) == repr(value)
    if isinstance(back["value"], np.ndarray) and back["value"].size:
        back["value"][0] = back["value"][1]


def test_polars_frames_travel() -> None:
    pl = pytest.importorskip("polars")
    back, parcel = across({"frame": pl.DataFrame({"n": [1, 2], "s": ["x", None]})})
    assert parcel.refused == []
    assert back["frame"].rows() == [(1, "x"), (2, None)]


@pytest.mark.parametrize("with_code", [False, True], ids=["data alone", "with a function"])
def test_long_lists_go_by_the_fast_way(with_code: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import dill

    saved: list[int] = []
    save = dill.Pickler.save

    def counting(self: Any, obj: Any, *rest: Any) -> None:
        saved.append(1)
        save(self, obj, *rest)

    monkeypatch.setattr(dill.Pickler, "save", counting)
    words = [f"word {n}" for n in range(50_000)]
    namespace = new_namespace("plain dict")
    exec("def f(): return 1", namespace)
    wanted = {"words": words, "index": dict.fromkeys(words, 1), **({"f": namespace["f"]} if with_code else {})}
    back, _ = across(wanted, Snapshot({}, namespace))
    assert back["words"] == words
    assert back["index"] == wanted["index"]
    assert len(saved) < 500


# ----- through real branches ---------------------------------------------------------------------------------


def test_a_branch_brings_back_new_names_only() -> None:
    namespace: dict[str, Any] = {"old": [1], "df": frame()}
    values, parcel = asyncio.run(
        kept(namespace, "new = old\nold.append(2)\nimport os\n_hidden = 1\ntotal = df.n.sum()")
    )
    assert sorted(values) == ["new", "total"]
    assert values["total"] == 10
    assert values["new"] == [1, 2]
    assert namespace["old"] == [1]
    assert parcel.refused == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_function_sees_what_the_user_changes_later(kind: str) -> None:
    namespace: dict[str, Any] = {"factor": 10, "rows": [1]}
    code = "def scaled(v): return v * factor\nclass Point:\n    def scaled(self): return factor\npoint = Point()"
    values, _ = asyncio.run(kept(namespace, code, kind=kind))
    namespace.update(values, factor=7)
    assert namespace["scaled"](2) == 14
    assert namespace["point"].scaled() == 7
    assert type(namespace["point"]) is namespace["Point"]


def test_an_unchanged_frame_comes_back_as_itself_and_a_changed_one_as_another() -> None:
    df = frame()
    namespace: dict[str, Any] = {"df": df, "other": df, "spare": frame()}
    values, _ = asyncio.run(kept(namespace, "same = spare", "df.loc[0, 'n'] = -1", keep="df,same"))
    assert values["same"] is namespace["spare"]
    namespace.update(values)
    assert namespace["df"].n[0] == -1
    assert namespace["other"] is df
    assert df.n[0] == 0


def test_all_brings_back_both_names_of_a_changed_object_as_one() -> None:
    rows = [1]
    namespace: dict[str, Any] = {"rows": rows, "alias": rows, "untouched": [2]}
    values, _ = asyncio.run(kept(namespace, "alias.append(2); number = 1", keep="all"))
    assert sorted(values) == ["alias", "number", "rows"]
    assert values["rows"] is values["alias"]
    assert values["rows"] == [1, 2]


def test_a_snapshot_knows_what_was_removed() -> None:
    snapshot = Snapshot({"a": 1, "b": 2, "\0context": 3})
    assert snapshot.removed_from({"b": 5, "c": 6}) == ["a"]
    fd_free = pack({}, snapshot, lambda _: True, removed=["a"])
    assert fd_free.removed == ["a"]
    assert unpack(fd_free, snapshot) == {}


@pytest.mark.slow
def test_a_gigabyte_comes_back_without_being_copied_here() -> None:
    code = "import numpy as np, pandas as pd\nbig = pd.DataFrame(np.ones((13_421_773, 10)))\nbig.iloc[7, 3] = 2.0"
    values, parcel = asyncio.run(kept({}, code))
    big = values["big"]
    assert sum(length for _, length in parcel.buffers) >= 2**30
    assert big.shape == (13_421_773, 10)
    assert private_bytes(big) < 2**20
    big.iloc[0, 0] = 5.0
    assert (big.iloc[0, 0], big.iloc[7, 3], big.iloc[-1, -1]) == (5.0, 2.0, 1.0)
    assert private_bytes(big) < 2**24


def private_bytes(frame: pd.DataFrame) -> int:
    """Return how much of a frame's memory this process has copied for itself."""
    address = frame.to_numpy().__array_interface__["data"][0]
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    for line in lines:
        start, dash, rest = line.partition(" ")[0].partition("-")
        if dash and int(start, 16) <= address < int(rest, 16):
            return next(int(field.split()[1]) * 1024 for field in lines if field.startswith("Private_Dirty"))
    raise AssertionError("the frame is nowhere")
