"""What checks a kind of answer: pydantic for types, jsonschema for schemas, where they are installed.

A Jupyter kernel that cells run in need not have them; then only the built-in types are checked.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..engine.shaping import clip

__all__ = ["Checker", "checker_for"]

_SHOWN = 80

Checker = Callable[[Any], tuple[Any, list[str]]]
"""A value → it, or what became of it, and what is wrong: a line for each thing."""


def checker_for(kind: Any) -> Checker | None:
    """Return what checks values of a kind, `None` if nothing can."""
    if isinstance(kind, dict):
        return _schema_checker(kind)
    checker = _pydantic_checker(kind)
    if checker is None and isinstance(kind, type) and kind.__module__ == "builtins":
        return lambda value: (value, [] if _is_one(value, kind) else [f"it is {_name(value)}: {_brief(value)}"])
    return checker


def _schema_checker(schema: dict[str, Any]) -> Checker | None:
    try:
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for
    except ImportError:
        return None
    validator_class = validator_for(schema)
    try:
        validator_class.check_schema(schema)
    except SchemaError as error:
        broken = f"the schema itself is wrong: {error.message}"
        return lambda value: (value, [broken])
    validator = validator_class(schema)

    def checked(value: Any) -> tuple[Any, list[str]]:
        try:
            plain = json.loads(json.dumps(value, allow_nan=False, default=_plain))
        except (TypeError, ValueError, RecursionError) as error:
            return value, [f"JSON cannot hold it: {error}"]
        errors = sorted(validator.iter_errors(plain), key=lambda error: list(map(str, error.absolute_path)))
        return plain, [_located(error.absolute_path, error.message) for error in errors]

    return checked


def _pydantic_checker(kind: Any) -> Checker | None:
    try:
        from pydantic import ConfigDict, TypeAdapter, ValidationError
        from pydantic.errors import PydanticUserError
    except ImportError:
        return None
    try:
        adapter = TypeAdapter(kind)
    except PydanticUserError:
        try:
            adapter = TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))
        except PydanticUserError:
            return None

    def checked(value: Any) -> tuple[Any, list[str]]:
        if _is_one(value, kind):
            return value, []
        try:
            found = adapter.validate_python(value)
        except ValidationError as error:
            rows = error.errors(include_url=False, include_context=False)
            return value, [_located(row["loc"], f"{row['msg']}, not {_brief(row['input'])}") for row in rows]
        flags = [_located(path, "true or false is not a number") for path in _flags_lost(value, found)]
        return (value, flags) if flags else (found, [])

    return checked


def _is_one(value: Any, kind: Any) -> bool:
    """Tell whether a value is an instance of a class, where `True` is no number."""
    if not isinstance(kind, type) or (isinstance(value, bool) and kind in (int, float)):
        return False
    with contextlib.suppress(TypeError):  # not every class answers
        return isinstance(value, kind)
    return False


def _flags_lost(before: Any, after: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where a bool became a number."""
    if isinstance(before, bool):
        if isinstance(after, int | float) and not isinstance(after, bool):
            yield path
    elif isinstance(before, Mapping):
        for key, value in before.items():
            inner = after.get(key) if isinstance(after, Mapping) else getattr(after, str(key), None)
            yield from _flags_lost(value, inner, (*path, key))
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        for index, (old, new) in enumerate(zip(before, after, strict=False)):
            yield from _flags_lost(old, new, (*path, index))


def _plain(value: Any) -> Any:
    """Return what JSON can hold of an object that it cannot hold as it is."""
    for method in ("tolist", "model_dump"):
        if callable(getattr(value, method, None)):
            return getattr(value, method)()
    if hasattr(type(value), "__dataclass_fields__"):
        return vars(value)
    raise TypeError(f"{_name(value)} is not JSON")


def _located(path: Any, message: str) -> str:
    place = ".".join(map(str, path))
    return clip(f"{place}: {message}" if place else message, 300)


def _brief(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 (any object may be an answer)
        text = _name(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _name(value: Any) -> str:
    return type(value).__qualname__
