"""Which function draws the card of a type, found by class names so that no library is imported for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import builtin, paths, tables
from .card import Card, type_name

__all__ = ["describe", "register"]

Describer = Callable[[Any, Card], None]
"""Draws a value on a card; a line that does not fit is refused by the card."""

_DESCRIBERS: dict[str, Describer] = {}


def describe(value: object, *, limit: int = 4000) -> str:
    """Return the card of a value.

    Args:
        value: anything; it is sampled, never printed whole, and never changed.
        limit: characters the card may have at most.

    Returns:
        Text of at most `limit` characters, the same in every process for an equal value. A describer or hook
        that raises costs its card the details, never the run.

    """
    card = Card(limit)
    try:
        hook = getattr(type(value), "__rlm_describe__", None)
        if hook is not None:
            return str(hook(value))[: max(limit, 0)].encode("utf-8", "replace").decode()
        _describer(type(value))(value, card)
    except Exception as error:  # noqa: BLE001 - foreign code runs in here: `__len__`, hooks, array libraries
        card.line(f"{type_name(value)} (its description failed: {type(error).__name__})")
    return card.text()


def register(kind: type | str, describer: Describer) -> None:
    """Teach the card of a type and its subclasses.

    Args:
        kind: the class, or its name as `package.Class`: the first part of its module and its qualified name,
            for example `"pandas.DataFrame"`, which needs no import.
        describer: draws a value on a card with `card.line(text)`.

    """
    _DESCRIBERS[kind if isinstance(kind, str) else _name(kind)] = describer


def _describer(kind: type) -> Describer:
    names = (_name(cls) for cls in kind.__mro__)
    return next((_DESCRIBERS[name] for name in names if name in _DESCRIBERS), builtin.anything)


def _name(cls: type) -> str:
    return f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"


for _kind, _function in (
    (str, builtin.text),
    (bytes, builtin.text),
    (bytearray, builtin.text),
    (list, builtin.sequence),
    (tuple, builtin.sequence),
    (dict, builtin.mapping),
    (set, builtin.unordered),
    (frozenset, builtin.unordered),
    ("pathlib.PurePath", paths.path),
    ("pandas.DataFrame", tables.frame),
    ("pandas.Series", tables.series),
    ("pandas.Index", tables.series),
    ("numpy.ndarray", tables.array),
):
    register(_kind, _function)
