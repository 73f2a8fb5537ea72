"""Replies that must be JSON of a given shape: read, and checked against the schema."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["fit"]

_FENCED = re.compile(r"```[\w-]*\n(.*?)\n?```", re.DOTALL)


def fit(text: str, schema: dict[str, Any]) -> tuple[Any, str]:
    """Return (value, problem) of a reply; the problem is empty if the value fits the JSON schema.

    The JSON may stand in a fence or in a sentence; a text needs no quotes where a text is wanted. Without the package
    `jsonschema` the shape is not checked.
    """
    try:
        value = _value_in(text)
    except ValueError:
        return (text, "") if schema.get("type") == "string" else (None, "The reply is not JSON.")
    return value, _mismatch(value, schema)


def _value_in(text: str) -> Any:
    """Return the JSON value in a text: the whole of it, what is fenced, or the first object or list."""
    for whole in (text, *_FENCED.findall(text)):
        try:
            return json.loads(whole)
        except ValueError:
            pass
    opening = re.search(r"[{\[]", text)
    if opening is None:
        raise ValueError("no JSON")
    return json.JSONDecoder().raw_decode(text, opening.start())[0]


def _mismatch(value: Any, schema: dict[str, Any]) -> str:
    try:
        import jsonschema
    except ImportError:
        return ""
    try:
        wrong = jsonschema.exceptions.best_match(jsonschema.validators.validator_for(schema)(schema).iter_errors(value))
    except jsonschema.exceptions.SchemaError as error:
        return f"The schema itself is wrong: {error.message}"
    if wrong is None:
        return ""
    where = "/".join(map(str, wrong.absolute_path))
    return f"The JSON does not fit the schema{f' at {where}' if where else ''}: {wrong.message}"
