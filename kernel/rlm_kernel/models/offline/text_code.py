"""A `Task` as cells: a look, then counting in code or sub-calls about pieces, then a check of the replies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import pieces
from .items import wanted
from .words import literal, raw_literal, stem

if TYPE_CHECKING:
    from .cards import Kind
    from .texts import Task

__all__ = ["look", "steps"]

_PIECE = 20_000
_OVERLAP = 500
_DONE = 'answer["ready"] = True'


def look(kind: Kind, field: str = "") -> str:
    """Return a cell that names the texts, and shows how long they are and how the first ones begin."""
    return f"""\
documents = {_documents(kind, field)}
print(len(documents), "documents,", sum(len(text) for text in documents.values()), "characters")
for name, text in list(documents.items())[:3]:
    print(repr(name), len(text), repr(text[:200]))"""


def steps(task: Task, kind: Kind, question: str, *, simple: bool = False) -> list[str]:
    """Return the cells after the look, the last of which answers; `simple` asks one piece at a time."""
    match task.kind:
        case "list":
            return [_ask_to_list(question, simple), _UNION]
        case "find":
            return [_ask_for_fact(task, question, simple), _MOST_FREQUENT]
        case "units":
            return [f'answer["content"] = {_units(task.unit)}\n{_DONE}']
        case "mentions":
            return [f"{_pattern(task)}\n{_MENTIONS}"]
        case "after":
            return [f"import re\n\nmarker = {literal(task.term)}\n{_AFTER}"]
        case _:
            return [
                _places(
                    task, by_line=task.unit in ("line", "paragraph") or (kind in ("text", "file") and not task.unit)
                )
            ]


def _documents(kind: Kind, field: str) -> str:
    """Return the expression that gives every text a name, the same for one text and for many."""
    match kind:
        case "text":
            return '{"text": context}'
        case "file":
            return '{"text": str(context)}'
        case "named":
            return "context"
        case "records":
            return f'{{i: str(record.get({literal(field)}) or "") for i, record in enumerate(context)}}'
        case "frame":
            return f'{{i: str(text) for i, text in enumerate(context[{literal(field)}].fillna(""))}}'
        case _:
            return "dict(enumerate(context))"


def _units(unit: str) -> str:
    return {
        "line": "sum(len(text.splitlines()) for text in documents.values())",
        "word": "sum(len(text.split()) for text in documents.values())",
        "character": "sum(len(text) for text in documents.values())",
        "paragraph": r'sum(1 for text in documents.values() for part in text.split("\n\n") if part.strip())',
    }.get(unit, "len(documents)")


def _pattern(task: Task) -> str:
    """Return code for a pattern of whole words; of words that were not quoted the case does not count."""
    term = re.escape(task.term)
    if task.kind == "defines":
        pattern = rf"(?m)^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{term}\b|^{term}[ \t]*="
    else:
        before = r"(?<!\w)" if re.match(r"\w", task.term) else ""
        after = r"(?!\w)" if re.search(r"\w\Z", task.term) else ""
        pattern = f"{before}{term}{after}"
    flags = "" if task.exact or task.kind == "defines" else ", re.IGNORECASE"
    return f"import re\n\npattern = re.compile({raw_literal(pattern)}{flags})"


_MENTIONS = """\
counts = {name: len(pattern.findall(text)) for name, text in documents.items()}
print(sum(counts.values()), "in", sum(count > 0 for count in counts.values()), "documents")
answer["content"] = sum(counts.values())
answer["ready"] = True"""


_AFTER = """\
words = [word for text in documents.values() for word in re.findall(re.escape(marker) + r"\\s*(\\S+)", text)]
words = list(dict.fromkeys(words))
print(len(words), words[:20])
if words:
    answer["content"] = words[0] if len(words) == 1 else words
else:
    answer["content"] = f"The text does not say: nothing comes after {marker} in it."
answer["ready"] = True"""


def _places(task: Task, *, by_line: bool) -> str:
    """Return code for the documents, or the lines (counted from 1), in which the pattern occurs."""
    if by_line:
        parts = r'text.split("\n\n")' if task.unit == "paragraph" else "text.splitlines()"
        lines = [
            "places = []",
            "for name, text in documents.items():",
            f"    for number, part in enumerate({parts}, 1):",
            "        if pattern.search(part):",
            "            places.append(number if len(documents) == 1 else (name, number))",
        ]
    else:
        lines = ["places = [name for name, text in documents.items() if pattern.search(text)]"]
    one_or_all = "places" if task.many else "places[0] if len(places) == 1 else places"
    content = "len(places)" if task.kind == "unit_mentions" else one_or_all
    return "\n".join(
        [_pattern(task), *lines, "print(len(places), places[:20])", f'answer["content"] = {content}', _DONE]
    )


def _ask_for_fact(task: Task, question: str, simple: bool) -> str:
    words = literal([stem(word) for word in task.words])
    start = f"max(part.start() - {_OVERLAP}, 0)"
    return _ask(pieces.FIND, question, start, words, "piece.lower()", simple)


def _ask_to_list(question: str, simple: bool) -> str:
    asked = wanted(question)
    words = literal([asked.hint] if asked and asked.hint else [])
    return _ask(pieces.LIST, question, "part.start()", words, "piece", simple)


def _ask(task: str, question: str, start: str, words: str, text: str, simple: bool) -> str:
    replies = "[llm_query(prompt) for prompt in prompts]" if simple else "llm_query_batched(prompts)"
    n = _PIECE
    return rf"""
import re

# Pieces of up to {n:,} characters, cut where a paragraph or a definition begins, else at a line's or a word's end.
cut = re.compile(r"(?s).{{1,{n}}}(?=\n {{0,4}}\S|\Z)|.{{1,{n}}}(?=\n)|.{{1,{n}}}(?=\s)|.{{1,{n}}}")
pieces = [text[{start}:part.end()] for text in documents.values() for part in cut.finditer(text)]
words = {words}
pieces = [piece for piece in pieces if all(word in {text} for word in words)]
print(len(pieces), "pieces have the words", words)

ask = {literal(pieces.head(task, question))}
prompts = [ask + piece + {literal(pieces.END)} for piece in pieces]
replies = {replies}
for reply in replies[:20]:
    print(repr(reply[:300]))""".strip()


_UNION = f"""\
# Keep what really stands in its piece, each item once.
items = []
for piece, reply in zip(pieces, replies):
    for item in reply.splitlines():
        if item != {pieces.NOT_FOUND!r} and item in piece and item not in items:
            items.append(item)
print(len(items), items[:20])
answer["content"] = items
{_DONE}"""

_MOST_FREQUENT = f"""\
# Keep the answers whose sentence really stands in its piece; the most frequent one wins.
found, sentences = [], []
for piece, reply in zip(pieces, replies):
    value, _, sentence = reply.partition("\\n")
    if sentence and sentence in piece:
        (sentences if value == sentence else found).append(value)
candidates = found or sentences
print(candidates[:20])
if candidates:
    answer["content"] = max(candidates, key=candidates.count)
else:
    answer["content"] = "The text does not say: no sentence in it has all the words " + ", ".join(words) + "."
{_DONE}"""
