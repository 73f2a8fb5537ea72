"""The iterations of a run as HTML: one line each, opened by a click.

In fixed order: what the model said, its cells with all that came of them, the guards that acted, what the engine asked
for itself, the changed variables, the model's reasoning.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, TypeVar

from .highlight import python_html
from .paint import BLUE, GREEN, GREY, LINE, ORANGE, RED, code, fold, label, nowrap, pre, quote, table, tag
from .words import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import facts as f

__all__ = ["before_html", "changes_html", "each", "iterations_html", "prose_html"]

S = TypeVar("S")
T = TypeVar("T")

_FEW = 8  # variables that a folded list of changes names


def changes_html(head: str, changes: f.Listed[f.ChangeFacts]) -> str:
    """Return a fold behind `head` and the first few variables that were changed; nothing if none was."""
    if not changes.count:
        return ""
    first = (changes.head + changes.tail)[:_FEW]
    words = [*map(_change, first), *([f"{changes.count - _FEW:,} more"] if changes.count > _FEW else [])]
    rows = each(changes, _change_row, lambda n: ["…", f"{counted(n, 'variable')} not shown", "", "", ""])
    body = table(["variable", "", "type", "size", "value"], rows)
    return fold(head + " · ".join(words), body, "font-size: 12px")


def _change(change: f.ChangeFacts) -> str:
    colour = {"+": GREEN, "~": BLUE}.get(change.sign, RED)
    sign = tag("strong", change.sign, f"color: {colour}")
    words = (nowrap(f"{sign} {code(escape(change.name))}"), escape(change.type), escape(change.size))
    return " ".join(filter(None, words))


def _change_row(change: f.ChangeFacts) -> list[str]:
    cells = (change.how, change.type, change.size)
    return [code(escape(change.name)), *map(escape, cells), code(escape(change.preview))]


def before_html(guards: f.Listed[f.GuardFacts], asked: f.Listed[f.AskedFacts]) -> str:
    """Return what the engine did before the first turn; nothing if it did nothing."""
    parts = _of_engine(guards, asked)
    return tag("div", "\n".join(parts), "margin: 8px 0") if parts else ""


def iterations_html(iterations: f.Listed[f.IterationFacts]) -> str:
    """Return the iterations, one line each; nothing if there are none."""
    rows = each(iterations, _iteration, lambda n: _gap(n, "iteration"))
    return tag("div", "\n".join(rows), f"margin: 8px 0; border-bottom: {LINE}") if rows else ""


def _iteration(turn: f.IterationFacts) -> str:
    parts = [prose_html(turn.prose)] if turn.prose else []
    parts += each(turn.cells, _cell, lambda n: _gap(n, "cell"))
    parts += _of_engine(turn.guards, turn.asked)
    if changes := changes_html("", turn.changes):
        parts.append(changes)
    if turn.reasoning:
        parts.append(fold("Reasoning", pre(escape(turn.reasoning), wrap=True)))
    body = tag("div", "\n".join(parts), "margin: 0 0 12px 30px")
    return fold(_summary(turn), body, f"border-top: {LINE}")


def _summary(turn: f.IterationFacts) -> str:
    title = code(escape(turn.title)) if turn.title_is_code else escape(turn.title)
    given = tag("strong", turn.given, f"color: {GREEN if turn.given == 'answer' else ORANGE}") if turn.given else ""
    right = " · ".join(filter(None, [escape(turn.notes), _badge(turn.mark), given, turn.time]))
    cells = (
        tag("span", str(turn.number), f"display: table-cell; padding-right: 10px; color: {GREY}"),
        tag("span", tag("bdi", title), _ELLIPSIS),
        tag("span", right, f"display: table-cell; padding-left: 16px; white-space: nowrap; color: {GREY}"),
    )
    return tag("span", " ".join(cells), "display: inline-table; width: 96%; vertical-align: top")


_ELLIPSIS = (
    "display: table-cell; width: 100%; max-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap"
)


def _badge(mark: f.Mark) -> str:
    if mark == "ok":
        return "ok"
    colour = {"running": BLUE, "no code": ORANGE}.get(mark, RED)
    return tag("strong", mark, f"font-weight: 600; color: {colour}")


def prose_html(text: str) -> str:
    """Return text in paragraphs."""
    paragraphs = (escape(p.strip("\n")).replace("\n", "<br>") for p in text.split("\n\n"))
    return "".join(tag("p", p, "margin: 4px 0 8px; overflow-wrap: break-word") for p in paragraphs if p)


def _of_engine(guards: f.Listed[f.GuardFacts], asked: f.Listed[f.AskedFacts]) -> list[str]:
    """Return a line per guard that acted, and a fold per question of the engine's own."""
    lines = each(guards, _guard, lambda n: _gap(n, "guard"))
    return [*lines, *each(asked, _asked, lambda n: _gap(n, "question"))]


def _guard(note: f.GuardFacts) -> str:
    said = f"{tag('strong', 'guard', f'color: {ORANGE}')} {code(escape(note.guard))}: {escape(note.detail)}"
    return tag("div", said, "margin-top: 6px; font-size: 12px; overflow-wrap: break-word")


def _asked(asked: f.AskedFacts) -> str:
    failed = tag("strong", "failed", f"color: {RED}") if asked.failed else ""
    figures = f"{escape(asked.what)} {escape(asked.model)}", failed, asked.tokens, asked.time
    body = label("asked") + pre(escape(asked.prompt), wrap=True) + label("reply") + pre(escape(asked.reply), wrap=True)
    return fold(" · ".join(filter(None, figures)), body, "margin-top: 6px; font-size: 12px")


def _cell(cell: f.CellFacts) -> str:
    parts = [pre(python_html(cell.code), edge=GREY)]
    if cell.stdout:
        parts += [label("output"), pre(escape(cell.stdout))]
    if cell.stderr:
        parts += [label("stderr"), pre(escape(cell.stderr), edge=ORANGE)]
    parts += each(cell.displays, _display, lambda n: _gap(n, "display"))
    if cell.trouble:
        parts += [label(cell.mark), pre(escape(cell.trouble), edge=RED)]
    if cell.rolled_back.count:
        names = each(cell.rolled_back, lambda n: code(escape(n)), lambda n: f"… {n:,} more …")
        parts.append(tag("div", f"Rolled back: {', '.join(names)}", "margin-top: 6px; font-size: 12px"))
    parts += each(cell.batches, _batch, lambda n: _gap(n, "group of sub-calls", "groups of sub-calls"))
    return tag("div", "\n".join(parts), "margin: 4px 0 10px")


def _display(shown: f.DisplayFacts) -> str:
    if not shown.image:
        return label("display") + pre(escape(shown.text))
    image = f'<img src="{escape(shown.image)}" alt="{escape(shown.text)}" style="max-width: 100%">'
    return label("display") + tag("div", image)


def _batch(batch: f.BatchFacts) -> str:
    failed = f" · {tag('strong', f'{batch.failed:,} failed', f'color: {RED}')}" if batch.failed else ""
    kinds = f" ({escape(batch.kinds)})" if batch.kinds else ""
    head = f"{counted(batch.calls.count, 'sub-call')}{kinds} to {escape(batch.model)}{failed} · {batch.time}"
    rows = each(batch.calls, _call, lambda n: ["", f"… {counted(n, 'sub-call')} not shown …", "", ""])
    grid = table(["", "prompt", "reply", "time"], rows)
    children = filter(None, map(_child, batch.calls.head + batch.calls.tail))
    return fold(head, "\n".join([grid, *children]), "margin-top: 6px; font-size: 12px")


def _call(call: f.CallFacts) -> list[str]:
    failed = tag("strong", "failed ", f"color: {RED}") if call.failed else ""
    return [str(call.number), quote(escape(call.prompt)), quote(failed + escape(call.reply)), nowrap(call.time)]


def _child(call: f.CallFacts) -> str:
    """Draw the iterations behind a sub-call's reply: below the table, where they have the room they need."""
    if call.iterations is None:
        return ""
    head = f"How sub-call {call.number} came to its reply: {counted(call.iterations.count, 'iteration')}"
    return fold(
        head,
        tag("div", iterations_html(call.iterations), f"margin-left: 10px; padding-left: 10px; border-left: {LINE}"),
    )


def _gap(left_out: int, noun: str, plural: str = "") -> str:
    words = f"{left_out:,} {plural}" if plural and left_out > 1 else counted(left_out, noun)
    return tag("div", f"… {words} not shown …", f"padding: 4px 30px; border-top: {LINE}; color: {GREY}")


def each(listed: f.Listed[T], draw: Callable[[T], S], gap: Callable[[int], S]) -> list[S]:
    """Draw what is listed, with one remark in the place of what is left out."""
    middle = [gap(listed.left_out)] if listed.left_out else []
    return [*map(draw, listed.head), *middle, *map(draw, listed.tail)]
