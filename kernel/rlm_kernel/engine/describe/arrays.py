"""Cards of arrays: numpy's, and those of libraries that build on it. None of them is imported here.

What lives elsewhere than in memory (a device, a file not yet read) is not fetched: its card says what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from .card import amount
from .columns import Column
from .excerpts import type_name
from .outline import kinds
from .tables import row

if TYPE_CHECKING:
    from .card import Card

__all__ = ["array", "grid", "grids", "sparse", "tensor"]

_ITEMS = 200_000
_RECORDS = 10_000


def array(value: Any, card: Card) -> None:
    """Draw a numpy array: shape, type, range or fields, the first and last values."""
    card.line(f"{type_name(value)}: shape {value.shape}, {str(value.dtype)[:200]}, {amount(value.nbytes)}")
    if value.dtype.names:
        _structured(value, card)
    else:
        _facts(value, card)


def tensor(value: Any, card: Card) -> None:
    """Draw a torch tensor; only one in main memory is looked into."""
    size = value.element_size() * value.nelement()
    grad = ", requires grad" if value.requires_grad else ""
    where = f"on {str(value.device)[:40]}"
    card.line(f"{type_name(value)}: shape {tuple(value.shape)}, {value.dtype}, {amount(size)}, {where}{grad}")
    if str(value.layout) != "torch.strided":
        card.line(f"layout {str(value.layout)[:40]}")
    elif value.device.type == "cpu":
        try:
            numbers = value.detach().numpy()
        except (TypeError, RuntimeError):  # numpy has no such type
            return
        _facts(numbers, card)


def sparse(value: Any, card: Card) -> None:
    """Draw a scipy sparse matrix or array: how much of it is stored, in which range."""
    stored = value.nnz
    cells = 1
    for size in value.shape:
        cells *= size
    share = f" ({stored / cells:.2%} of all)" if cells else ""
    card.line(f"{type_name(value)}: shape {tuple(value.shape)}, {value.dtype}, format {value.format}")
    card.line(f"stored values: {stored:,}{share}")
    data = getattr(value, "data", None)
    if getattr(data, "dtype", None) == value.dtype and stored:
        _range(data, card)


def grid(value: Any, card: Card) -> None:
    """Draw an xarray DataArray: its dimensions and coordinates, and its values if they are in memory."""
    name = f"{card.pen.name(value.name)}, " if value.name is not None else ""
    card.line(f"xarray DataArray: {name}{_sizes(value, card)}; {value.dtype}, {amount(value.nbytes)}")
    _coordinates(value, card)
    if getattr(value.variable, "_in_memory", False) and not card.pen.rules.hides(value.name):
        _facts(value.values, card)


def grids(value: Any, card: Card) -> None:
    """Draw an xarray Dataset: its variables, dimensions and coordinates."""
    card.line(f"xarray Dataset: {len(value.data_vars):,} variables, {_sizes(value, card)}; {amount(value.nbytes)}")
    lines = (_variable(name, item, card) for name, item in value.data_vars.items())
    card.rows(lines, len(value.data_vars), "variables", heading="variables:", spare=card.room // 4)
    _coordinates(value, card)


def _sizes(value: Any, card: Card) -> str:
    return "sizes " + ", ".join(f"{card.pen.name(name)} {size:,}" for name, size in islice(value.sizes.items(), 20))


def _coordinates(value: Any, card: Card) -> None:
    lines = (_variable(name, item, card) for name, item in value.coords.items())
    card.rows(lines, len(value.coords), "coordinates", heading="coordinates:")
    if value.attrs:
        card.line("attributes: " + ", ".join(card.pen.name(name) for name in islice(value.attrs, 20)))


def _variable(name: Any, item: Any, card: Card) -> str:
    """Return the line of a variable; one in memory is looked into."""
    dims = ", ".join(map(str, item.dims))[:80]
    kind = f"{item.dtype} ({dims})"
    if not getattr(item.variable, "_in_memory", False) or not item.size:
        return Column(name, kind).line(card.pen)
    sample = _thin(item.values)
    low, high, _ = _measure(sample)
    return Column(name, kind, low=low, high=high, sampled=sample.size < item.size).line(card.pen)


def _structured(value: Any, card: Card) -> None:
    names = list(value.dtype.names)
    sample = _thin(value).ravel()[:_RECORDS]
    fields = (
        Column.of(name, sample[name].tolist(), kind=str(value.dtype[name]), sampled=sample.size < value.size)
        for name in names
    )
    card.rows((field.line(card.pen) for field in fields), len(names), "fields", heading="fields:")
    if card.pen.sample:
        first = [row(names, tuple(record), card) for record in sample[:3].tolist()]
        card.ends(first, [])


def _facts(value: Any, card: Card) -> None:
    """Say what is in an array of numbers, texts or objects."""
    if value.dtype.kind == "O":
        sample = _thin(value).ravel().tolist()
        card.line(f"types: {kinds(sample, sampled=len(sample) < value.size)}")
    else:
        _range(value, card)
    if card.pen.sample and value.size:
        card.line("first values: " + ", ".join(_cells(value, range(min(value.size, 10)), card)))
        if value.size > 10:
            card.line("last values: " + ", ".join(_cells(value, range(max(value.size - 3, 10), value.size), card)))


def _cells(value: Any, places: range, card: Card) -> Iterator[str]:
    """Yield cells by place; what is masked is not looked up, as there may be anything below the mask."""
    mask = getattr(value, "mask", None)
    for place in places:
        hidden = mask is not None and mask.shape and bool(mask.flat[place])
        yield "masked" if hidden else card.pen.short(value.flat[place])


def _range(value: Any, card: Card) -> None:
    sample = _thin(value)
    low, high, gaps = _measure(sample)
    about = "~" if sample.size < value.size else ""
    if low is not None and card.pen.sample:
        card.line(f"range: {about}{card.pen.short(low)} .. {card.pen.short(high)}")
    if gaps:
        card.line(f"nulls: {about}{gaps:.1%}")


def _measure(sample: Any) -> tuple[Any, Any, float]:
    """Return the smallest and largest value, if they have an order, and the share of gaps: NaN, NaT, masked."""
    size = sample.size
    if sample.dtype.kind not in "iufmM" or not size:
        return None, None, 0.0
    present = sample.compressed() if hasattr(sample, "compressed") else sample
    present = present[present == present]  # a NaN (or NaT) is the one value that differs from itself
    low, high = (present.min(), present.max()) if present.size else (None, None)
    return low, high, 1 - present.size / size


def _thin(value: Any) -> Any:
    """Return a view of at most about `_ITEMS` items, thinned along the longest axes."""
    while value.size > _ITEMS:
        axis = max(range(value.ndim), key=value.shape.__getitem__)
        step = min(value.shape[axis], -(-value.size // _ITEMS))
        value = value[(slice(None),) * axis + (slice(None, None, step),)]
    return value
