"""Runs to look at in which a lot happens to branches: variables come and go, cells are killed, children answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rlm_kernel.branches.changes import NamespaceDiff, VariableChange
from rlm_kernel.trajectory import events as ev
from rlm_kernel.trajectory import records
from rlm_kernel.trajectory.run import Run
from support.sample_runs import HOSTILE, cell, started, turn

__all__ = ["branched", "bushy", "diff", "entry", "hostile_branch"]

LOAD = "frame = to_polars(context)\ntmp = frame.head()\nby_region = frame['region'].value_counts()"
BLOW_UP = "pairs = frame.join(frame, how='cross')"
ASK = "part = rlm_query('Why did they leave?', context=frame)\ndel tmp\ndf['lost'] = df['left'].notna()"
ANSWER = "answer['content'] = 'the price'\nanswer['ready'] = True"


def entry(name: str, kind: str = "int", size: int | None = None, preview: str = "1") -> VariableChange:
    """Return one variable of a diff."""
    return VariableChange(name=name, type=kind, size=size, preview=preview)


def diff(**changes: list[VariableChange]) -> dict[str, Any]:
    """Return a cell's diff as an event holds it."""
    return {**NamespaceDiff(**changes).to_json()}


def branched() -> Run:
    """Return a run on a spawned branch: changes in each iteration, a cell killed for memory, a child with a child."""
    return Run.fold(_branched())


def _branched() -> Iterator[ev.Event]:
    reason = "polars has started its threads, which would hang in a fork of this session"
    yield from started("Why did they leave?", branch="spawn", reason=reason)
    yield from turn(1, f"I load it into polars.\n```repl\n{LOAD}\n```")
    made = [
        entry("by_region", "DataFrame", 164, "4 rows, 2 columns"),
        entry("frame", "DataFrame", 21_400_000, "200,000 rows, 5 columns"),
        entry("tmp", "DataFrame", 1_200, "5 rows, 5 columns"),
    ]
    yield from cell(1, LOAD, seconds=0.31, diff=diff(added=made))
    yield from turn(2, f"Compare each with each.\n```repl\n{BLOW_UP}\n```")
    message = "it took 2.1 GB more than the session has, and 2.0 GB are allowed (mem=2GB)"
    killed: records.CellError = {"type": "killed", "message": message, "traceback": ""}
    yield from cell(2, BLOW_UP, outcome="killed", error=killed, seconds=1.9, rolled_back=["pairs"])
    yield from turn(3, f"Ask one by one.\n```repl\n{ASK}\n```")
    changes = diff(
        added=[entry("part", "list", None, "['price', 'service', 'price', 'moved']")],
        changed=[entry("df", "DataFrame", 23_000_000, "200,000 rows, 6 columns")],
        removed=[entry("tmp", "DataFrame", 1_200, "5 rows, 5 columns")],
    )
    child = _child("Why did they leave?", 2, _child("Is this about the price?", 1))
    yield from _asking(3, ASK, "Why did they leave?", child, seconds=12.8, diff=changes)
    yield from turn(4, f"```repl\n{ANSWER}\n```")
    yield from cell(4, ANSWER)
    yield ev.AnswerGiven(0, 4, "the price", "str", "the price", True, "answer", True)
    yield ev.CandidateEnded(0, "answered", "answered in iteration 4")
    yield ev.RunEnded("answered", "answered in iteration 4", 0, "", 21.3)


def _child(question: str, iterations: int, last: Iterable[ev.Event] = ()) -> Iterator[ev.Event]:
    """Yield the events of a child that makes one sub-call in each cell; the last of them is answered by `last`."""
    yield from started(question)
    for number in range(1, iterations + 1):
        code = f"reply = rlm_query('{question}')"
        yield from turn(number, f"I ask in step {number}.\n```repl\n{code}\n```")
        yield from _asking(number, code, question, last if number == iterations else ())


def _asking(number: int, code: str, prompt: str, child: Iterable[ev.Event], **end: Any) -> Iterator[ev.Event]:
    """Yield a cell with a single sub-call, answered by the events of `child`."""
    calls = [{"index": number, "batch": None, "prompt": prompt, "text": "price", "seconds": 3.1}]
    for event in cell(number, code, subcalls=calls, **end):
        yield event
        if isinstance(event, ev.SubcallStarted):
            yield from (ev.ChildEvent(0, number, ev.event_to_json(told)) for told in child)


def hostile_branch(levels: int = 3) -> Run:
    """Return a run whose children, changes and reasons try to break out of the page at every level."""
    return Run.fold(_hostile(levels))


def _hostile(levels: int) -> Iterator[ev.Event]:
    bad, child = HOSTILE, _hostile(levels - 1) if levels else ()
    error: records.CellError = {"type": bad, "message": bad, "traceback": ""}
    changes = diff(added=[entry(bad, bad, 1, bad)], rebound=[entry("x" + bad)], removed=[entry("y" + bad)])
    yield from started(bad)
    yield from turn(1, bad)
    yield from _asking(1, bad, bad, child, outcome="killed", error=error, diff=changes)


def bushy(levels: int, calls: int = 3, characters: int = 3_000) -> Run:
    """Return a run each of whose sub-calls, `calls` of them, was answered by such a run of one level less."""
    return Run.fold(_bushy(levels, calls, "<&>" * (characters // 3)))


def _bushy(levels: int, calls: int, line: str) -> Iterator[ev.Event]:
    yield from started(line)
    for number in range(1, calls + 1):
        yield from turn(number, line)
        yield from _asking(number, line, line, _bushy(levels - 1, calls, line) if levels else ())
