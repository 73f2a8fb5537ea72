"""What a question costs in tokens, calls, history and seconds, beside the figures that other systems publish.

`./run bench tokens`, or `PYTHONPATH=tests python benchmarks/tokens.py`. The tasks are made (`tests/support/tasks.py`).
The offline solver answers those it understands, scripted models the others: they send the cells that a capable model
would send, and their sub-calls read nothing but their prompt. So it is the engine that is measured: its prompts, its
feedback, what it stores away. How good a real model is at these tasks was not measured, nor money.

Tokens are counted at four characters each, everywhere. They are the same in every repeat; seconds are medians.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rlm_kernel import RLM, Run
from support.openai_server import Reply, ScriptedModel
from support.players import (
    Faulty,
    Player,
    billing_reader,
    fact_reader,
    history,
    mood_reader,
    number_reader,
    play,
)
from support.solving import cell, solve_with
from support.tasks import TOPICS, Task, audit, five, flat_salaries, needle, salaries
from support.trajectories import AUDIT, MOODS, PARAPHRASED, SALARIES, flat_total

REPEATS = 3
DOCUMENTS = (5, 20, 50, 120)
TURNS = 200
INLINE = 10**6
"""A limit that no output reaches."""


@dataclass(frozen=True)
class Spent:
    """What one question took."""

    right: bool
    context: int
    sent: int
    tokens: int
    calls: int
    history: int
    seconds: float


def measure(task: Task, solve: Callable[[], Run]) -> Spent:
    """Solve a task a few times."""
    took = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run = solve()
        took.append(time.perf_counter() - started)
    [value] = run.answer_object or (run.text,)
    right = value.startswith("The text does not say") if task.truth is None else value == task.truth
    texts = task.context if isinstance(task.context, str) else json.dumps(task.context)
    usage = run.usage
    return Spent(
        right,
        len(texts),
        usage.prompt_tokens,
        usage.prompt_tokens + usage.completion_tokens,
        usage.calls,
        history(run),
        statistics.median(took),
    )


def offline(task: Task) -> Spent:
    """Have the offline solver answer."""
    return measure(task, lambda: RLM(namespace={}).solve(task.question, task.context))


def scripted(task: Task, cells: tuple[str, ...], sub: Callable[[], Callable[[str], str]], **options: Any) -> Spent:
    """Have scripted models answer; `sub` makes the sub model of one run."""
    return measure(task, lambda: play(task, Player(cells, sub()), **options))


def row(name: str, solver: str, spent: Spent) -> str:
    """Return a line of the table."""
    direct = spent.context // 4
    return (
        f"| {name} | {solver} | {'yes' if spent.right else 'NO'} | {spent.context:,} | {spent.tokens:,} | "
        f"{spent.tokens / direct:.2g} | {spent.calls} | {spent.history:,} | {spent.seconds:.2f} |"
    )


def needles() -> list[Spent]:
    """Print the needle task at every size, and return what the one in other words took."""
    paraphrased = []
    for documents in DOCUMENTS:
        for variant in ("delimited", "stated", "absent"):
            print(row(f"needle, {documents} documents, {variant}", "offline", offline(needle(documents, variant))))
        spent = scripted(needle(documents, "paraphrased"), PARAPHRASED, lambda: fact_reader)
        print(row(f"needle, {documents} documents, in other words", "scripted", spent))
        paraphrased.append(spent)
    return paraphrased


def small_ones() -> bool:
    """Print the five small tasks, and tell whether all came out right."""
    tasks = five()
    topics = [
        Task(tasks["topics"].context, f"{tasks['topics'].question} {t}?", tasks["topics"].truth[t]) for t in TOPICS
    ]
    spent = {
        "hidden number": offline(tasks["hidden"]),
        **{f"topic counts, {name}": offline(task) for name, task in zip(TOPICS, topics, strict=True)},
        "eight moods": scripted(tasks["moods"], MOODS, lambda: mood_reader),
        "mean of 100 numbers": offline(tasks["mean"]),
    }
    for name, one in spent.items():
        print(row(name, "scripted" if name == "eight moods" else "offline", one))
    return all(one.right for one in spent.values())


def off_loading(limit: int) -> Spent:
    """Add up 50 records after printing all of them, with outputs over `limit` characters stored away."""
    return scripted(flat_salaries(), flat_total(), lambda: fact_reader, output_limit=limit)


def long_run(window: int) -> tuple[float, float, int, int]:
    """Return milliseconds per turn, early and late, bytes sent in all, and the bytes of the largest request."""
    moments: list[float] = []
    sizes: list[int] = []

    def reply(body: dict[str, Any]) -> Reply:
        messages = body["messages"]
        sizes.append(len(json.dumps(body)))
        tokens = sum(len(message["content"]) for message in messages) // 4
        usage = {"prompt_tokens": tokens, "completion_tokens": 20, "total_tokens": tokens + 20}
        if "is about to be shortened" in messages[-1]["content"]:
            return Reply("Counting.", usage=usage)
        moments.append(time.perf_counter())
        turn = len(moments)
        return Reply(cell(f'n = {turn}\nprint(f"{{n:0500}}")' if turn < TURNS else "FINAL(n)"), usage=usage)

    with ScriptedModel(respond=reply) as server:
        solve_with(server, "text", "How far?", window=window, max_iterations=TURNS)
    took = [1000 * (after - before) for before, after in pairwise(moments)]
    return statistics.median(took[5:25]), statistics.median(took[-20:]), sum(sizes), max(sizes)


def tasks() -> tuple[list[Spent], Spent, dict[int, Spent], bool]:
    """Print what every task took; return what `figures` compares."""
    print(f"n = {REPEATS} for seconds; tokens do not vary. `ratio` is to sending the context once, directly.\n")
    head = "| task | solver | right | context, chars | tokens | ratio | calls | history, chars | s |"
    print(f"{head}\n|---|---|---|---:|---:|---:|---:|---:|---:|")
    found = needles()
    for records in (100, 200, 1_000):
        spent = scripted(salaries(records), SALARIES, lambda: number_reader)
        print(row(f"salaries, {records:,} records", "scripted", spent))
    audited = scripted(audit(), AUDIT, lambda: billing_reader)
    print(row("audit, 400 tickets", "scripted", audited))
    print(row("audit, 3 replies malformed", "scripted", scripted(audit(), AUDIT, lambda: Faulty(billing_reader))))
    all_right = small_ones()
    stored = {limit: off_loading(limit) for limit in (INLINE, 500, 1_000, 2_000)}
    for limit, spent in stored.items():
        which = "nothing" if limit == INLINE else f"outputs over {limit:,}"
        print(row(f"50 records, {which} stored", "scripted", spent))
    return found, audited, stored, all_right


def figures(found: list[Spent], audited: Spent, stored: dict[int, Spent], all_right: bool) -> None:
    """Print the published figures beside those measured here."""
    print("\n| figure | theirs | here | here / theirs | better is |\n|---|---:|---:|---:|---|")
    last, flat = found[-1].tokens, max(one.tokens for one in found) / min(one.tokens for one in found)
    print(f"| tokens for a needle in 120 documents | 23,489 | {last:,} | {last / 23_489:.2g} | less |")
    print(f"| largest / smallest over 5 to 120 documents | 1.36 | {flat:.2f} | {flat / 1.36:.2g} | less |")
    print(f"| tokens for the audit | 9,450 | {audited.tokens:,} | {audited.tokens / 9_450:.2g} | less |")
    inline = stored.pop(INLINE)
    for limit, spent in stored.items():
        less, fewer = 1 - spent.history / inline.history, 1 - spent.sent / inline.sent
        print(f"| history saved, stored over {limit:,} characters | 61.8 % | {less:.1%} | {less / 0.618:.2g} | more |")
        print(f"| input tokens saved, the same | 16.4 % | {fewer:.1%} | {fewer / 0.164:.2g} | more |")
    right = "4 of 4" if all_right else "NOT ALL"
    print(f"| small tasks right (the fifth, for the router, is a test) | 5 of 5 | {right} | | |")


def turns() -> None:
    """Print what a turn takes early and late in a long run."""
    print(f"\n| {TURNS} turns of 500 characters | ms a turn, 5 to 25 | the last 20 | sent, MB | largest request, kB |")
    print("|---|---:|---:|---:|---:|")
    for window in (8_192, 32_768, 200_000):
        early, late, sent, largest = long_run(window)
        print(f"| window of {window:,} tokens | {early:.1f} | {late:.1f} | {sent / 10**6:.1f} | {largest / 1000:.0f} |")


def main() -> None:
    """Measure and print."""
    figures(*tasks())
    turns()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main()
