"""A `Task` as cells: a look, then counting in code or sub-calls about pieces, then a check of the replies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .items import item_hint
from .pieces import FIND, FIND_END, LIST, NOT_FOUND
from .words import literal, stem

if TYPE_CHECKING:
    from .cards import Kind
    from .texts import Task

__all__ = ["look", "steps"]

_PIECE = 20_000
_OVERLAP = 500
_DONE = 'answer["ready"] = True'


def look(kind: Kind, field: str = "") -> str:
    """Return a cell that shows how long the texts are and how the first begins."""
    return "\n".join(
        [
            *_documents(kind, field),
            'print(len(documents), "documents,", sum(len(text) for text in documents.values()), "characters")',
            "for name, text in list(documents.items())[:3]:",
            "    print(repr(name), len(text), repr(text[:200]))",
        ]
    )


def steps(task: Task, kind: Kind, question: str, field: str = "", *, simple: bool = False) -> list[str]:
    """Return the cells after the look, the last of which answers; `simple` asks one piece at a time."""
    start = "\n".join(_documents(kind, field))
    if task.kind in ("list", "find"):
        return [f"{start}\n{_ask(task, question, simple)}", _combine(task)]
    return [f"{start}\n{_count(task, kind)}\n{_DONE}"]


def _documents(kind: Kind, field: str) -> list[str]:
    """Return the line that gives every text a name, the same for one text and for many."""
    if kind == "text":
        return ['documents = {"text": context}']
    if kind == "named":
        return ["documents = context"]
    if kind == "records":
        return [f"documents = {{i: str(record.get({literal(field)}) or '') for i, record in enumerate(context)}}"]
    return ["documents = dict(enumerate(context))"]


def _count(task: Task, kind: Kind) -> str:
    if task.kind == "units":
        return _units(task.unit)
    lines = ["import re", "", f"pattern = re.compile({_pattern(task)})"]
    if task.kind == "mentions":
        lines += [
            "counts = {name: len(pattern.findall(text)) for name, text in documents.items()}",
            'print(sum(counts.values()), "in", sum(n > 0 for n in counts.values()), "documents")',
            'answer["content"] = sum(counts.values())',
        ]
        return "\n".join(lines)
    if task.unit in ("line", "paragraph") or (kind == "text" and task.kind != "unit_mentions"):
        lines += [
            "places = []",
            "for name, text in documents.items():",
            f"    for number, part in enumerate({_split(task.unit)}, 1):",
            "        if pattern.search(part):",
            f"            places.append({'number' if kind == 'text' else '(name, number)'})",
        ]
    else:
        lines.append("places = [name for name, text in documents.items() if pattern.search(text)]")
    lines.append("print(len(places), places[:20])")
    if task.kind == "unit_mentions":
        return "\n".join([*lines, 'answer["content"] = len(places)'])
    return "\n".join([*lines, 'answer["content"] = places[0] if len(places) == 1 else places'])


def _units(unit: str) -> str:
    counted = {
        "line": "sum(len(text.splitlines()) for text in documents.values())",
        "word": "sum(len(text.split()) for text in documents.values())",
        "character": "sum(len(text) for text in documents.values())",
        "paragraph": 'sum(1 for text in documents.values() for part in text.split("\\n\\n") if part.strip())',
    }.get(unit, "len(documents)")
    return f'answer["content"] = {counted}'


def _split(unit: str) -> str:
    return 'text.split("\\n\\n")' if unit == "paragraph" else "text.splitlines()"


def _pattern(task: Task) -> str:
    """Return code for a pattern of whole words; of unquoted words the case does not count."""
    escaped = f"re.escape({literal(task.term)})"
    if task.kind == "defines":
        return rf'r"(?m)^[ \t]*(?:async def|def|class)[ \t]+" + {escaped} + r"\b|^" + {escaped} + r"[ \t]*="'
    flags = "" if task.exact else ", re.IGNORECASE"
    return rf'r"(?<!\w)" + {escaped} + r"(?!\w)"{flags}'


def _ask(task: Task, question: str, simple: bool) -> str:
    words = [stem(word) for word in task.words] if task.kind == "find" else [w for w in (item_hint(question),) if w]
    wanted = (
        "all(word in piece.lower() for word in words)"
        if task.kind == "find"
        else "all(word in piece for word in words)"
    )
    start = f"max(part.start() - {_OVERLAP}, 0)" if task.kind == "find" else "part.start()"
    head = (FIND if task.kind == "find" else LIST) + " ".join(question.split()) + "\n=====\n"
    replies = "[llm_query(prompt) for prompt in prompts]" if simple else "llm_query_batched(prompts)"
    return "\n".join(
        [
            "import re",
            "",
            "# Pieces of some 20,000 characters that end at a line's or a word's end.",
            rf'cut = re.compile(r"(?s).{{1,{_PIECE}}}(?=\n|\Z)|.{{1,{_PIECE}}}(?=\s)|.{{1,{_PIECE}}}")',
            "pieces = [",
            f"    text[{start}:part.end()]",
            "    for text in documents.values()",
            "    for part in cut.finditer(text)",
            "]",
            f"words = {literal(words)}",
            f"pieces = [piece for piece in pieces if {wanted}]",
            'print(len(pieces), "pieces to ask about")',
            f"ask = {literal(head)}",
            f"prompts = [ask + piece + {literal(FIND_END)} for piece in pieces]",
            f"replies = {replies}",
            "for reply in replies[:20]:",
            "    print(repr(reply[:300]))",
        ]
    )


def _combine(task: Task) -> str:
    if task.kind == "list":
        return "\n".join(
            [
                "# Keep what really stands in its piece, each item once.",
                "items = []",
                "for piece, reply in zip(pieces, replies):",
                "    for item in reply.splitlines():",
                f"        if item != {literal(NOT_FOUND)} and item in piece and item not in items:",
                "            items.append(item)",
                "print(len(items), items[:20])",
                'answer["content"] = items',
                _DONE,
            ]
        )
    return "\n".join(
        [
            "# Keep the answers whose quoted sentence really stands in its piece; the most frequent one wins.",
            "found, sentences = [], []",
            "for piece, reply in zip(pieces, replies):",
            '    value, _, sentence = reply.partition("\\n")',
            "    if sentence and sentence in piece:",
            "        (sentences if value == sentence else found).append(value)",
            "candidates = found or sentences",
            "print(candidates[:20])",
            "if candidates:",
            '    answer["content"] = max(candidates, key=candidates.count)',
            "else:",
            '    answer["content"] = "The text does not say: no sentence has all the words " + ", ".join(words) + "."',
            _DONE,
        ]
    )
