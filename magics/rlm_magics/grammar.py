"""The grammar of a magic's line: `key=value` tokens, each with its column.

    %%rlm context=df.loc[0, :] model="x y" timeout=30s --keep=none -o run query=Which region grew most?

A value runs to the next blank outside brackets and quotes, so Python expressions need no quoting. Only
the question is prose: `query=` runs to the end of the line, unless it starts with a quote. `--key=value`
and `-` for `_` in names are accepted, and `-o NAME` stands for `out=NAME`. The scanner knows names and
columns but no meanings; those are in `options`.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from rlm_kernel.errors import OptionError

__all__ = ["Token", "scan"]

_QUOTES = "\"'"
_CLOSING_OF = {"(": ")", "[": "]", "{": "}"}
_SHORT_OUT = re.compile(r"-o(?!\S)\s*")
_NAME = re.compile(r"(--)?([^\W\d][\w-]*)")
_STRING = re.compile(r"""(["'])(?:\\.|(?!\1)[^\\])*\1""")


@dataclass(frozen=True, slots=True)
class Token:
    """An option as typed.

    Attributes:
        line: the whole line.
        name: the option's name, with `_` for `-`.
        value: the value as typed, quotes included; `None` for `--name` alone.
        column: where the option starts in `line`, in characters.
        value_column: where its value starts; `column` if there is none.

    """

    line: str
    name: str
    value: str | None
    column: int
    value_column: int

    def text(self) -> str:
        """Return the value with a Python string literal read as its content.

        Raises:
            OptionError: there is no value, or it starts with a quote and is not a string.

        """
        if self.value is None:
            raise self.error(f"{self.name} needs a value", f"{self.name}=…")
        if self.value[0] not in _QUOTES:
            return self.value
        content = _string_content(self.value)
        if content is None:
            hint = "end it at its quote, and put a blank before what follows"
            raise self.error(f"the value of {self.name} starts as a string but is none", hint)
        return content

    def error(self, message: str, hint: str) -> OptionError:
        """Return an error that points at the value."""
        return OptionError(message, hint, line=self.line, column=self.value_column)


def scan(line: str, likely: str = "context") -> list[Token]:
    """Split the line of a magic, without its name, into options.

    Args:
        line: as typed.
        likely: the option that a first word without a name was probably meant for.

    Raises:
        OptionError: the line does not follow the grammar; it knows the column.

    """
    tokens: list[Token] = []
    at = _next_word(line, 0)
    while at < len(line):
        token = _token(line, at, tokens, likely)
        if any(token.name == earlier.name for earlier in tokens):
            raise OptionError(f"{token.name} is given twice", "give it once", line=line, column=at)
        tokens.append(token)
        at = _next_word(line, _end(token))
    return tokens


def _next_word(line: str, at: int) -> int:
    return len(line) - len(line[at:].lstrip())


def _end(token: Token) -> int:
    if token.value is None:
        return token.column + len("--") + len(token.name)
    return token.value_column + len(token.value)


def _token(line: str, at: int, earlier: list[Token], likely: str) -> Token:
    if short := _SHORT_OUT.match(line, at):
        return _with_value(line, "out", at, short.end())
    named = _NAME.match(line, at)
    if named is None:
        raise _bare_word(line, at, earlier, likely)
    name, end = named[2].replace("-", "_"), named.end()
    if line.startswith("==", end):
        raise OptionError("one = is enough here", f"{name}={line[end + 2 :].strip()}", line=line, column=end)
    if line.startswith("=", end):
        return _with_value(line, name, at, end + 1)
    if named[1] and not line[end : end + 1].strip():
        return Token(line, name, None, at, at)
    raise _bare_word(line, at, earlier, likely)


def _with_value(line: str, name: str, column: int, start: int) -> Token:
    if not line[start : start + 1].strip():
        raise OptionError(f"{name} has no value", f"write {name}=… without a blank", line=line, column=start)
    prose = name == "query" and line[start] not in _QUOTES
    end = len(line.rstrip()) if prose else _value_end(line, start)
    return Token(line, name, line[start:end], column, start)


def _value_end(line: str, start: int) -> int:
    opened: list[int] = []
    at = start
    while at < len(line) and (opened or not line[at].isspace()):
        step = 1
        if line[at] in _QUOTES:
            step = _string_length(line, at)
        elif line[at] in _CLOSING_OF:
            opened.append(at)
        elif line[at] in ")]}" and (not opened or _CLOSING_OF[line[opened.pop()]] != line[at]):
            raise OptionError(f"{line[at]} closes no bracket", "balance the brackets", line=line, column=at)
        at += step
    if opened:
        bracket = line[opened[-1]]
        hint = f"add {_CLOSING_OF[bracket]}"
        raise OptionError(f"{bracket} is not closed", hint, line=line, column=opened[-1])
    return at


def _string_length(line: str, at: int) -> int:
    string = _STRING.match(line, at)
    if string is None:
        raise OptionError(f"the quote {line[at]} is not closed", f"add {line[at]}", line=line, column=at)
    return len(string[0])


def _string_content(literal: str) -> str | None:
    with warnings.catch_warnings():
        # An unknown escape such as \d stays as typed, and that is what is meant.
        warnings.simplefilter("ignore")
        try:
            content = ast.literal_eval(literal)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None
    return content if isinstance(content, str) else None


def _bare_word(line: str, at: int, earlier: list[Token], likely: str) -> OptionError:
    word, rest = line[at:].split(maxsplit=1)[0], line[at:].rstrip()
    if spaced := re.match(r"(\w+)\s+=\s*(?!=)(\S*)", rest):
        hint = f"no blanks around the =: {spaced[1]}={spaced[2] or '…'}"
    elif word[0] in _QUOTES:
        hint = f"query={rest}"
    elif earlier and earlier[-1].value is None:
        hint = f"{earlier[-1].name}={word}"
    elif earlier and (earlier[-1].value or "").endswith(","):
        hint = f"no blank after the comma: {earlier[-1].name}={earlier[-1].value}{word}"
    elif any(token.name == "context" for token in earlier):
        hint = "put brackets around a value with blanks, and the question after query= or in the cell's body"
    else:
        hint = f"{likely}={word}"
    return OptionError(f"{word!r} is not an option", hint, line=line, column=at)
