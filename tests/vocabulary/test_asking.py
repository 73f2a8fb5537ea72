"""Asking about pieces of a text, and sifting the replies."""

from __future__ import annotations

import pytest

from rlm_kernel.vocabulary.reach import SubcallFailure
from support.words import Reply, WordSession


def _knows(prompt: str) -> Reply:
    """Answer as a sub model that finds the key in one chunk only."""
    return {"text": "\nsesame \n" if "key: sesame" in prompt else "NO_ANSWER"}


def test_peers_16_the_first_good_chunk_ends_the_search() -> None:
    session = WordSession(["nothing", "key: sesame", "more"], _knows)
    assert session.value("ask_chunks_first('What is the key?', context)") == "sesame"
    assert len(session.asked) == 2
    assert session.value("ask_chunks_first('What is the key?', ['nothing'])") is None


@pytest.mark.parametrize(
    "bad",
    ["NO_ANSWER", "no_answer.", "", "two\nlines", "x" * 81, "```py", "<think>hm</think> yes", SubcallFailure("no")],
)
def test_replies_that_are_no_answers_are_passed_over(bad: str) -> None:
    session = WordSession()
    session.namespace["bad"] = bad
    assert session.value("pick_first_answer([bad, None, ' good '])") == "good"
    assert session.value("pick_first_answer([bad])") is None


def test_a_limit_ends_the_asking() -> None:
    session = WordSession(reply=lambda _: {"error": "enough", "kind": "limit"})
    assert session.value("ask_chunks_first('q', ['a', 'b', 'c'])") is None
    assert len(session.asked) == 1


def test_ask_puts_the_data_first() -> None:
    session = WordSession()
    for word in ("ask", "ask_chunk"):
        asked = session.value(f"{word}('Who?', 'the text', max_tokens=5)")
        assert asked.startswith("the text\n\nWho?\n")
        assert session.asked[-1]["max_tokens"] == 5


def test_chunks_may_be_a_list_spans_or_one_text() -> None:
    session = WordSession("abcdefghij", piece=6)
    assert session.value("llm_query_batch(['x', 'y'])") == ["x", "y"]
    assert session.value("llm_query_batch(['x', 'y'], question='Q', parallel=False)") == ["x\n\nQ", "y\n\nQ"]
    assert session.value("llm_query_batch(ctx.chunk(4, overlap=1))") == ["abcd", "defg", "ghij"]
    assert session.value("llm_query_batch(context, chunk_size=4, overlap=1)") == ["abcd", "defg", "ghij"]
    assert session.value("llm_query_batch(context)") == ["abcdef", "ghij"]
    assert session.value("llm_query_batch([context])") == ["abcdefghij"]
    assert [r.partition("\n")[0] for r in session.value("ask_chunks('Q', [context])")] == ["abcdefghij"]
    assert [r.partition("\n")[0] for r in session.value("ask_chunked('Q', [context])")] == ["abcdef", "ghij"]
    assert session.value("llm_batch(['x', 'y'], model='m')") == ["x", "y"]
    assert session.asked[-1]["model"] == "m"
