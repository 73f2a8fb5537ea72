"""Children of a cell, on every kind of branch: side by side, in order, to any depth; a child's question is its code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from rlm_kernel.branches.branch import Branch
from rlm_kernel.errors import SubcallError
from rlm_kernel.vocabulary.kit import Kit
from support.branches import EVERY_KIND, KINDS, answers_of, nothing_escapes, on, ran, session_of

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    with nothing_escapes():
        yield


class Family:
    """Answers children as `answers_of` does, once as many are at work as are expected to be.

    Attributes:
        most: children that were at work at once.
        heard: what children printed, by question.

    """

    def __init__(self, together: int) -> None:
        self.most = 0
        self.heard: dict[str, str] = {}
        self._at_work = 0
        self._together = together
        self._enough = asyncio.Event()

    async def __call__(self, name: str, arguments: dict[str, Any]) -> Any:
        """Answer a call of the root's cell."""
        if name != "rlm_query":
            return await answers_of(name, arguments)
        self._at_work += 1
        self.most = max(self.most, self._at_work)
        if self._at_work == self._together:
            self._enough.set()
        await self._enough.wait()
        try:
            branch, question = arguments["branch"], arguments["prompt"]
            branch.listen(lambda _, text: self.heard.update({question: self.heard.get(question, "") + text}))
            return await answers_of(name, arguments)
        finally:
            self._at_work -= 1


@on(EVERY_KIND)
async def test_engines_20_children_work_side_by_side_and_answer_in_order(kind: str) -> None:
    """One of them fails, and is one error; what they print stays with each."""
    count, most = (8, 3) if kind in KINDS else (3, 2)
    family = Family(most)
    code = f"""
questions = [f"print('I am {{n}}', context)\\nFINAL({{n}} * 10 + 1 // ({{n}} - 1))" for n in range({count})]
replies = rlm_query_batched(questions, [f'piece {{n}}' for n in range({count})])
print([bool(reply) for reply in replies])
print(' '.join(replies[:1] + replies[2:]))
"""
    async with session_of(kind, Kit(("whole",), children=1, max_children=most)) as branch:
        told = (await ran(branch, code, family, timeout=60)).stdout.splitlines()
    assert told[0] == str([number != 1 for number in range(count)])
    assert told[1] == " ".join(str(n * 10 + 1 // (n - 1)) for n in range(count) if n != 1)
    assert family.most == most
    assert sorted(family.heard.values()) == [f"I am {n} piece {n}\n" for n in range(count)]


@on(EVERY_KIND)
async def test_engines_19_children_have_children(kind: str) -> None:
    """Also peers 10."""
    grandchild = "FINAL([*context, 'grandchild', llm_query('x')])"
    child = f"FINAL(rlm_query({grandchild!r}, context=[*context, 'child']))"
    async with session_of(kind, Kit((["root"],), children=2)) as branch:
        told = await ran(branch, f"print(rlm_query({child!r}))", answers_of, timeout=120)
        assert told.stdout == "['root', 'child', 'grandchild', 'X']\n"
        deeper = "FINAL(rlm_query('so flat?'))"
        flat = f"FINAL(rlm_query({deeper!r}))"
        assert (await ran(branch, f"print(rlm_query({flat!r}))", answers_of, timeout=120)).stdout == "SO FLAT?\n"


@on(EVERY_KIND)
async def test_engines_02_a_childs_context_is_exactly_what_the_cell_gave(kind: str) -> None:
    """It never goes through text; in a fork it is the object itself."""
    async with session_of(kind, Kit((None,), children=1)) as branch:
        code = "FINAL(ascii(context))"
        given = "{1: 'a\\r\\nb\\ud800', (2,): b'\\xff'}"
        told = await ran(branch, f"given = {given}\nrlm_query({code!r}, context=given) == ascii(given)", answers_of)
        assert told.value_text == "True"
        same = "FINAL('yes' if 'given' in globals() and given is context else 'no')"
        expected = "'yes'" if kind in KINDS else "'no'"
        assert (await ran(branch, f"rlm_query({same!r}, context=given)", answers_of)).value_text == expected


@on(EVERY_KIND)
async def test_a_child_is_told_of_by_a_card_of_its_own_context(kind: str) -> None:
    asked = []

    async def serve(name: str, arguments: dict[str, Any]) -> Any:
        asked.append({**arguments, "branch": None})
        raise SubcallError("not today")

    async with session_of(kind, Kit((None,), children=1)) as branch:
        code = "rlm_query('q', ['north', 'south'], schema={'type': 'integer'}, max_iterations=3)"
        failed = await branch.run(code, timeout=30, serve=serve)
    assert failed.error is not None
    assert (failed.error["type"], "not today" in failed.error["message"]) == ("SubcallError", True)
    assert asked[0]["prompt"] == "q"
    assert (asked[0]["schema"], asked[0]["max_iterations"]) == ({"type": "integer"}, 3)
    assert "north" in asked[0]["card"]


@on(EVERY_KIND)
async def test_children_are_played_again_with_what_they_answered(kind: str) -> None:
    count = 0

    async def serve(name: str, arguments: dict[str, Any]) -> Any:
        nonlocal count
        count += 1
        return await answers_of(name, arguments)

    async with session_of(kind, Kit(((1, 2),), children=1)) as branch:
        asking = "replies = rlm_query_batched(['FINAL(len(context))', 'FINAL(sum(context))'])"
        await ran(branch, asking, serve)
        assert (await branch.run("while True: pass", timeout=1, serve=serve)).outcome == "timeout"
        assert (await ran(branch, "replies")).value_text == "['2', '3']"
        assert count == 2


@on(KINDS)
async def test_a_visitor_of_a_checkpoint_has_children_too(kind: str) -> None:
    async with session_of(kind, Kit((["a"],), children=1)) as branch:
        branch.memory_limit = 2**30
        await ran(branch, "n = 1")
        branch.name_state("then")
        await ran(branch, "n = 2")
        await branch.settle()
        visitor: Branch = await branch.visit("then")
        try:
            await visitor.start()
            assert visitor.memory_limit == 2**30
            told = await ran(visitor, "print(rlm_query('FINAL((n, context))'))", answers_of)
            assert told.stdout == "(1, ['a'])\n"
        finally:
            visitor.close()


@on(KINDS)
async def test_what_a_branch_may_use_its_children_may(kind: str) -> None:
    seen = []

    async def serve(name: str, arguments: dict[str, Any]) -> Any:
        seen.append(arguments["branch"].memory_limit)
        return await answers_of(name, arguments)

    async with session_of(kind, Kit((None,), children=1)) as branch:
        branch.memory_limit = 123 * 2**20
        await ran(branch, "rlm_query('FINAL(1)')", serve)
    assert seen == [123 * 2**20]


@on(["kernel:python3"])
async def test_a_context_that_cannot_leave_its_kernel_is_named(kind: str) -> None:
    async with session_of(kind, Kit((None,), children=1)) as branch:
        failed = await branch.run("rlm_query('q', context=(n for n in 'abc'))", timeout=30, serve=answers_of)
        assert failed.error is not None
        assert "the context cannot be sent" in failed.error["message"]
        assert (await ran(branch, "rlm_query('FINAL(context)', context='on')", answers_of)).value_text == "'on'"


@on(EVERY_KIND)
async def test_threads_of_a_cell_ask_while_children_work(kind: str) -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    asked = [pool.submit(llm_query, letter) for letter in 'abcd']
    replies = rlm_query_batched(['FINAL(1)', 'FINAL(2)'])
    print(replies, ''.join(future.result() for future in asked))
"""
    async with session_of(kind, Kit((None,), children=1)) as branch:
        assert (await ran(branch, code, answers_of, timeout=60)).stdout == "['1', '2'] ABCD\n"
