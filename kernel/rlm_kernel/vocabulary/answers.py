"""How a cell answers: the `answer` dict, FINAL, FINAL_VAR, FINAL_TEXT and SUBMIT; read when the cell has ended.

    answer["content"] = value; answer["ready"] = True     in any order, by `update` or `|=`, in a new dict
    FINAL(value)                                          in one step; any value counts, `None` too
    FINAL_VAR("name")   FINAL_VAR(name)                   takes a variable
    FINAL_TEXT(text)                                      takes text only
    SUBMIT(value)   SUBMIT(first, second)   SUBMIT(a=1)   a value, or the fields of the answer

Of several calls the last one counts, also if the cell raises an exception afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from .plain import exact_value, text_of
from .reach import Reach
from .shapes import fields_of
from .typed import judge, unchecked

__all__ = ["Answers"]

_FALSE_WORDS = {"", "0", "false", "no", "none", "null"}
_NAMED = 10


class Answers:
    """The words that answer, and what was answered.

    Args:
        session: whose variables they work on.

    """

    def __init__(self, session: Reach) -> None:
        self._session = session
        self._given: tuple[str, Any] | None = None
        self._accepted: tuple[Any, Any] | None = None
        self.clear()

    def words(self) -> dict[str, Any]:
        """Return what to install, by name."""
        return {name: getattr(self, name) for name in ("FINAL", "FINAL_VAR", "FINAL_TEXT", "SUBMIT")}

    def clear(self) -> None:
        """Forget the answer."""
        self._given = self._accepted = None
        self._session.namespace["answer"] = _empty()

    # ----- words ---------------------------------------------------------------------------------------------

    def FINAL(self, value: Any) -> None:  # noqa: N802 (the name that cells know; so below)
        """Answer with a value, of any type."""
        self._given = ("FINAL", value)

    def FINAL_VAR(self, variable: Any) -> None:  # noqa: N802
        """Answer with a variable, given by its name or as it is.

        Raises:
            NameError: there is no variable of that name; the message lists similar ones.

        """
        self._given = ("FINAL_VAR", self._variable(variable) if isinstance(variable, str) else variable)

    def FINAL_TEXT(self, text: str) -> None:  # noqa: N802
        """Answer with a text; anything else is refused.

        Raises:
            TypeError: it is no text.

        """
        if not isinstance(text, str):
            raise TypeError(f"FINAL_TEXT takes text, not {type(text).__qualname__}; FINAL(value) takes any value")
        self._given = ("FINAL_TEXT", text)

    def SUBMIT(self, *values: Any, **fields: Any) -> None:  # noqa: N802
        """Answer with a value, or with its fields.

        Raises:
            TypeError: there are more values than the answer has fields, or none at all.

        """
        names = fields_of(self._session.kit.answer_type)
        if not values and not fields:
            raise TypeError("SUBMIT takes the answer: SUBMIT(value), or its fields: SUBMIT(name=value)")
        if not names:
            self._given = ("SUBMIT", _without_fields(values, fields))
        elif len(values) == 1 and not fields and not _is_scalar(values[0]):
            self._given = ("SUBMIT", values[0])
        elif len(values) > len(names):
            raise TypeError(f"SUBMIT takes {len(names)} values ({', '.join(names)}), not {len(values)}")
        else:
            self._given = ("SUBMIT", {**dict(zip(names, values, strict=False)), **fields})

    def _variable(self, name: str) -> Any:
        variables = self._session.namespace
        plain = name.strip().strip("\"'`")
        if plain in variables:
            return variables[plain]
        if any(value is name for value in list(variables.values())):
            return name  # FINAL_VAR(x) with a text in x
        own = [n for n, v in variables.items() if self._session.is_users(n, v)]
        similar = get_close_matches(plain, own, n=3) or sorted(own)[-_NAMED:]
        known = f"did you mean {', '.join(similar)}?" if similar else "there are no variables yet."
        raise NameError(f"FINAL_VAR: there is no variable {plain[:80]!r}; {known} FINAL(value) takes any value.")

    # ----- reading -------------------------------------------------------------------------------------------

    def read(self) -> tuple[str, Any, bool] | None:
        """Return (dialect, object, final?) of the answer as it stands when a cell has ended, or `None`."""
        given = self._raw()
        if given is None or self._accepted is None or self._accepted[0] is not given[1]:
            return given
        return given[0], self._accepted[1], given[2]

    def describe(self) -> dict[str, Any] | None:
        """Return the answer as far as JSON can carry it, with what is wrong with it, if it is final."""
        given = self._raw()
        if given is None:
            return None
        via, value, final = given
        problem = ""
        if final:
            raw, kit = value, self._session.kit
            value, problem = judge(raw, kit.answer_type, kit.check)
            self._accepted = (raw, value)
            if remark := unchecked(kit.answer_type):
                self._session.notes.append(remark)
        exact, plain = exact_value(value)
        return {
            "text": text_of(value),
            "value_type": type(value).__qualname__,
            "value": plain,
            "exact": exact,
            "via": via,
            "final": final,
            "problem": problem,
        }

    def repair(self) -> list[str]:
        """Make `answer` a dict with an answer's keys again; return remarks for the model."""
        box = self._session.namespace.get("answer")
        if not isinstance(box, Mapping) or (box and not {"content", "ready"} & set(box)):
            self._session.namespace["answer"] = {**_empty(), "content": box}
            return ['Note: `answer` is a dict and was put back; set answer["content"] and answer["ready"].']
        if _is_true(box.get("ready")) and box.get("content") is None and self._given is None:
            return [
                'Note: answer["ready"] is set but answer["content"] is not: there is no answer yet. '
                "If the answer is None, use FINAL(None)."
            ]
        return []

    def _raw(self) -> tuple[str, Any, bool] | None:
        if self._given is not None:
            return (*self._given, True)
        box = self._session.namespace.get("answer")
        if not isinstance(box, Mapping) or box.get("content") is None:
            return None
        return "answer", box["content"], _is_true(box.get("ready"))


def _empty() -> dict[str, Any]:
    return {"content": None, "ready": False}


def _is_true(ready: Any) -> bool:
    if isinstance(ready, str):
        return ready.strip().lower() not in _FALSE_WORDS
    try:
        return bool(ready)
    except Exception:  # noqa: BLE001 (arrays and tables are neither)
        return True


def _is_scalar(value: Any) -> bool:
    """Tell whether a value can only be a field, not all of an answer with fields."""
    if isinstance(value, str):
        return not value.lstrip().startswith(("{", "```"))
    return value is None or isinstance(value, bytes | int | float)


def _without_fields(values: tuple[Any, ...], fields: dict[str, Any]) -> Any:
    """Return what was submitted where the answer has no fields of its own."""
    if not fields:
        return values[0] if len(values) == 1 else values
    if not values:
        return fields["answer"] if list(fields) == ["answer"] else fields
    raise TypeError("SUBMIT takes values or named fields, not both")
