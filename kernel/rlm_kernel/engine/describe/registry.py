"""Which function draws the card of a type, found by class names so that no library is imported for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import arrays, builtin, columnar, tables, texts
from .card import Card
from .excerpts import type_name
from .rules import Rules

__all__ = ["describe", "register"]

Describer = Callable[[Any, Card], None]
"""Draws a value on a card; a line that does not fit is refused by the card."""

_DESCRIBERS: dict[str, Describer] = {}


def describe(value: object, *, limit: int = 4000, sample: bool = True, redact: str | None = None) -> str:
    """Return the card of a value.

    Args:
        value: anything; it is sampled, never printed whole, and never changed.
        limit: characters the card may have at most.
        sample: whether it may quote the data; if not it holds types, sizes and the names of columns, keys and files.
        redact: names and /patterns/ of what it must not quote, as in `Rules.parse`.

    Returns:
        Text of at most `limit` characters, the same in every process for an equal value. A describer or hook
        that raises costs its card the details, never the run.

    Raises:
        re.error: a pattern in `redact` is no regular expression.

    """
    card = Card(limit, Rules.parse(redact), sample=sample)
    try:
        hook = getattr(type(value), "__rlm_describe__", None)
        if hook is not None and sample:
            return _sendable(card.pen.rules.mask(str(hook(value)))[: max(limit, 0)])
        _describer(type(value))(value, card)
    except Exception as error:  # noqa: BLE001 - foreign code runs in here: `__len__`, hooks, array libraries
        card.line(f"{type_name(value)} (its description failed: {type(error).__name__})")
    return _sendable(card.text())


def register(kind: type | str, describer: Describer) -> None:
    """Teach the card of a type and its subclasses.

    Args:
        kind: the class, or its name as `package.Class`: the first part of its module and its qualified name,
            for example `"pandas.DataFrame"`, which needs no import.
        describer: draws a value on a card with `card.line(text)`; it quotes data through `card.pen` alone, which knows
            what must be hidden.

    """
    _DESCRIBERS[kind if isinstance(kind, str) else _name(kind)] = describer


def _describer(kind: type) -> Describer:
    names = (_name(cls) for cls in kind.__mro__)
    return next((_DESCRIBERS[name] for name in names if name in _DESCRIBERS), builtin.anything)


def _name(cls: type) -> str:
    return f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


for _kind, _function in (
    (str, texts.text),
    (bytes, texts.text),
    (bytearray, texts.text),
    (memoryview, texts.buffer),
    ("mmap.mmap", texts.buffer),
    ("pathlib.PurePath", texts.path),
    ("rlm_kernel.FileText", texts.file),
    ("rlm_kernel.Folder", texts.folder),
    ("rlm_kernel.LazyText", texts.lazy),
    ("PIL.Image", texts.picture),
    (list, builtin.sequence),
    (tuple, builtin.sequence),
    ("collections.deque", builtin.sequence),
    ("collections.Sequence", builtin.sequence),
    (dict, builtin.mapping),
    ("builtins.mappingproxy", builtin.mapping),
    ("collections.Mapping", builtin.mapping),
    (set, builtin.unordered),
    (frozenset, builtin.unordered),
    (range, builtin.interval),
    ("pandas.DataFrame", tables.frame),
    ("pandas.Series", tables.series),
    ("pandas.Index", tables.series),
    ("pandas.ExtensionArray", tables.categories),
    ("numpy.ndarray", arrays.array),
    ("torch.Tensor", arrays.tensor),
    ("scipy.sparray", arrays.sparse),
    ("scipy.spmatrix", arrays.sparse),
    ("xarray.DataArray", arrays.grid),
    ("xarray.Dataset", arrays.grids),
    ("polars.DataFrame", columnar.polars_frame),
    ("polars.LazyFrame", columnar.polars_lazy),
    ("polars.Series", columnar.polars_series),
    ("pyarrow.Array", columnar.arrow_array),
    ("pyarrow.ChunkedArray", columnar.arrow_array),
    ("pyarrow.Dataset", columnar.arrow_dataset),
    ("pyarrow.RecordBatch", columnar.arrow_table),
    ("pyarrow.Table", columnar.arrow_table),
):
    register(_kind, _function)
