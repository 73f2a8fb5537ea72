"""Values that are made of named fields, whatever their class: dicts, named tuples, dataclasses, pydantic models."""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["fields"]

_ABSENT = object()


def fields(value: Any) -> dict[Any, Any] | None:
    """Return the fields of a record by name, or `None` if the value is no record."""
    if isinstance(value, dict):
        return value
    kind = type(value)
    if isinstance(value, tuple):
        names = getattr(kind, "_fields", None)
        return dict(zip(names, value, strict=False)) if isinstance(names, tuple) else None
    if dataclasses.is_dataclass(kind):
        found = ((field.name, getattr(value, field.name, _ABSENT)) for field in dataclasses.fields(kind))
        return {name: item for name, item in found if item is not _ABSENT}
    return dict(vars(value)) if "__pydantic_fields__" in vars(kind) else None
