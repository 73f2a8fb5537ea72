"""From a run to its facts: count, choose, cut.

Two numbers bound a page: how many characters of a text are shown and how many items of a list. Images have a
budget of their own for the whole run, spent in the order they were made, because half an image is none. A run can
be far larger than any page, so gathering gives up as soon as it is clear that the page would be too.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rlm_kernel.branches.changes import NamespaceDiff

from . import facts as f
from .cleaning import one_line, shown
from .header import spent, strip
from .words import counted, duration, purpose, size, tokens, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rlm_kernel.branches.changes import VariableChange
    from rlm_kernel.trajectory.records import CellError
    from rlm_kernel.trajectory.run import Run
    from rlm_kernel.trajectory.steps import Candidate, Cell, Consultation, GuardNote, Iteration, SubCall

__all__ = ["TooMuchError", "gather"]

S = TypeVar("S")
T = TypeVar("T")

_IMAGES = ("image/png", "image/jpeg")
_ITEM = 30  # characters that even an empty item has on every page
_CHANGES = {
    "added": ("+", "added"),
    "rebound": ("~", "bound to another value"),
    "changed": ("~", "changed in place"),
    "removed": ("\N{MINUS SIGN}", "removed"),
}
_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)^[ \t]*\1[`~ \t]*$", re.DOTALL | re.MULTILINE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_BAD: tuple[f.Mark, ...] = ("died", "killed", "timeout", "interrupted", "error", "running")


class TooMuchError(Exception):
    """The facts are larger than asked for; never leaves this package, the page is drawn again with less."""


def gather(
    run: Run, *, characters: int, items: int, image_bytes: int, most: int, depth: int = 0, cells: bool = True
) -> f.Facts:
    """Return the facts of a run.

    Args:
        run: finished or still running.
        characters: how much of each text is shown; the answer may have four times as much.
        items: how many of each list are shown, half from its beginning and half from its end; at least 2.
        image_bytes: how much all images of the run may have together, as base64.
        most: how many characters all facts may have together.
        depth: how many levels of child trajectories are shown.
        cells: whether the iterations carry their cells; a view of one line per iteration needs none.

    Raises:
        TooMuchError: there are more than `most`.

    """
    return _Gatherer(characters, items, image_bytes, most, depth, cells).run(run)


@dataclass
class _Gatherer:
    characters: int
    items: int
    image_bytes: int
    left: int
    depth: int
    cells: bool

    def run(self, run: Run) -> f.Facts:
        context = f"{one_line(run.context)}, {one_line(run.context_type)}" if run.context else ""
        return f.Facts(
            status=run.status,
            reason=one_line(run.stop_reason, 400),
            offline=run.offline,
            direct=run.method == "direct",
            question=self._cut(run.question),
            context=context,
            card=self._cut(run.card),
            answer=self._answer(run),
            guards=self._guards(run.chosen),
            asked=self._consultations(run.chosen),
            iterations=self._list(run.iterations, self._iteration),
            changes=self._changes([cell for turn in run.iterations for cell in turn.cells]),
            kept=self._list(run.kept, lambda k: _name(k["name"], k["type"], k["preview"])),
            refused=self._list(run.refused, lambda r: _name(r["name"], r["type"], r["reason"])),
            strip=strip(run),
            spent=spent(run),
        )

    def _answer(self, run: Run) -> f.AnswerFacts | None:
        given = run.chosen.answer if run.chosen else None
        if given is None:
            return None
        at = next(i.index for i in run.iterations if i.answer is given)
        text = self._cut(given.text, 4)
        block = "\n" in text or len(text) > 400
        return f.AnswerFacts(text, block, one_line(given.value_type), at, given.final, verdict(given.verified))

    def _iteration(self, turn: Iteration) -> f.IterationFacts:
        prose = self._cut(_prose(turn))
        title = one_line(prose)
        subcalls = [call for cell in turn.cells for call in cell.subcalls]
        seconds = (turn.seconds or 0.0) + sum(cell.seconds for cell in turn.cells)
        notes = [counted(len(turn.cells), "cell")] if len(turn.cells) > 1 else []
        notes += [counted(len(subcalls), "sub-call")] if subcalls else []
        notes += [counted(len(turn.guards), "guard")] if turn.guards else []
        return f.IterationFacts(
            number=turn.index,
            title=title or one_line(turn.cells[0].code if turn.cells else "") or "…",
            title_is_code=not title,
            mark=_mark(turn),
            given="" if turn.answer is None else "answer" if turn.answer.final else "draft",
            time=duration(seconds),
            notes=", ".join(notes),
            prose=prose if prose != title else "",
            reasoning=self._cut(turn.reasoning),
            trouble=_trouble(turn),
            cells=self._list(turn.cells if self.cells else [], self._cell),
            guards=self._guards(turn),
            asked=self._consultations(turn),
            changes=self._changes(turn.cells),
        )

    def _guards(self, place: Iteration | Candidate | None) -> f.Listed[f.GuardFacts]:
        return self._list(place.guards if place else [], self._guard)

    def _guard(self, note: GuardNote) -> f.GuardFacts:
        told = f.GuardFacts(one_line(note.guard, 60), one_line(" ".join(note.detail[:2_000].split()), 300))
        self._spend(len(told.guard) + len(told.detail))
        return told

    def _consultations(self, place: Iteration | Candidate | None) -> f.Listed[f.AskedFacts]:
        return self._list(place.consultations if place else [], self._consultation)

    def _consultation(self, asked: Consultation) -> f.AskedFacts:
        return f.AskedFacts(
            what=purpose(one_line(asked.role, 60)),
            model=one_line(asked.model, 60),
            tokens=tokens(asked.usage),
            time=duration(asked.seconds),
            prompt=self._cut(asked.prompt),
            reply=self._cut(asked.error or asked.text),
            failed=bool(asked.error),
        )

    def _cell(self, cell: Cell) -> f.CellFacts:
        trouble = cell.error["traceback"] or _reason(cell.error) if cell.error else ""
        return f.CellFacts(
            code=self._cut(cell.code),
            mark=cell.outcome or "running",
            time=duration(cell.seconds),
            stdout=self._cut(cell.stdout),
            stderr=self._cut(cell.stderr),
            trouble=self._cut(trouble),
            displays=self._list(cell.displays, self._display),
            rolled_back=self._list(cell.rolled_back, one_line),
            batches=self._list(_together(cell.subcalls), self._batch),
        )

    def _display(self, bundle: dict[str, Any]) -> f.DisplayFacts:
        text = self._cut(str(bundle.get("text/plain", "")))
        kind = next((kind for kind in _IMAGES if isinstance(bundle.get(kind), str)), None)
        if kind is None:
            return f.DisplayFacts("", text or f"[{one_line(', '.join(bundle)) or 'empty display'}]")
        data = "".join(bundle[kind].split())
        if len(data) > self.image_bytes or not _BASE64.fullmatch(data):
            note = f"[{kind}, {size(len(data) * 3 // 4)}, not stored here]"
            return f.DisplayFacts("", f"{text}\n{note}".strip())
        self.image_bytes -= len(data)
        self._spend(len(data))
        return f.DisplayFacts(f"data:{kind};base64,{data}", text)

    def _batch(self, calls: list[SubCall]) -> f.BatchFacts:
        waited = max((call.seconds for call in calls if call.seconds is not None), default=0.0)
        failed = sum(bool(call.error) for call in calls)
        model = one_line(calls[0].model)
        return f.BatchFacts(self._list(calls, self._call), _kinds(calls), model, failed, duration(waited))

    def _call(self, call: SubCall) -> f.CallFacts:
        time = "pending" if call.seconds is None else duration(call.seconds)
        reply = self._cut(call.error or call.text)
        return f.CallFacts(call.index, self._cut(call.prompt), reply, bool(call.error), time, self._child(call))

    def _child(self, call: SubCall) -> f.Listed[f.IterationFacts] | None:
        if call.child is None:
            return None
        if not self.depth:
            return f.Listed([], len(call.child.iterations), [])
        self.depth -= 1
        iterations = self._list(call.child.iterations, self._iteration)
        self.depth += 1
        return iterations

    def _changes(self, cells: list[Cell]) -> f.Listed[f.ChangeFacts]:
        diff = NamespaceDiff.total(NamespaceDiff.from_json(cell.diff) for cell in cells if cell.diff)
        changes = [(kind, change) for kind in _CHANGES for change in getattr(diff, kind)]
        return self._list(changes, lambda told: self._change(*told))

    def _change(self, kind: str, change: VariableChange) -> f.ChangeFacts:
        name, type_ = one_line(change["name"], 60), one_line(change["type"], 60)
        preview = one_line(change["preview"], 100)
        self._spend(len(name) + len(type_) + len(preview))
        bytes_ = "" if change["size"] is None else size(change["size"])
        return f.ChangeFacts(*_CHANGES[kind], name, type_, bytes_, preview)

    def _cut(self, text: str, times: int = 1) -> str:
        text = shown(text, times * self.characters)
        self._spend(len(text))
        return text

    def _spend(self, characters: int) -> None:
        self.left -= characters
        if self.left < 0:
            raise TooMuchError

    def _list(self, things: Sequence[S], fact: Callable[[S], T]) -> f.Listed[T]:
        self._spend(_ITEM * min(len(things), self.items))
        if len(things) <= self.items:
            return f.Listed([fact(thing) for thing in things], 0, [])
        half = self.items // 2
        head, tail = things[: self.items - half], things[len(things) - half :]
        return f.Listed([fact(t) for t in head], len(things) - self.items, [fact(t) for t in tail])


def _prose(turn: Iteration) -> str:
    """Return the model's text without the blocks that ran; blocks that did not run stay readable in it."""
    ran = {"".join(cell.code.split()) for cell in turn.cells}
    return _FENCED.sub(lambda block: "" if "".join(block[2].split()) in ran else block[0], turn.text).strip()


def _mark(turn: Iteration) -> f.Mark:
    """Return the worst outcome of an iteration's cells."""
    marks = {cell.outcome or "running" for cell in turn.cells}
    if not marks:
        return "running" if turn.seconds is None else "ok" if turn.answer else "no code"
    return next((bad for bad in _BAD if bad in marks), "ok")


def _trouble(turn: Iteration) -> str:
    """Return in one line why the last cell of an iteration failed, empty if it did not."""
    error = turn.cells[-1].error if turn.cells else None
    return one_line(_reason(error), 200) if error else ""


def _reason(error: CellError) -> str:
    """Return an exception as Python names it; a cell that was stopped has its outcome, which is shown, for a type."""
    stopped = error["type"] in _BAD
    return error["message"] if stopped else f"{error['type']}: {error['message']}".strip(": ")


def _together(calls: Sequence[SubCall]) -> list[list[SubCall]]:
    """Group what was asked together: a batch, or the parts of one long text with the step that put them together."""
    groups: list[list[SubCall]] = []
    for call in calls:
        last = groups[-1][-1] if groups else None
        part = call.kind in ("map", "reduce") and last is not None and last.kind == "map"
        if last is not None and call.batch == last.batch and (part or call.batch is not None):
            groups[-1].append(call)
        else:
            groups.append([call])
    return groups


def _kinds(calls: Sequence[SubCall]) -> str:
    """Return how many calls of each kind there are, if there are parts of a long text among them."""
    kinds = Counter(call.kind for call in calls)
    if not kinds.keys() & {"map", "reduce"}:
        return ""
    return ", ".join(f"{count:,} {one_line(kind, 60)}" for kind, count in kinds.items())


def _name(name: str, kind: str, detail: str) -> f.NameFacts:
    return f.NameFacts(one_line(name), one_line(kind), one_line(detail, 160))
