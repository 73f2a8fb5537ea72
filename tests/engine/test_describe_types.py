"""Cards of the many types a notebook holds; the libraries that are not installed here are described by class name."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import mmap
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from rlm_kernel.engine.describe import describe

DAY = datetime.date(2024, 1, 1)


class Place(NamedTuple):
    name: str
    height: int


@dataclasses.dataclass
class Employee:
    name: str
    boss: dict[str, Any]


def lines_of(value: object) -> list[str]:
    return describe(value).splitlines()


# ----- pandas ------------------------------------------------------------------------------------------------------


def test_a_frame_of_every_kind_of_column() -> None:
    """Peers 6."""
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical(["a", "b", "a"]),
            "when": pd.to_datetime(["2024-01-01", "NaT", "2024-03-01"]),
            "month": pd.period_range("2024-01", periods=3, freq="M"),
            "part": pd.arrays.SparseArray([0.0, 0.0, 1.0]),
            "day": [DAY, None, datetime.date(2024, 1, 3)],
            "took": pd.to_timedelta([1, 2, 3], unit="s"),
            "step": pd.arrays.IntervalArray.from_breaks(range(4)),
            "text": pd.array(["x", None, "y"], dtype="string"),
        }
    )
    card = describe(frame)
    assert "description failed" not in card
    for line in (
        '- "kind": category; distinct 2; values "a", "b"',
        '- "month": period[M]; distinct 3; range 2024-01 .. 2024-03',
        '- "part": Sparse[float64, nan]; distinct 2; range 0.0 .. 1.0',
        '- "step": interval[int64, right]; distinct 3; range (0, 1] .. (2, 3]',
        '- "text": string; nulls 33.3%; distinct 2; values "x", "y"',
    ):
        assert line in card.splitlines()
    assert "nulls 33.3%; distinct 2; range 2024-01-01 00:00:00 .. 2024-03-01 00:00:00" in card
    assert "range 0:00:01 .. 0:00:03" in card or "range 0 days 00:00:01 .. 0 days 00:00:03" in card
    assert '\n"b" | NaT | 2024-02 | 0.0 | ' in card


def test_dates_that_are_too_many_to_list_have_a_range() -> None:
    days = [DAY + datetime.timedelta(days=n) for n in range(50)]
    for value in (pd.DataFrame({"day": days}), [{"day": day} for day in days]):
        assert "distinct 50; range 2024-01-01 .. 2024-02-19" in describe(value)


def test_indexes_are_named() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4], ("x", "y"): [5, 6]})
    assert 'index: MultiIndex of "a", "b"' in describe(frame.set_index(["a", "b"]))
    assert '- ("x", "y"): int64' in describe(frame)
    dated = pd.Series([1, 2], index=pd.date_range("2024", periods=2, name="day"))
    assert 'index: "day", DatetimeIndex of ' in describe(dated)
    assert "; first 2024-01-01 00:00:00, last 2024-01-02 00:00:00" in describe(dated)
    assert describe(frame.set_index(["a", "b"]).index) == 'MultiIndex: 2 entries of "a", "b"'


class GeoFrame(pd.DataFrame):
    """A table whose own class, cells and metadata say more than a DataFrame's."""

    @property
    def _constructor(self) -> type[GeoFrame]:
        return GeoFrame


class Shape:
    def __repr__(self) -> str:
        raise AssertionError("repr was called")


def test_a_subclass_of_a_frame_is_drawn_as_one_under_its_own_name() -> None:
    lines = lines_of(GeoFrame({"n": [1, 2], "geometry": [Shape(), Shape()]}))
    assert lines[0].startswith("GeoFrame: 2 rows x 2 columns")
    assert '- "geometry": object; distinct 2' in lines
    assert "1 | Shape" in lines


def test_pandas_values_outside_a_series() -> None:
    assert lines_of(pd.Categorical(["a", "b"])) == ["Categorical: 2 values of category", 'first values: "a", "b"']
    assert describe(pd.Period("2024-01")) == "Period: 2024-01"
    assert describe(pd.Timestamp("2024-01-01")) == "Timestamp: 2024-01-01 00:00:00"


# ----- numpy -------------------------------------------------------------------------------------------------------


def test_what_lies_below_a_mask_is_not_shown() -> None:
    card = describe(np.ma.masked_array([1, 777, 3], mask=[False, True, False]))
    assert "777" not in card
    assert card.splitlines()[1:] == ["range: 1 .. 3", "nulls: 33.3%", "first values: 1, masked, 3"]


def test_a_structured_array_is_drawn_field_by_field() -> None:
    card = describe(np.array([(1, "x"), (2, "y")], dtype=[("n", "i4"), ("word", "U5")]))
    assert '- "n": int32; distinct 2; range 1 .. 2' in card
    assert '- "word": <U5; distinct 2; values "x", "y"' in card
    assert card.endswith('first rows:\n1 | "x"\n2 | "y"')


def test_other_arrays() -> None:
    assert "first values: 5" in describe(np.array(5))
    assert "types: NoneType 1, int 1, str 1" in describe(np.array([1, "a", None], dtype=object))
    assert "range: 2024-01-01 .. 2024-01-02" in describe(np.array(["2024-01-01", "2024-01-02"], dtype="M8[D]"))
    assert "last values: 97, 98, 99" in describe(np.arange(100))


# ----- Python's own ------------------------------------------------------------------------------------------------


def test_a_tree_is_outlined_down_to_its_leaves() -> None:
    """Peers 2."""
    users = [{"name": f"u{i}", "home": {"city": "Ulm", "zip": i}, "tags": ["x", {"deep": i}]} for i in range(40)]
    lines = lines_of({"version": 3, "data": {"users": users}})
    assert lines == [
        "dict: 2 keys",
        "types: dict 1, int 1",
        '- "version": int 3',
        '- "data": dict, 1 keys: "users"',
        '  - "users": list, 40 items: dict of 3, dict of 3, dict of 3, dict of 3, dict of 3, …',
        "    each item: dict 40",
        '      - "name": str; distinct 40',
        '      - "home": dict',
        '        - "city": str; distinct 1; values "Ulm"',
        '        - "zip": int; distinct 40; range 0 .. 39',
        '      - "tags": list',
        "        each item: dict 40, str 40",
    ]


def test_an_outline_is_as_deep_as_there_is_room() -> None:
    tree = {f"key {i}": {f"inner {j}": {"leaf": j} for j in range(5)} for i in range(8)}
    assert '    - "leaf": int 3' in lines_of(tree)
    shallow = describe(tree, limit=2500)
    assert '  - "inner 3": dict' in shallow
    assert '- "leaf"' not in shallow
    assert '- "key 7": dict' in describe(tree, limit=1000)


def test_a_dict_of_many_records_says_what_they_have_in_common() -> None:
    card = describe({f"id{i}": {"name": f"n{i}", "age": i} for i in range(5000)})
    assert card.startswith("dict: 5,000 keys\ntypes: dict 5,000\neach value has some of these keys:\n")
    assert '\n  - "age": int; distinct ~500; range ~0 .. 499\n' in card
    assert '\n- "id7": dict, 2 keys: "name", "age"\n' in card


def test_records_may_have_any_class() -> None:
    places = describe([Place("Ulm", 478), Place("Rom", 21)])
    assert places.startswith("list of Place: 2 records, 2 fields\n")
    assert '- "height": int; distinct 2; range 21 .. 478' in places
    assert '{"name": "Ulm", "height": 478}' in places
    employees = describe([Employee("Ann", {"since": 2020}), Employee("Bob", {"since": 2021})])
    assert '- "boss": dict\n  - "since": int; distinct 2; range 2020 .. 2021' in employees
    assert "- name: str, 3 characters" in describe(Place("Ulm", 478))


def test_pydantic_models_are_records() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("City", name=(str, ...), height=(int, ...))
    assert "- height: int 478" in describe(model(name="Ulm", height=478))
    assert describe([model(name="Ulm", height=478)]).startswith("list of City: 1 records, 2 fields")


def test_relatives_of_dict_and_list() -> None:
    assert describe(collections.Counter("hello")).startswith("Counter: 4 keys\ntypes: int 4\nrange: 1 .. 2")
    grown = collections.defaultdict(list, a=[1])
    assert describe(grown).startswith('defaultdict: 1 keys\ntypes: list 1\n- "a": list, 1 items: 1')
    assert list(grown) == ["a"]
    assert describe(collections.OrderedDict(a=1)).startswith("OrderedDict: 1 keys")
    assert describe(types.MappingProxyType({"a": 1})).startswith("mappingproxy: 1 keys")
    assert describe(collections.UserDict(a=1)).startswith("UserDict: 1 keys")
    long = collections.deque(range(100_000))
    assert describe(long).startswith("deque: 100,000 items\ntypes: int ~20,000\nrange: ~0 .. 99999")
    assert describe(range(0, 100, 7)) == "range: 15 items, 0 .. 98 in steps of 7"
    assert describe(range(0)) == "range: 0 items"


def test_texts_and_buffers_begin_and_end() -> None:
    text = describe("first" + "." * 500 + "last")
    assert text.startswith('str: 509 characters, 1 lines\nbegins: "first')
    assert text.endswith('last"')
    assert describe(b"abc\ndef").startswith("bytes: 7 bytes, 2 lines\nbegins: b'abc\\ndef'")
    assert describe(memoryview(b"abc")) == "memoryview: shape (3,), format \"B\", 3 bytes\nbegins: b'abc'"
    assert describe(memoryview(array.array("i", [1, 2]))[::2]).startswith("memoryview: shape (1,)")
    with mmap.mmap(-1, 10) as mapped:
        mapped.write(b"abc")
        assert describe(mapped).startswith("mmap: 10 bytes\nbegins: b'abc")
        assert mapped.tell() == 3


@pytest.mark.parametrize(
    "value",
    [[], {}, (), "", b"", set(), range(0), pd.DataFrame(), pd.Series(dtype=float), np.array([]), np.ma.array([])],
)
def test_nothing_has_a_card_too(value: object) -> None:
    card = describe(value)
    assert "0" in card
    assert "description failed" not in card


# ----- libraries that may be there ---------------------------------------------------------------------------------


def test_polars_is_read_without_starting_its_threads(tmp_path: Path) -> None:
    """In a process of its own, as threads once started stay. Also peers 6."""
    pytest.importorskip("polars")
    code = """
import os, polars
from rlm_kernel.engine.describe import describe
frame = polars.DataFrame({"n": range(50_000), "s": ["x", "y"] * 25_000, "salary": [1.5] * 50_000, "l": [[1]] * 50_000})
def threads():
    return sorted(open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task"))
before = threads()
print(describe(frame, redact="Salary"))
print(describe(frame["n"]), describe(polars.DataFrame()), describe(frame.head(0)))
assert threads() == before
print(describe(frame.lazy()))
"""
    path = str(Path(__file__).parents[2] / "kernel")
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in (
        "polars DataFrame: 50,000 rows x 4 columns",
        '- "s": String; distinct ~2; values "x", "y"',
        '- "salary": Float64; values hidden',
        '0 | "x" | «hidden» | list of 1',
        "polars LazyFrame: 4 columns; nothing of it is computed yet",
    ):
        assert line in done.stdout
    assert "description failed" not in done.stdout


def test_arrow() -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"n": range(1000), "s": ["x", None] * 500, "r": [{"k": 1}] * 1000})
    card = describe(table)
    assert card.startswith("pyarrow Table: 1,000 rows x 3 columns, ")
    assert '- "n": int64; distinct 1,000; range 0 .. 999' in card
    assert '- "s": string; nulls 50.0%; distinct 1; values "x"' in card
    assert '\nlast rows:\n998 | "x" | dict of 1' in card
    assert describe(table.to_batches()[0]).startswith("pyarrow RecordBatch: 1,000 rows")
    assert "first values: 0, 1, 2, 3, 4" in describe(table["n"])
    assert "nulls 33.3%; distinct 2; range 1 .. 3" in describe(pa.array([1, None, 3]))
    dataset = pytest.importorskip("pyarrow.dataset").dataset(table)
    assert '3 columns; nothing of it is read yet\ncolumns:\n- "n": int64\n' in describe(dataset)


def test_torch() -> None:
    torch = pytest.importorskip("torch")
    assert lines_of(torch.arange(20).reshape(4, 5)) == [
        "Tensor: shape (4, 5), torch.int64, 160 bytes, on cpu",
        "range: 0 .. 19",
        "first values: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "last values: 17, 18, 19",
    ]
    assert lines_of(torch.zeros(3, dtype=torch.bfloat16)) == ["Tensor: shape (3,), torch.bfloat16, 6 bytes, on cpu"]
    assert lines_of(torch.eye(3).to_sparse())[1] == "layout torch.sparse_coo"
    assert "requires grad" in lines_of(torch.nn.Parameter(torch.ones(3)))[0]
    assert "description failed" not in describe(torch.ones(3, device="meta"))


class Tensor:
    """As much of a torch tensor as a card asks for, on a device that must not be read from."""

    dtype, layout, requires_grad, shape = "torch.float32", "torch.strided", False, (2, 3)
    device = types.SimpleNamespace(type="cuda")

    def element_size(self) -> int:
        return 4

    def nelement(self) -> int:
        return 6

    def detach(self) -> Tensor:
        raise AssertionError("the device was read")


Tensor.__module__ = "torch"


def test_a_tensor_elsewhere_is_not_fetched() -> None:
    card = describe(Tensor())
    assert card.startswith("Tensor: shape (2, 3), torch.float32, 24 bytes, on ")
    assert "description failed" not in card


def test_sparse_matrices() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    assert lines_of(sparse.csr_matrix([[0, 2], [0, 3]])) == [
        "csr_matrix: shape (2, 2), int64, format csr",
        "stored values: 2 (50.00% of all)",
        "range: 2 .. 3",
    ]
    assert "stored values: 5 (20.00% of all)" in describe(sparse.eye(5).tolil())
    assert describe(sparse.coo_array([1, 0, 2])).startswith("coo_array: shape (3,)")


def test_xarray() -> None:
    xr = pytest.importorskip("xarray")
    grid = xr.DataArray([[1.0, 2.0]], dims=("x", "y"), coords={"y": [7, 9]}, name="heat", attrs={"unit": "K"})
    card = describe(grid)
    assert card.startswith('xarray DataArray: "heat", sizes "x" 1, "y" 2; float64, 16 bytes\n')
    assert '- "y": int64 (y); range 7 .. 9' in card
    assert 'attributes: "unit"' in card
    both = describe(xr.Dataset({"heat": grid, "salary": grid}), redact="salary")
    assert '- "heat": float64 (x, y); range 1.0 .. 2.0' in both
    assert '- "salary": float64 (x, y); values hidden' in both


def test_a_picture_is_its_size() -> None:
    """Also engines 83."""
    image = pytest.importorskip("PIL.Image").new("RGB", (64, 48))
    card = describe(image)
    assert card.startswith("Image: picture of 64 x 48 pixels, mode RGB\n")
    assert "images=[context]" in card
