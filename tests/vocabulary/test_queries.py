"""Sub-calls from cells: every form, order, failures as values, limits without exceptions, clear type errors."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rlm_kernel.vocabulary.reach import SubcallFailure
from support.words import Refused, WordSession

PNG = b"\x89PNG\r\n\x1a\n0000"


class Person(BaseModel):
    name: str


def test_peers_07_one_and_two_arguments() -> None:
    session = WordSession()
    assert session.value("llm_query('How many?')") == "How many?"
    assert session.value("llm_query('the text', 'How many?')") == "the text\n\nHow many?"
    session.value("llm_query('q', model='small', max_tokens=9, context='long', reduce='sum up')")
    sent = session.asked[-1]
    wanted = {"model": "small", "max_tokens": 9, "contexts": ["long"], "reduce": "sum up", "batched": False}
    assert {name: sent[name] for name in wanted} == wanted


def test_engines_36_the_data_comes_first() -> None:
    session = WordSession("a long chunk of text")
    for question in ("Who?", "Where?"):
        session.value(f"llm_query(context, {question!r})")
    assert all(call["prompts"][0].startswith("a long chunk of text") for call in session.asked)


def test_peers_08_a_batch_keeps_order_and_marks_the_failed_item() -> None:
    """Also engines 21."""

    def reply(prompt: str) -> dict[str, Any]:
        return {"error": "the server said no"} if prompt == "7" else {"text": prompt}

    session = WordSession(reply=reply)
    replies = session.value("llm_query_batched([str(i) for i in range(20)])")
    assert [r for r in replies if r] == [str(i) for i in range(20) if i != 7]
    assert replies[7] == "[sub-call failed: the server said no]"
    assert (replies[7].kind, bool(replies[7])) == ("failed", False)
    assert session.value("llm_query_batched([])") == []


def test_a_failed_single_call_raises() -> None:
    session = WordSession(reply=lambda _: {"error": "the server said no", "kind": "failed"})
    with pytest.raises(Refused, match="the server said no"):
        session.value("llm_query('q')")


@pytest.mark.parametrize("kind", ["limit", "vetoed", "oversize"])
def test_a_limit_is_a_false_text_and_no_exception(kind: str) -> None:
    session = WordSession(reply=lambda _: {"error": "stop and answer now", "kind": kind}, children=1)
    for code in ("llm_query('q')", "rlm_query('q')", "llm_query_batched(['q'])[0]", "ask('q', 'text')"):
        failure = session.value(code)
        assert not failure
        assert (failure, failure.kind) == ("[no reply: stop and answer now]", kind)


def test_a_failure_leaves_the_session_as_text() -> None:
    failure = SubcallFailure("[no reply: over]", "limit")
    assert type(pickle.loads(pickle.dumps(failure))) is str
    assert copy.deepcopy(failure) == failure


def test_a_reply_with_a_schema_is_the_type() -> None:
    session = WordSession(reply=lambda _: {"text": '{"name": "Ann"}', "value": {"name": "Ann"}})
    session.namespace["Person"] = Person
    assert session.value("llm_query('q', schema=Person)") == Person(name="Ann")
    assert session.asked[-1]["schema"]["properties"]["name"]["type"] == "string"
    assert session.value("llm_query_batched(['q'], schema={'type': 'object'})") == [{"name": "Ann"}]
    with pytest.raises(Refused, match="valid integer"):
        session.value("llm_query('q', schema=int)")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("llm_query(frame)", "not DataFrame: build a str"),
        ("llm_query(3)", "not int"),
        ("llm_query('text', 3)", "a task is text"),
        ("llm_query('q', model=3)", "model is a name"),
        ("llm_query('q', max_tokens='9')", "max_tokens is a whole number"),
        ("llm_query_batched('q')", "for a single one use llm_query"),
        ("llm_query_batched(frame)", "list of prompts, not DataFrame"),
        ("llm_query_batched([frame])", "not DataFrame"),
        ("llm_query_batched(3)", "list of prompts, not int"),
        ("llm_query('q', schema=3)", "schema is a JSON schema"),
        ("llm_query('q', images='cat.png')", "an image is a PNG"),
        ("rlm_query(3)", "not int"),
        ("rlm_query_batched('q')", "for a single one use rlm_query"),
    ],
)
def test_type_errors_name_the_fix(code: str, told: str) -> None:
    pandas = pytest.importorskip("pandas")
    session = WordSession(variables={"frame": pandas.DataFrame({"a": [1]})}, children=1)
    with pytest.raises(TypeError, match=told):
        session.value(code)
    assert not session.asked


def test_data_before_a_task_becomes_text() -> None:
    pandas = pytest.importorskip("pandas")
    session = WordSession(variables={"frame": pandas.DataFrame({"a": [1]})})
    assert session.value("llm_query(frame, 'Sum?')") == ",a\n0,1\n\n\nSum?"
    assert session.value("llm_query({'a': [1]}, 'Sum?')") == '{"a": [1]}\n\nSum?'
    assert session.value("llm_query(b'x', 'Sum?')") == "x\n\nSum?"
    with pytest.raises(ValueError, match="longer than 50,000,000 characters"):
        session.value("llm_query('x' * 50_000_001, 'Sum?')")


def test_contexts_of_a_batch() -> None:
    session = WordSession()
    session.value("llm_query_batched(['a', 'b'], context=['one', 'two'])")
    assert session.asked[-1]["contexts"] == ["one\n\n---\n\ntwo"] * 2
    session.value("llm_query_batched(['a', 'b'], contexts=['one', 'two'])")
    assert session.asked[-1]["contexts"] == ["one", "two"]
    with pytest.raises(ValueError, match="one item for each of the 2 prompts"):
        session.value("llm_query_batched(['a', 'b'], contexts=['one'])")


def test_engines_83_images_become_data_urls(tmp_path: Path) -> None:
    from PIL import Image

    file = tmp_path / "dot.jpg"
    Image.new("RGB", (1, 1)).save(file)
    images = [PNG, file, Image.new("RGB", (1, 1)), "https://example.org/cat.png"]
    session = WordSession(variables={"images": images})
    session.value("llm_query('What is it?', images=images)")
    starts = [url[:16] for url in session.asked[-1]["images"][0]]
    assert starts == ["data:image/png;b", "data:image/jpeg;", "data:image/png;b", "https://example."]
    session.value("llm_query_batched(['a', 'b'], images=[images[:1], images[0]])")
    assert session.asked[-1]["images"] == [["data:image/png;base64,iVBORw0KGgowMDAw"]] * 2


def test_threads_may_ask() -> None:
    session = WordSession()
    session.begin_cell()
    replies: list[str] = []
    ask = session.namespace["llm_query"]
    threads = [threading.Thread(target=lambda i=i: replies.append(ask(str(i)))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replies) == [str(i) for i in range(8)]


# ----- children --------------------------------------------------------------------------------------------------


def test_a_child_gets_its_own_kit() -> None:
    session = WordSession("mine", children=2, tools={"f": len}, sub_tools={}, histories=([],))
    session.value("rlm_query('Who?')")
    session.value("rlm_query('Who?', [1, 2], max_iterations=3)")
    first, second = session.born
    assert (first.kit.context, first.kit.children, first.kit.tools, first.kit.histories) == ("mine", 1, {}, ())
    assert (second.kit.context, second.max_iterations, second.prompt) == ([1, 2], 3, "Who?")


def test_a_childs_answer_is_text_or_fits_the_schema() -> None:
    session = WordSession(reply=lambda _: {"text": "3", "value": 3, "exact": True}, children=1)
    assert session.value("rlm_query('How many?')") == "3"
    assert session.value("rlm_query('How many?', schema=int)") == 3
    assert session.born[-1].kit.answer_type is int
    assert session.born[-1].schema == {"type": "integer"}


def test_engines_20_a_batch_of_children_keeps_order() -> None:
    session = WordSession(reply=lambda p: {"error": "lost"} if p == "1" else {"text": p, "exact": False}, children=1)
    assert session.value("rlm_query_batched(['0', '1', '2'], ['a', 'b', 'c'])") == ["0", "[sub-call failed: lost]", "2"]
    assert [child.kit.context for child in session.born] == ["a", "b", "c"]
    session.value("rlm_query_batched(['0', '1'], contexts='same')")
    assert [child.kit.context for child in session.born[3:]] == ["same", "same"]
    with pytest.raises(ValueError, match="one item for each"):
        session.value("rlm_query_batched(['0', '1'], ['a'])")


def test_peers_10_no_deeper_means_a_flat_call() -> None:
    session = WordSession(["mine"], children=0)
    assert session.value("rlm_query('Who?', {'a': 'x', 'b': 'y'})") == "Who?"
    assert session.asked[-1]["contexts"] == ["=== a ===\nx\n\n=== b ===\ny"]
    assert session.value("rlm_query_batched(['Who?', 'Where?'])") == ["Who?", "Where?"]
    assert session.asked[-1]["contexts"] == ["mine", "mine"]
    assert not session.born


# ----- forgotten f-prefixes --------------------------------------------------------------------------------------


def test_engines_30_a_missing_f_prefix_is_filled() -> None:
    session = WordSession("c", variables={"mine": "the user's"}, repair_placeholders=True)
    session.cell("chunk_text = 'the data'; number = 3; _private = 'x'")
    notes = session.cell("reply = llm_query('Look: {chunk_text}')")
    assert session.namespace["reply"] == "Look: the data"
    assert notes == ['Note: {chunk_text} in a prompt was filled in; write f"…" in front of such a text.']
    for prompt in ('{"chunk_text": 1}', "{{chunk_text}}", "{mine} {number} {_private} {unknown} {context} {answer}"):
        assert session.value(f"llm_query({prompt!r})") == prompt


def test_placeholders_stay_unless_the_setting_is_on() -> None:
    session = WordSession()
    session.cell("name = 'the data'")
    assert session.value("llm_query('{name}')") == "{name}"
