"""Runs to look at: each is folded from the events a real run would have written."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from rlm_kernel.trajectory import events as ev
from rlm_kernel.trajectory import records
from rlm_kernel.trajectory.records import Usage
from rlm_kernel.trajectory.run import Run

__all__ = [
    "HOSTILE",
    "cell",
    "enormous",
    "hostile",
    "offline",
    "png",
    "running",
    "solved",
    "started",
    "turn",
    "wrecked",
]

CARD = """\
pandas.DataFrame, 200,000 rows, 5 columns, 21.4 MB
  region    str        5 values: North, South, East, West, Centre
  plan      category   free, basic, pro
  joined    datetime64 2019-01-01 … 2025-06-30
  left      datetime64 61,204 values, rest missing
  price     float64    0.0 … 49.0"""

HOSTILE = (
    "</details></pre><script>alert(1)</script><img src=x onerror=alert(2)> \x00\x07 \ud83d lone \x1b[31mred\x1b[0m "
    "\u202erevo\u202c \u200fright\u200e & \"quoted\" 'single' [31m"
)


def png(width: int = 360, height: int = 120, noise: bool = False) -> str:
    """Return a small chart-like PNG as base64; with `noise` one that does not compress."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    def pixel(x: int, y: int) -> bytes:
        if noise:
            value = zlib.crc32(f"{x},{y}".encode())
            return value.to_bytes(4, "big")[:3]
        bar = (x // 60 * 37 + 30) % 100
        inside = x % 60 > 14 and height - y < bar + 8
        return b"\x40\x78\xd6" if inside else b"\xff\xff\xff"

    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(width)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def started(question: str = "Which region lost the most customers?", **changes: Any) -> Iterator[ev.Event]:
    """Yield how every run begins."""
    facts: dict[str, Any] = {
        "run_id": "20260102-030405-a1b2c3",
        "started": "2026-01-02T03:04:05Z",
        "question": question,
        "context": "df",
        "context_type": "DataFrame",
        "card": CARD,
        "model": "gpt-5-mini",
        "sub_model": "gpt-5-nano",
        "base_url": "https://api.openai.com/v1",
        "offline": False,
        "settings": {"max_iterations": 20, "timeout": 30},
        "branch": "fork",
        "reason": "",
    }
    yield ev.RunStarted(**{**facts, **changes})
    yield ev.CandidateStarted(0)


def turn(
    number: int, text: str, *, usage: Usage | None = None, seconds: float = 1.4, reasoning: str = ""
) -> Iterator[ev.Event]:
    """Yield one reply of the root model."""
    usage = usage or Usage(1, 2_150 + 700 * number, 180, 0.0021)
    yield ev.ModelCalled(0, number, [{"role": "user", "content": "…"}])
    yield ev.ModelReplied(0, number, text, reasoning, "stop", usage, seconds)


def cell(number: int, code: str, *, index: int = 1, subcalls: Any = (), **end: Any) -> Iterator[ev.Event]:
    """Yield one cell with its sub-calls."""
    yield ev.CellStarted(0, number, index, code)
    for call in subcalls:
        yield ev.SubcallStarted(0, call["index"], call.get("batch"), "gpt-5-nano", call["prompt"])
    for call in subcalls:
        usage = Usage(1, 640, 24, 0.00004)
        yield ev.SubcallEnded(0, call["index"], call.get("text", ""), call.get("error", ""), usage, call["seconds"])
    left: dict[str, Any] = {
        "outcome": "ok",
        "stdout": "",
        "stderr": "",
        "displays": [],
        "error": None,
        "seconds": 0.2,
        "rolled_back": [],
    }
    yield ev.CellEnded(0, number, index, **{**left, **end})


LOOK = """\
# what is in here?
print(context.shape)
context.head(3)"""

HEAD = """\
  region   plan     joined       left  price
0  North    pro 2021-03-04 2024-02-11   29.0
1   West   free 2020-11-19        NaT    0.0
2  South  basic 2023-06-30        NaT    9.0"""

COUNT = """\
from datetime import datetime

change = datetime(2024, 1, 1)
lost = context[context["left"] >= change]
by_region = lost.groupby("region").size().sort_values(ascending=False)
for region, count in by_region.items():
    print(f"{region:<8} {count:>6,}")"""

WHY = """\
notes = [row.comment for row in lost.itertuples() if row.region == "South"][:12]
reasons = llm_query_batched([f"Why did this customer leave? One word.\\n\\n{n}" for n in notes])
print(sorted(set(reasons)))"""

ANSWER = """\
answer["content"] = "South lost most: 9,412 customers left after the price change, chiefly because of the price"
answer["ready"] = True"""


def solved() -> Run:
    """Return a run that went well: four iterations, a batch of sub-calls, a chart, variables kept."""
    return Run.fold(solved_events())


def solved_events() -> Iterator[ev.Event]:
    """Yield the events of `solved`."""
    yield from started("Which region lost the most customers after the price change, and why?")
    yield from turn(
        1, f"I look at the columns first.\n\n```repl\n{LOOK}\n```", reasoning="Five columns. Look at a few rows."
    )
    shape = {"text/plain": HEAD, "text/html": "<table><tr><td>never shown</td></tr></table>"}
    yield from cell(1, LOOK, stdout="(200000, 5)\n", displays=[shape], seconds=0.03)
    text = f"Customers with a `left` date after the change are lost. Count them by region.\n\n```repl\n{COUNT}\n```"
    yield from turn(2, f"{text}\n\nThen I ask why.")
    chart = {"image/png": png(), "text/plain": "<Figure size 360x120>"}
    counts = "South     9,412\nWest      8,120\nNorth     6,001\nEast      5,977\nCentre    1,204\n"
    yield from cell(2, COUNT, stdout=counts, displays=[chart], seconds=0.41)
    yield from turn(3, f"```repl\n{WHY}\n```")
    yield from cell(3, WHY, stdout="['moved', 'price', 'service']\n", subcalls=list(_reasons()), seconds=2.8)
    yield from turn(4, f"The price is named most.\n```repl\n{ANSWER}\n```", seconds=0.9)
    yield from cell(4, ANSWER, seconds=0.004)
    said = "South lost most: 9,412 customers left after the price change, chiefly because of the price"
    yield ev.AnswerGiven(0, 4, said, "str", said, True, "answer", True)
    yield ev.CandidateEnded(0, "answered", "answered in iteration 4")
    kept: list[records.KeptName] = [
        {"name": "by_region", "type": "Series", "preview": "5 values: South 9412, West 8120, North 6001, …"},
        {"name": "reasons", "type": "list", "preview": "12 items: 'price', 'service', 'price', …"},
        {"name": "change", "type": "datetime", "preview": "datetime.datetime(2024, 1, 1, 0, 0)"},
    ]
    yield ev.Kept(kept, [{"name": "rows", "type": "generator", "reason": "a generator cannot leave its process"}])
    yield ev.RunEnded("answered", "answered in iteration 4", 0, "only one candidate", 9.31)


def _reasons() -> Iterator[dict[str, Any]]:
    for index in range(12):
        note = "The new price is more than I can pay for what I use.\n" * (1 + index % 3)
        prompt = f"Why did this customer leave? One word.\n\n{note}"
        if index == 7:
            yield {
                "index": 8,
                "batch": 0,
                "prompt": prompt,
                "error": "the server did not answer in 30 s",
                "seconds": 2.7,
            }
        else:
            yield {"index": index + 1, "batch": 0, "prompt": prompt, "text": "price", "seconds": 0.4}


def offline() -> Run:
    """Return a run the embedded solver answered."""
    return Run.fold(_offline())


def _offline() -> Iterator[ev.Event]:
    code = "result = len(context)\nFINAL(result)"
    yield from started("How many rows are there?", model="offline", sub_model="offline", offline=True, base_url="")
    yield from turn(1, f"Count the rows.\n```repl\n{code}\n```", usage=Usage(1, 400, 20, 0.0), seconds=0.001)
    yield from cell(1, code, seconds=0.004)
    yield ev.AnswerGiven(0, 1, "200000", "int", 200_000, True, "FINAL", True)
    yield ev.CandidateEnded(0, "answered", "answered in iteration 1")
    yield ev.RunEnded("answered", "answered in iteration 1", 0, "", 0.021)


def wrecked() -> Run:
    """Return a run in which most things went wrong and only a draft is left."""
    return Run.fold(_wrecked())


def _wrecked() -> Iterator[ev.Event]:
    usage = Usage(1, 3_000, 200, None)
    yield from started(branch="fork", reason="4.1 GB are free, the context needs none of it")
    yield from turn(1, "Let me think about this before I write code.", usage=usage)
    code = 'import sys\nprint("careful", file=sys.stderr)\ntotal = sum(context["pirce"])'
    yield from turn(2, f"Add up the prices.\n```python\n{code}\n```", usage=usage)
    trace = (
        "Traceback (most recent call last):\n"
        '  File "<cell 2>", line 3, in <module>\n'
        '    total = sum(context["pirce"])\n'
        "                ~~~~~~~^^^^^^^^^\n"
        "\x1b[31mKeyError\x1b[0m: 'pirce'"
    )
    error: records.CellError = {"type": "KeyError", "message": "'pirce'", "traceback": trace}
    yield from cell(2, code, outcome="error", stderr="careful\n", error=error)
    yield from turn(3, "```repl\nwhile True:\n    pass\n```", usage=usage)
    late: records.CellError = {"type": "Timeout", "message": "still running after 30 s", "traceback": ""}
    yield from cell(
        3, "while True:\n    pass", outcome="timeout", error=late, seconds=30.0, rolled_back=["total", "lost", "df"]
    )
    frame = "\n".join(f"{region:<8}{count:>8}" for region, count in [("South", 9412), ("West", 8120), ("North", 6001)])
    draft = 'answer["content"] = by_region'
    yield from turn(4, f"A first result.\n```repl\n{draft}\n```", usage=usage)
    yield from cell(4, draft)
    yield ev.AnswerGiven(0, 4, f"region     lost\n{frame}", "Series", None, False, "answer", False)
    yield ev.CandidateEnded(0, "limit", "the limit of 4 iterations is reached")
    yield ev.RunEnded("limit", "the limit of 4 iterations is reached", 0, "", 41.7)


def running() -> Run:
    """Return a run in the middle of its third iteration, a cell of which waits for sub-calls."""
    return Run.fold([*started(), *turn(1, "x"), *turn(2, "x"), *_waiting()])


def _waiting() -> Iterator[ev.Event]:
    yield from turn(3, f"```repl\n{WHY}\n```")
    yield ev.CellStarted(0, 3, 1, WHY)
    for index in range(12):
        yield ev.SubcallStarted(0, index, 0, "gpt-5-nano", "Why?")
    for index in range(8):
        yield ev.SubcallEnded(0, index, "price", "", Usage(1, 10, 1, None), 0.4)


def hostile() -> Run:
    """Return a run whose every text tries to break out of the page."""
    bad = HOSTILE
    events: list[ev.Event] = [
        *started(bad, context=bad, context_type=bad, card=bad, model=bad, sub_model=bad[::-1], branch=bad, reason=bad),
        *turn(1, f"{bad}\n```repl\n{bad}\n```\n{bad}", reasoning=bad),
        *cell(
            1,
            bad,
            outcome="error",
            stdout=bad,
            stderr=bad,
            displays=[{"text/html": bad, "text/plain": bad}, {"image/png": bad}, {bad: bad}],
            error={"type": bad, "message": bad, "traceback": bad},
            rolled_back=[bad],
            subcalls=[
                {"index": 1, "batch": None, "prompt": bad, "text": bad, "seconds": 0.1},
                {"index": 2, "batch": None, "prompt": bad, "error": bad, "seconds": 0.1},
            ],
        ),
        ev.AnswerGiven(0, 1, bad, bad, None, False, bad, True),
        ev.Kept([{"name": bad, "type": bad, "preview": bad}], [{"name": bad, "type": bad, "reason": bad}]),
        ev.CandidateEnded(0, "failed", bad),
        ev.RunEnded("failed", bad, 0, bad, 1.0),
    ]
    return Run.fold(events)


def enormous(iterations: int = 500, characters: int = 1_000_000) -> Run:
    """Return a run of many iterations, each with a huge line, a huge reply, an image and hundreds of sub-calls."""
    line = "<&>" * (characters // 3)
    image = png(300, 100, noise=True)
    calls = [{"index": i, "batch": i // 100, "prompt": line, "text": line, "seconds": 0.1} for i in range(300)]
    events = list(started(line, card=line, context=line))
    for number in range(1, iterations + 1):
        events += turn(number, f"{line}\n```repl\n{line}\n```")
        shown = [{"image/png": image, "text/plain": line}] * 3
        events += cell(number, line, stdout=line, stderr=line, displays=shown, subcalls=calls)
    kept: list[records.KeptName] = [{"name": f"v{i}", "type": "str", "preview": line} for i in range(1_000)]
    refused: list[records.RefusedName] = [{"name": f"r{i}", "type": "str", "reason": line} for i in range(1_000)]
    events += [
        ev.AnswerGiven(0, iterations, line, "str", line, True, "answer", True),
        ev.Kept(kept, refused),
        ev.CandidateEnded(0, "answered", line),
        ev.RunEnded("answered", line, 0, line, 4_000.0),
    ]
    return Run.fold(events)
