"""The kinds of values a setting can have, and how what the user typed becomes one.

A kind says in words what a value must be and converts what it is given. Every converter takes the text of the
magic's line as well as a Python object, returns the checked value, and raises for anything else; the words of
the error are made in one place, `Kind.read`.
"""

from __future__ import annotations

import json
import os
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex, get_origin

from .errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BRANCH",
    "COUNT",
    "DURATION",
    "FLAG",
    "FOLDER",
    "FRACTION",
    "KEEP",
    "MEMORY",
    "MONEY",
    "NAME",
    "NAMES",
    "NUMBER",
    "PRICES",
    "RULES",
    "TEMPERATURE",
    "TEXT",
    "TYPE",
    "URL",
    "VIEW",
    "Kind",
    "one_of",
]

_DAY = 86_400
_SECONDS_PER_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600}
_LEAST_BYTES = 1_000_000
_MOST_BYTES = 2**63 - 1  # what the operating system can count
_BYTES_PER_UNIT = {"": 1.0} | {
    prefix + binary: base**power
    for binary, base in (("", 1e3), ("i", 1024.0))
    for power, prefix in enumerate("kmgt", start=1)
}
_NUMBER = r"(\d+\.?\d*|\.\d+)\s*"
_DURATION = re.compile(_NUMBER + "([smh]?)", re.ASCII)
_MEMORY = re.compile(_NUMBER + "((?:[kmgt]i?)?)b?", re.ASCII | re.IGNORECASE)
_FLAGS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_TYPES = {kind.__name__: kind for kind in (str, int, float, bool, list, dict, set, tuple)}
_KERNEL = re.compile(r"kernel:[\w.-]+", re.ASCII)
_PASSWORD = re.compile(r"[^\s/'\"@]+@")
_URL = re.compile(r"https?://[^\s/]\S*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    Attributes:
        word: the type in a word or two, for help.
        rule: what a value must be, as the end of "… must be …".
        example: valid values, as the user would type them.
        convert: returns the checked value; raises `ValueError` or `TypeError` for anything else.

    """

    word: str
    rule: str
    example: str
    convert: Callable[[object], object]

    def read(self, label: str, raw: object) -> object:
        """Return the value that `raw` stands for; `label` is the option or variable it was given to.

        Raises:
            OptionError: `raw` is no value of this kind.

        """
        try:
            return self.convert(raw)
        except (TypeError, ValueError, OverflowError, LookupError):
            shown = _PASSWORD.sub("«secret»@", reprlib.repr(raw))
            message = f"{label} must be {self.rule}, not {shown}"
            raise OptionError(message, f"for example {label}={self.example}") from None


def _text(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError
    return raw.strip()


def _url(raw: object) -> str:
    url = _text(raw)
    if not _URL.fullmatch(url):
        raise ValueError
    return url


def _folder(raw: object) -> str:
    return _text(os.fspath(raw) if isinstance(raw, os.PathLike) else raw)


def _number(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, str | SupportsIndex):
        raise TypeError
    number = int(raw)
    if number < 0:
        raise ValueError
    return number


def _count(raw: object) -> int:
    count = _number(raw)
    if count < 1:
        raise ValueError
    return count


def _bytes(raw: object) -> int:
    if isinstance(raw, str):
        match = _MEMORY.fullmatch(raw.strip())
        if match is None:
            raise ValueError
        count = round(float(match[1]) * _BYTES_PER_UNIT[match[2].lower()])
    elif isinstance(raw, bool) or not isinstance(raw, SupportsFloat):
        raise TypeError
    else:
        count = raw if isinstance(raw, int) else int(float(raw))
    if not _LEAST_BYTES <= count <= _MOST_BYTES:
        raise ValueError
    return count


def _seconds(raw: object) -> float:
    if isinstance(raw, str):
        match = _DURATION.fullmatch(raw.strip())
        if match is None:
            raise ValueError
        seconds = float(match[1]) * _SECONDS_PER_UNIT[match[2]]
    elif isinstance(raw, bool) or not isinstance(raw, SupportsFloat):
        raise TypeError
    else:
        seconds = float(raw)
    if not 0 < seconds <= _DAY:
        raise ValueError
    return seconds


def _keep(raw: object) -> str:
    names = [name.strip() for name in _text(raw).split(",")]
    if not all(name.isidentifier() and not iskeyword(name) for name in names):
        raise ValueError
    return ",".join(names)


def _names(raw: object) -> str:
    return _keep(raw) if raw or not isinstance(raw, str) else ""


def _branch(raw: object) -> str:
    text = _text(raw)
    if text not in ("auto", "fork", "spawn") and not _KERNEL.fullmatch(text):
        raise ValueError
    return text


def _flag(raw: object) -> bool:
    if isinstance(raw, str):
        return _FLAGS[raw.strip().lower()]
    if not isinstance(raw, bool):
        raise TypeError
    return raw


def _real(raw: object, low: float, high: float) -> float:
    if isinstance(raw, bool) or not isinstance(raw, str | SupportsFloat):
        raise TypeError
    number = float(raw)
    if not low <= number <= high:  # false for nan too
        raise ValueError
    return number


def _money(raw: object) -> float:
    return _real(raw.strip().removeprefix("$") if isinstance(raw, str) else raw, 1e-6, 1e9)


def _object(raw: object) -> dict[str, object]:
    value = json.loads(raw) if isinstance(raw, str) else raw
    if not isinstance(value, Mapping):
        raise TypeError
    json.dumps(value := dict(value), allow_nan=False)  # it is sent, and written down
    return value


def _rules(raw: object) -> str:
    rules = _text(raw)
    for pattern in re.findall(r"/((?:[^/\\]|\\.)+)/", rules):
        try:
            re.compile(pattern)
        except re.error:
            raise ValueError from None
    return rules


def _prices(raw: object) -> object:
    from .models.pricing import read_prices

    return read_prices(raw)


def _type(raw: object) -> object:
    if isinstance(raw, str):
        return _TYPES[raw.strip()]
    if not isinstance(raw, (type, dict)) and get_origin(raw) is None:
        raise TypeError
    return raw


def one_of(*words: str) -> Kind:
    """Return the kind of a setting that is one of a few words."""

    def choose(raw: object) -> str:
        if raw not in words:
            raise ValueError
        return str(raw)

    return Kind("word", f"{', '.join(words[:-1])} or {words[-1]}", words[1], choose)


NAME = Kind("name", "a name that is not empty", "gpt-5-mini", _text)
URL = Kind("URL", "a URL that starts with http:// or https://", "http://localhost:8000/v1", _url)
FOLDER = Kind("path", "the path of a folder", ".rlm/runs", _folder)
COUNT = Kind("whole number", "a whole number of at least 1", "20", _count)
NUMBER = Kind("whole number", "a whole number of at least 0", "8", _number)
DURATION = Kind("duration", f"a number of seconds above 0 and at most {_DAY} (a day)", "30, 30s, 2m or 1.5h", _seconds)
MEMORY = Kind(
    "size", "an amount of memory of at least 1MB (1GB is 10^9 bytes, 1GiB is 2^30)", "2GB, 500MB or 1.5G", _bytes
)
KEEP = Kind("word or names", "none, new, all, or variable names with commas between them", "df,totals", _keep)
NAMES = Kind("names", "variable names with commas between them", "df,totals", _names)
BRANCH = Kind("word", "auto, fork, spawn or kernel:NAME", "spawn or kernel:python3", _branch)
VIEW = one_of("auto", "static", "none")
FLAG = Kind("flag", "true or false", "true", _flag)
FRACTION = Kind("fraction", "a number from 0 to 1", "0.8", lambda raw: _real(raw, 0.0, 1.0))
TEMPERATURE = Kind("number", "a number from 0 to 2", "0.7", lambda raw: _real(raw, 0.0, 2.0))
PRICES = Kind(
    "table",
    "USD per million tokens as JSON, by model, for input and output (and cached), or the path of such a file",
    '{"qwen3:32b":{"input":0.1,"output":0.3}}',
    _prices,
)
MONEY = Kind("amount", "an amount of US dollars above 0", "0.50", _money)
TEXT = Kind("text", "a text that is not empty", '"Answer in French."', _text)
RULES = Kind("names", "names and /patterns/ with commas between them", "salary,iban,/[0-9]{16}/", _rules)
OBJECT = Kind("JSON object", "a dict, or the text of a JSON object", '{"top_p": 0.9}', _object)
TYPE = Kind("type", "a type, a model class or a JSON schema", "int", _type)
