"""A run as HTML that needs nothing: no script, no style sheet, no kernel, no network.

The answer comes first, then how it was found: one line per iteration, opened by a click, in fixed order prose,
code, output, error, sub-calls. The page is drawn again with less of everything until it fits: whatever a run
holds, the notebook file stays small, and each cut says what it left out.
"""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, TypeVar

from .gathering import TooMuchError, gather
from .highlight import python_html
from .paint import BLUE, GREEN, GREY, LINE, ORANGE, RED, code, fold, label, nowrap, pre, quote, table, tag
from .words import counted, status_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rlm_kernel.trajectory.records import Status
    from rlm_kernel.trajectory.run import Run

    from . import facts as f

__all__ = ["LARGEST", "static_html"]

S = TypeVar("S")
T = TypeVar("T")

LARGEST = 300_000
"""Bytes of HTML one run may have in a notebook."""

_CHARACTERS, _ITEMS, _DEPTH, _IMAGE_BYTES = 6_000, 200, 12, 150_000

_SHORT = 40  # characters of a value in the header that are kept on one line

_STATUS_COLOUR: dict[Status, str] = {
    "running": BLUE,
    "answered": GREEN,
    "limit": ORANGE,
    "interrupted": ORANGE,
    "failed": RED,
}
_FEW = 8  # variables that a folded list of changes names

_OFFLINE = (
    "<strong>Not a language model.</strong> This answer comes from the embedded rule-based solver, used because no "
    f"model is configured. To use one: {code('%%rlm model=… base_url=…')}, or the environment variables "
    f"{code('OPENAI_API_KEY')}, {code('OPENAI_BASE_URL')} and {code('RLM_MODEL')}."
)


def static_html(run: Run) -> str:
    """Return the run as self-contained HTML of at most `LARGEST` bytes in UTF-8."""
    characters, items, depth = _CHARACTERS, _ITEMS, _DEPTH
    while True:
        with suppress(TooMuchError):
            facts = gather(run, characters=characters, items=items, image_bytes=_IMAGE_BYTES, most=LARGEST, depth=depth)
            if len((page := _page(facts)).encode()) <= LARGEST:
                return page
        # Two items of each list at every level are too much if the levels are many, so these end up at none.
        characters, items, depth = max(characters // 2, 40), max(items * 2 // 3, 2), depth * 4 // 5


def _page(facts: f.Facts) -> str:
    blocks = (
        _answer(facts),
        _offline(facts),
        _strip(facts),
        _names(facts),
        _changes("Changed on the branch: ", facts.changes),
        _iterations(facts.iterations),
        _question(facts),
    )
    return tag("div", "\n".join(filter(None, blocks)), "max-width: 960px; font-size: 13px; line-height: 1.5")


def _answer(facts: f.Facts) -> str:
    colour = _STATUS_COLOUR[facts.status]
    state = tag("strong", status_words(facts.status), f"font-weight: 600; color: {colour}")
    given = facts.answer
    if given is None:
        reason = f" — {escape(facts.reason)}" if facts.reason else ""
        text, origin = tag("em", "No answer"), f"{state}{reason}"
    else:
        text = pre(escape(given.text)) if given.block else tag("strong", escape(given.text), _HEADLINE)
        origin = " · ".join([state, *_provenance(facts, given)])
    body = f"{text}\n{tag('div', origin, 'margin-top: 3px; font-size: 12px')}"
    return tag("div", body, f"margin: 2px 0 8px; padding: 4px 0 4px 14px; border-left: 3px solid {colour}")


_HEADLINE = "display: block; font-size: 18px; font-weight: 600; line-height: 1.35; overflow-wrap: break-word"


def _provenance(facts: f.Facts, given: f.AnswerFacts) -> Iterator[str]:
    if facts.status != "answered" and facts.reason:
        yield escape(facts.reason)
    what = "" if given.final else "a draft, not a final answer: "
    yield tag("span", f"{what}{escape(given.type)} from iteration {given.iteration}", f"color: {GREY}")


def _offline(facts: f.Facts) -> str:
    style = (
        f"margin: 8px 0; padding: 6px 14px; border-left: 3px solid {ORANGE}; "
        "background: rgba(181, 101, 29, 0.1); font-size: 12px"
    )
    return tag("div", _OFFLINE, style) if facts.offline else ""


def _strip(facts: f.Facts) -> str:
    values = [nowrap(escape(v)) if len(v) <= _SHORT else escape(v) for _, v in facts.strip]
    grid = table([name for name, _ in facts.strip], [values])
    return tag("div", grid, "overflow-x: auto")


def _names(facts: f.Facts) -> str:
    parts = []
    if facts.kept.count:
        parts.append(f"Kept in the notebook: {_codes(facts.kept)}")
    if facts.refused.count:
        parts.append(f"Stayed behind: {_codes(facts.refused)}")
    if not parts:
        return ""
    rows = [*_each(facts.kept, _name_row, _gap_row), *_each(facts.refused, _refused_row, _gap_row)]
    return fold(" · ".join(parts), table(["name", "type", "value, or why it stayed behind"], rows))


def _codes(names: f.Listed[f.NameFacts]) -> str:
    shown = [code(escape(n.name)) for n in (names.head + names.tail)[:6]]
    return ", ".join(shown) + (f" and {names.count - 6:,} more" if names.count > 6 else "")


def _name_row(name: f.NameFacts) -> list[str]:
    return [code(escape(name.name)), escape(name.type), code(escape(name.detail))]


def _refused_row(name: f.NameFacts) -> list[str]:
    return [code(escape(name.name)), escape(name.type), f"stayed behind: {escape(name.detail)}"]


def _gap_row(left_out: int) -> list[str]:
    return ["…", "", f"{counted(left_out, 'name')} not shown"]


def _changes(head: str, changes: f.Listed[f.ChangeFacts]) -> str:
    if not changes.count:
        return ""
    first = (changes.head + changes.tail)[:_FEW]
    words = [*map(_change, first), *([f"{changes.count - _FEW:,} more"] if changes.count > _FEW else [])]
    rows = _each(changes, _change_row, lambda n: ["…", f"{counted(n, 'variable')} not shown", "", "", ""])
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


# ----- iterations --------------------------------------------------------------------------------------


def _iterations(iterations: f.Listed[f.IterationFacts]) -> str:
    rows = _each(iterations, _iteration, lambda n: _gap(n, "iteration"))
    return tag("div", "\n".join(rows), f"margin: 8px 0; border-bottom: {LINE}") if rows else ""


def _iteration(turn: f.IterationFacts) -> str:
    parts = [_prose(turn.prose)] if turn.prose else []
    parts += _each(turn.cells, _cell, lambda n: _gap(n, "cell"))
    if changes := _changes("", turn.changes):
        parts.append(changes)
    if turn.reasoning:
        parts.append(fold("Reasoning", pre(escape(turn.reasoning), wrap=True)))
    body = tag("div", "\n".join(parts), "margin: 0 0 12px 30px")
    return fold(_summary(turn), body, f"border-top: {LINE}")


def _summary(turn: f.IterationFacts) -> str:
    title = code(escape(turn.title)) if turn.title_is_code else escape(turn.title)
    mark = _badge(turn.mark) + (f" · {tag('strong', 'answer', f'color: {GREEN}')}" if turn.answered else "")
    right = " · ".join(filter(None, [escape(turn.notes), mark, turn.time]))
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


def _prose(text: str) -> str:
    paragraphs = (escape(p.strip("\n")).replace("\n", "<br>") for p in text.split("\n\n"))
    return "".join(tag("p", p, "margin: 4px 0 8px; overflow-wrap: break-word") for p in paragraphs if p)


def _cell(cell: f.CellFacts) -> str:
    parts = [pre(python_html(cell.code), edge=GREY)]
    if cell.stdout:
        parts += [label("output"), pre(escape(cell.stdout))]
    if cell.stderr:
        parts += [label("stderr"), pre(escape(cell.stderr), edge=ORANGE)]
    parts += _each(cell.displays, _display, lambda n: _gap(n, "display"))
    if cell.trouble:
        parts += [label(cell.mark), pre(escape(cell.trouble), edge=RED)]
    if cell.rolled_back.count:
        names = _each(cell.rolled_back, lambda n: code(escape(n)), lambda n: f"… {n:,} more …")
        parts.append(tag("div", f"Rolled back: {', '.join(names)}", "margin-top: 6px; font-size: 12px"))
    parts += _each(cell.batches, _batch, lambda n: _gap(n, "group of sub-calls", "groups of sub-calls"))
    return tag("div", "\n".join(parts), "margin: 4px 0 10px")


def _display(shown: f.DisplayFacts) -> str:
    if not shown.image:
        return label("display") + pre(escape(shown.text))
    image = f'<img src="{escape(shown.image)}" alt="{escape(shown.text)}" style="max-width: 100%">'
    return label("display") + tag("div", image)


def _batch(batch: f.BatchFacts) -> str:
    failed = f" · {tag('strong', f'{batch.failed:,} failed', f'color: {RED}')}" if batch.failed else ""
    head = f"{counted(batch.calls.count, 'sub-call')} to {escape(batch.model)}{failed} · {batch.time}"
    rows = _each(batch.calls, _call, lambda n: ["", f"… {counted(n, 'sub-call')} not shown …", "", ""])
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
        head, tag("div", _iterations(call.iterations), f"margin-left: 10px; padding-left: 10px; border-left: {LINE}")
    )


def _question(facts: f.Facts) -> str:
    head = "Question and context" + (f": {code(escape(facts.context))}" if facts.context else "")
    body = _prose(facts.question) + label("what the model was shown instead of the value") + pre(escape(facts.card))
    return fold(head, tag("div", body, "margin-left: 30px"))


def _gap(left_out: int, noun: str, plural: str = "") -> str:
    words = f"{left_out:,} {plural}" if plural and left_out > 1 else counted(left_out, noun)
    return tag("div", f"… {words} not shown …", f"padding: 4px 30px; border-top: {LINE}; color: {GREY}")


def _each(listed: f.Listed[T], draw: Callable[[T], S], gap: Callable[[int], S]) -> list[S]:
    """Draw what is listed, with one remark in the place of what is left out."""
    middle = [gap(listed.left_out)] if listed.left_out else []
    return [*map(draw, listed.head), *middle, *map(draw, listed.tail)]
