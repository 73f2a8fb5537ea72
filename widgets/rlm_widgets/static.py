"""A run as HTML that needs nothing: no script, no style sheet, no kernel, no network.

The answer comes first, then how it was found: one line per iteration, opened by a click, in fixed order prose,
code, output, error, sub-calls. The page is drawn again with less of everything until it fits: whatever a run
holds, the notebook file stays small, and each cut says what it left out.
"""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING

from .gathering import TooMuchError, gather
from .paint import BLUE, GREEN, GREY, ORANGE, RED, code, fold, label, nowrap, plain_dollars, pre, table, tag
from .steps import before_html, changes_html, each, iterations_html, prose_html
from .words import counted, status_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rlm_kernel.trajectory.records import Status
    from rlm_kernel.trajectory.run import Run

    from . import facts as f

__all__ = ["LARGEST", "static_html"]

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

_OFFLINE = (
    "<strong>Not a language model.</strong> This answer comes from the embedded rule-based solver, which answers where "
    f"no model is configured. To use one: {code('%%rlm model=… base_url=…')}, or the environment variables "
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
        changes_html("Changed on the branch: ", facts.changes),
        before_html(facts.guards, facts.asked),
        iterations_html(facts.iterations),
        _question(facts),
    )
    page = tag("div", "\n".join(filter(None, blocks)), "max-width: 960px; font-size: 13px; line-height: 1.5")
    return plain_dollars(page)


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
    if given.verified:
        yield tag("span", given.verified, f"color: {GREEN if given.final else ORANGE}")


def _offline(facts: f.Facts) -> str:
    style = (
        f"margin: 8px 0; padding: 6px 14px; border-left: 3px solid {ORANGE}; "
        "background: rgba(181, 101, 29, 0.1); font-size: 12px"
    )
    return tag("div", _OFFLINE, style) if facts.offline else ""


def _strip(facts: f.Facts) -> str:
    values = [nowrap(escape(v)) if len(v) <= _SHORT else escape(v) for _, v in facts.strip]
    grid = table([name for name, _ in facts.strip], [values])
    spent = " · ".join(f"by {escape(who)} {escape(used)}" for who, used in facts.spent)
    below = tag("div", f"spent {spent}", f"font-size: 12px; color: {GREY}") if spent else ""
    return tag("div", grid + below, "overflow-x: auto")


def _names(facts: f.Facts) -> str:
    parts = []
    if facts.kept.count:
        parts.append(f"Kept in the notebook: {_codes(facts.kept)}")
    if facts.refused.count:
        parts.append(f"Stayed behind: {_codes(facts.refused)}")
    if not parts:
        return ""
    rows = [*each(facts.kept, _name_row, _gap_row), *each(facts.refused, _refused_row, _gap_row)]
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


_INSTEAD = "what the model was shown instead of the value"


def _question(facts: f.Facts) -> str:
    head = "Question and context" + (f": {code(escape(facts.context))}" if facts.context else "")
    shown = "what the context is; the model was sent the context itself" if facts.direct else _INSTEAD
    body = prose_html(facts.question) + label(shown) + pre(escape(facts.card))
    return fold(head, tag("div", body, "margin-left: 30px"))
