"""What an answer should look like, in a line or two: `int`, `Ticket(id: int, price: float)`, a JSON schema."""

from __future__ import annotations

import json
from typing import Any, get_origin

from ..engine.shaping import clip

__all__ = ["fields_of", "shape_of"]

_LIMIT = 1_000


def shape_of(kind: Any) -> str:
    """Return a kind of answer as text, at most about 1,000 characters."""
    if isinstance(kind, dict):
        return clip(f"JSON that fits the schema {json.dumps(kind, ensure_ascii=False, default=str)}", _LIMIT)
    if not isinstance(kind, type) or get_origin(kind) is not None:
        return clip(str(kind).replace("typing.", ""), _LIMIT)
    types = _types_of(kind)
    if not types:
        return kind.__qualname__
    inside = ", ".join(f"{name}: {_type_name(types[name])}" for name in fields_of(kind))
    return clip(f"{kind.__qualname__}({inside})", _LIMIT)


def fields_of(kind: Any) -> list[str]:
    """Return the names of an answer's fields in order: of a dataclass, a model class, a typed dict or a schema."""
    if isinstance(kind, dict):
        properties = kind.get("properties")
        return list(properties) if isinstance(properties, dict) else []
    return list(_types_of(kind))


def _types_of(kind: Any) -> dict[str, Any]:
    for attribute in ("model_fields", "__dataclass_fields__"):
        fields = getattr(kind, attribute, None)
        if isinstance(fields, dict):
            return {name: getattr(f, "annotation", getattr(f, "type", Any)) for name, f in fields.items()}
    return dict(kind.__annotations__) if hasattr(kind, "__total__") or hasattr(kind, "_fields") else {}


def _type_name(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    plain = isinstance(kind, type) and get_origin(kind) is None
    return kind.__qualname__ if plain else str(kind).replace("typing.", "")
