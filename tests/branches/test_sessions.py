"""A session with a question, on every kind of branch: what it starts with, what reaches it between two cells."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from rlm_kernel.branches.host import open_as_set, open_branch
from rlm_kernel.branches.keep import ANSWER, Snapshot, unpack
from rlm_kernel.branches.result import Update
from rlm_kernel.errors import BranchError
from rlm_kernel.settings import resolve
from rlm_kernel.vocabulary.kit import Kit
from support.branches import EVERY_KIND, KINDS, answers_of, no_calls, nothing_escapes, on, ran, session_of

pytestmark = pytest.mark.kernel

each_kind = pytest.mark.parametrize("kind", EVERY_KIND)

VALUES = (
    "one\r\ntwo\rthree\n",
    "lone \ud800 surrogate",
    'ends in quotes "\'\'\'"""',
    {1: "int key", (2, 3): b"bytes \xff\x00"},
    ("a", ["tuple"]),
    bytearray(b"\r\n"),
    {3, 1},
    "",
    None,
)
"""What a detour through text, JSON or source code would change."""


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    with nothing_escapes():
        yield


# ----- what it starts with -------------------------------------------------------------------------------------------


@on(EVERY_KIND)
async def test_engines_02_the_context_is_exactly_what_was_given(kind: str) -> None:
    async with session_of(kind, Kit(VALUES), held=VALUES) as branch:
        words = ", ".join(f"context_{number}" for number in range(len(VALUES)))
        assert (await ran(branch, f"print(ascii(({words})))")).stdout == ascii(VALUES) + "\n"
        assert (await ran(branch, f"context == held[0] and ({words}) == held")).value_text == "True"
        if kind == "fork":
            assert (await ran(branch, f"all(a is b for a, b in zip(({words}), held))")).value_text == "True"


CHECK = """
import math
limit = 9
def small(value):
    return math.sqrt(value) < limit - 6, f"the limit is {limit}"
"""
"""A function of the notebook's, which uses what else is there."""


@on(EVERY_KIND)
async def test_the_whole_kit_is_there(kind: str) -> None:
    notebook: dict[str, Any] = {"__name__": "__main__"}
    exec(CHECK, notebook)
    kit = Kit(
        ({"a": 1}, "now"),
        current=1,
        histories=([{"role": "user", "content": "before?"}],),
        answer_type=int,
        check=notebook["small"],
        retriever=lambda query, k: [{"text": query * k}],
        tools={"twice": lambda n: 2 * n, "rates": {"tool": {"north": 2}, "description": "by region"}},
    )
    async with session_of(kind, kit) as branch:
        seen = await ran(
            branch, "print(context, context_0, history_0[0]['content'], search('x', 2), twice(rates['north']))"
        )
        assert seen.stdout == "now {'a': 1} before? [{'text': 'xx'}] 4\n"
        wrong = (await ran(branch, "FINAL('many')")).answer
        assert wrong is not None
        assert wrong.problem
        branch.update(Update(clear_answer=True))
        refused = (await ran(branch, "FINAL(9)")).answer
        assert refused is not None
        assert "the limit is 9" in refused.problem
        branch.update(Update(clear_answer=True))
        assert (await ran(branch, "pass")).answer is None
        right = (await ran(branch, "FINAL('2')")).answer
        assert right is not None
        assert (right.problem, right.value) == ("", 2)
        assert unpack(await branch.keep("none"), branch.snapshot) == {ANSWER: 2}


class Unpicklable:
    """Look it up."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: here it is only looked at."""
        raise AssertionError(args, kwargs)


@on(["spawn", "kernel:python3"])
async def test_engines_44_a_tool_that_cannot_travel_is_called_from_there(kind: str) -> None:
    tool = Unpicklable()
    kit = Kit((None,), tools={"lookup": tool}, sub_tools={"look": {"tool": tool}}, retriever=tool, children=2)
    async with session_of(kind, kit) as branch:
        told = await ran(branch, "print(lookup(1, key='x'), search('y', 3), lookup.__doc__)", answers_of)
        assert told.stdout == (
            "{'name': 'lookup', 'args': [1], 'kwargs': {'key': 'x'}} "
            "{'name': 'search', 'args': ['y', 3], 'kwargs': {}} Look it up.\n"
        )
        failed = await branch.run("lookup({1})", timeout=30, serve=answers_of)
        assert failed.error is not None
        assert "what JSON can hold" in failed.error["message"]
        deeper = "FINAL((look(2)['args'], 'lookup' in globals()))"
        assert (await ran(branch, f"print(rlm_query({deeper!r}))", answers_of)).stdout == "([2], False)\n"


@on(["fork"])
async def test_children_have_their_own_tools(kind: str) -> None:
    kit = Kit((None,), tools={"lookup": len}, sub_tools={}, children=2)
    async with session_of(kind, kit) as branch:
        deeper = "FINAL('lookup' in globals())"
        assert (await ran(branch, f"rlm_query({deeper!r}), lookup('abc')", answers_of)).value_text == "('False', 3)"


@pytest.mark.parametrize("kind", ["spawn", "kernel:python3"])
@pytest.mark.parametrize(
    ("part", "word"),
    [
        ({"check": Unpicklable()}, "the check"),
        ({"answer_type": Unpicklable()}, "the answer_type"),
        ({"tools": {"table": (n for n in "abc")}}, "the tool table"),
    ],
)
def test_what_cannot_travel_is_named(kind: str, part: dict[str, Any], word: str) -> None:
    async def tried() -> None:
        with pytest.raises(BranchError, match=word):
            async with session_of(kind, Kit((None,), **part)):
                pass

    asyncio.run(tried())


# ----- names ---------------------------------------------------------------------------------------------------------


@on(EVERY_KIND)
async def test_peers_29_the_words_survive_and_are_nobodys_variables(kind: str) -> None:
    """Also engines 68."""
    async with session_of(kind, Kit(("text",), tools={"lookup": len}), mine=1) as branch:
        told = await ran(
            branch, "context = 1; llm_query = None; lookup = 2; del FINAL; answer = {}\nmade = 2; peek = 3"
        )
        assert len([note for note in told.notes if "put back" in note]) == 4
        again = "context, lookup('abc'), llm_query('hi'), callable(FINAL), peek"
        assert (await ran(branch, again, answers_of)).value_text == "('text', 3, 'HI', True, 3)"
        assert {row["name"] for row in await branch.variables()} == {"mine", "made", "peek"}
        assert [change["name"] for change in told.diff["added"]] == ["made", "peek"]
        kept = unpack(await branch.keep("all"), branch.snapshot)
        assert sorted(kept) == ["made", "peek"]


@on(EVERY_KIND)
async def test_a_doubled_call_is_repaired_where_that_is_asked_for(kind: str) -> None:
    code = "def f(): return 'f()()'\nf()()"
    async with session_of(kind, Kit((None,), repair_calls=True)) as branch:
        told = await ran(branch, code)
        assert told.value_text == "'f()()'"
        assert len(told.notes) == 1
    async with session_of("fork", Kit((None,))) as branch:
        assert (await branch.run(code, timeout=30, serve=no_calls)).outcome == "error"


# ----- between two cells ---------------------------------------------------------------------------------------------


@on(EVERY_KIND)
async def test_an_update_is_there_with_the_next_cell_and_outlives_a_cell_that_is_undone(kind: str) -> None:
    """Also engines 67."""
    messages = [{"role": "user", "content": "lone \ud800"}]
    async with session_of(kind, Kit((None,))) as branch:
        branch.update(Update(variables={"_result_1": "first"}, history=messages))  # type: ignore[arg-type]  # as JSON
        branch.update(Update(variables={"_result_2": "second"}))
        assert (await ran(branch, "_result_1, _result_2, len(history)")).value_text == "('first', 'second', 1)"
        branch.update(Update(variables={"_result_3": "third"}, history=messages))  # type: ignore[arg-type]  # as JSON
        lost = await branch.run("x = 1\nwhile True: pass", timeout=1, serve=no_calls)
        assert lost.outcome == "timeout"
        seen = await ran(branch, "_result_1, _result_3, len(history), history[1]['content'] == 'lone \\ud800'")
        assert seen.value_text == "('first', 'third', 2, True)"
        assert (await branch.run("while True: pass", timeout=1, serve=no_calls)).outcome == "timeout"
        assert (await ran(branch, "_result_3, len(history)")).value_text == "('third', 2)"
        assert await branch.variables() == []


@on(EVERY_KIND)
async def test_an_update_may_be_larger_than_any_message(kind: str) -> None:
    texts = {"_result_1": "\x1b" * 2**24, "_result_2": "é\ud800" * 2**22}
    async with session_of(kind, Kit((None,))) as branch:
        branch.update(Update(variables=texts))
        same = "_result_1 == chr(27) * 2**24, _result_2 == 'é\\ud800' * 2**22"
        assert (await ran(branch, same)).value_text == "(True, True)"


@on(KINDS)
async def test_an_update_is_not_lost_where_nothing_could_be_frozen(kind: str) -> None:
    """A thread of a library that a fork loses rules checkpoints out, so the cells are played again."""
    thread = """
import ctypes, threading
stop = threading.Event()
def work():
    ctypes.CDLL(None).prctl(15, b'polars-0', 0, 0, 0)
    started.set()
    stop.wait()
started = threading.Event()
threading.Thread(target=work, daemon=True).start()
started.wait()
"""
    async with session_of(kind, Kit((None,))) as branch:
        branch.update(Update(variables={"_result_1": "first"}))
        await ran(branch, thread)
        branch.update(Update(variables={"_result_2": "second"}, history=[{"role": "user", "content": "q"}]))
        lost = await branch.run("while True: pass", timeout=1, serve=no_calls)
        assert lost.outcome == "timeout"
        assert (await ran(branch, "_result_1, _result_2, len(history)")).value_text == "('first', 'second', 1)"


@on(EVERY_KIND)
async def test_a_cell_says_how_much_it_asked_to_see_in_full(kind: str) -> None:
    async with session_of(kind, Kit(("x" * 10_000,))) as branch:
        shown = await ran(branch, "print(page(context, 2))")
        assert shown.allowance >= 4_000
        assert (await ran(branch, "1")).allowance == 0


# ----- cells ---------------------------------------------------------------------------------------------------------


@on(EVERY_KIND)
async def test_engines_66_all_of_python_works(kind: str) -> None:
    async with session_of(kind, Kit((None,))) as branch:
        await ran(branch, "_private = 1\nclass A: pass\ncount = 0\ndef up():\n    global count\n    count += 1")
        await ran(branch, "up(); up()\nkinds = frozenset([ZeroDivisionError, type(A())])")
        failed = await branch.run("before = 3\nimport sys\nsys.exit(4)", timeout=30, serve=no_calls)
        assert failed.outcome == "error"
        assert (await ran(branch, "_private, count, len(kinds), before, eval('1 + 1')")).value_text == "(1, 2, 2, 3, 2)"


@on(EVERY_KIND)
async def test_peers_28_what_was_printed_before_an_exception_stays_and_the_cell_ran_once(kind: str) -> None:
    """Also peers 27."""
    async with session_of(kind, Kit((None,))) as branch:
        await ran(branch, "count = 0")
        failed = await branch.run("count += 1\nprint('seen')\n1 / 0", timeout=30, serve=no_calls)
        assert (failed.outcome, failed.stdout) == ("error", "seen\n")
        assert failed.error is not None
        assert "line 3" in failed.error["traceback"]
        shown = await ran(branch, "print('a')\ncount")
        assert (shown.stdout, shown.value_text) == ("a\n", "1")


@on(EVERY_KIND)
async def test_engines_71_of_much_output_the_ends_stay_and_what_is_cut_is_counted(kind: str) -> None:
    async with session_of(kind, Kit((None,))) as branch:
        shown = (await ran(branch, "print('first' + 'x' * 5_000_000 + 'last')")).stdout
    assert shown.startswith("firstxxx")
    assert shown.endswith("xxxlast\n")
    assert f"{5_000_010 - 2**22:,}" in shown[2**20 : -(2**20)].strip("x")


@on(EVERY_KIND)
async def test_engines_67_a_cell_without_an_end_costs_only_itself(kind: str) -> None:
    """Also peers 37."""
    async with session_of(kind, Kit(("text",))) as branch:
        await ran(branch, "kept = [1]")
        lost = await branch.run(
            "kept.append(2)\ntry:\n    while True: pass\nfinally:\n    while True: pass", timeout=1, serve=no_calls
        )
        assert (lost.outcome, lost.rolled_back) == ("timeout", ["kept"])
        assert (await ran(branch, "kept, context")).value_text == "([1], 'text')"


@on(EVERY_KIND)
async def test_engines_68_a_process_that_dies_is_noticed_and_replaced(kind: str) -> None:
    async with session_of(kind, Kit(("text",))) as branch:
        await ran(branch, "kept = 1")
        died = await branch.run("import os\nos._exit(3)", timeout=30, serve=no_calls)
        assert died.outcome == "died"
        assert (await ran(branch, "kept, context")).value_text == "(1, 'text')"


@on(KINDS)
async def test_a_branch_opened_as_set_has_the_threads_and_the_seed_it_is_given(kind: str) -> None:
    settings = resolve({"branch": kind})
    drawn = set()
    for seed in (1, 1, 2):
        branch = open_as_set({}, Kit((None,)), settings, threads=1, seed=seed)
        try:
            await branch.start()
            told = await ran(branch, "import os, random\nos.environ['OMP_NUM_THREADS'], random.random()")
            assert told.value_text.startswith("('1', ")
            drawn.add(told.value_text)
        finally:
            branch.close()
    assert len(drawn) == 2


def test_a_kit_is_packed_here_and_now() -> None:
    rows = [1]
    branch = open_branch({}, Kit((rows,)), kind="kernel:python3")
    rows.append(2)

    async def told() -> None:
        try:
            await branch.start()
            assert (await ran(branch, "context")).value_text == "[1]"
            assert unpack(await branch.keep("none"), Snapshot({})) == {}
        finally:
            branch.close()

    asyncio.run(told())
