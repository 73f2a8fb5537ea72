"""Text and documents without a model: positions, pieces, pages, and what becomes of a context that is no text."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.vocabulary.documents import Documents
from support.words import WordSession

DOCS = ["Doc A", "Doc B", "Doc C", "Doc D", "Doc E"]
LOG = "start\nerror: disk\nretry\nError: net\nend\n"


def test_peers_14_the_context_object_and_its_edges() -> None:
    ctx = Documents("hello world")
    assert (ctx.len_chars(), len(ctx), ctx.text, str(ctx)) == (11, 11, "hello world", "hello world")
    assert [ctx.slice(0, 5), ctx.slice(-5, 5), ctx.slice(6, 50), ctx.slice(10, 5)] == ["hello", "hello", "world", ""]
    assert [ctx.get_document(i) for i in (0, 1, -1)] == ["hello world", None, None]
    assert ctx.metadata() == {"context_type": "string", "total_length": 11, "num_documents": 1}
    assert Documents(["Short", "A bit longer"]).metadata()["document_lengths"] == [5, 12]
    assert Documents([]).num_documents() == 0
    assert repr(ctx) == "<1 documents, 11 characters>"


def test_find_gives_positions() -> None:
    ctx = Documents("aba abb aab a.b")
    assert ctx.find("ab")[:2] == [(0, 2, "ab"), (4, 6, "ab")]
    assert ctx.find("a.b") == [(12, 15, "a.b")]
    assert ctx.find("a.b", regex=True)[0] == (4, 7, "abb")
    assert ctx.find("AB", case_sensitive=False, max_matches=1) == [(0, 2, "ab")]
    assert ctx.find("AB") == []


def test_chunks_overlap_and_end() -> None:
    ctx = Documents("abcdefghij")
    assert ctx.chunk(4, overlap=1) == [(0, 4, "abcd"), (3, 7, "defg"), (6, 10, "ghij")]
    assert ctx.chunk(100) == [(0, 10, "abcdefghij")]
    assert Documents("").chunk(4) == []
    for size, overlap in ((0, 0), (4, 4), (4, -1), (-1, 0)):
        with pytest.raises(ValueError, match="size >= 1"):
            ctx.chunk(size, overlap)


def test_documents_in_groups() -> None:
    groups = Documents(DOCS).chunk_documents(2)
    assert groups == [(0, 2, DOCS[:2]), (2, 4, DOCS[2:4]), (4, 5, DOCS[4:])]
    with pytest.raises(ValueError, match="at least 1"):
        Documents(DOCS).chunk_documents(0)


def test_pages_between_markers() -> None:
    ctx = Documents("cover\n--- Page 1 ---\none\n--- Page 2 ---\ntwo\nmore\n")
    assert [ctx.page(n) for n in (1, 2, 3)] == ["one", "two\nmore", None]
    assert Documents("a\n##\nb\n##\nc").page(2, r"^##$") == "c"


@pytest.mark.parametrize(
    ("value", "text", "names"),
    [
        ("plain", "plain", ["context"]),
        (b"caf\xc3\xa9", "café", ["context"]),
        (["x", "y"], "x\n\n---\n\ny", ["0", "1"]),
        ({"a.md": "x", "b.md": "y"}, "=== a.md ===\nx\n\n=== b.md ===\ny", ["a.md", "b.md"]),
        ([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}], "hi\n\n---\n\nho", ["0", "1"]),
        ([{"id": 1}, {"id": 2}], '{"id": 1}\n{"id": 2}', ["0", "1"]),
        ([{"title": "T", "n": 1}], '{"title": "T", "n": 1}', ["T"]),
        ({"a": [1], "b": 2}, '{"a": [1], "b": 2}', ["context"]),
        ({"a": "x", "b": 2}, "=== a ===\nx\n\n=== b ===\n2", ["a", "b"]),
        (42, "42", ["context"]),
        ([], "", []),
        ({(1, 2): 3}, "{(1, 2): 3}", ["context"]),
    ],
)
def test_what_becomes_of_a_value(value: Any, text: str, names: list[str]) -> None:
    ctx = Documents(value)
    assert (ctx.text, ctx.names) == (text, names)
    assert [ctx.text[s : s + len(d)] for s, d in zip(ctx.starts, ctx.documents, strict=True)] == ctx.documents


def test_objects_that_know_their_text(tmp_path: Path) -> None:
    class Lazy:
        def text(self) -> str:
            return "lazily"

    class Folder:
        def documents(self) -> dict[str, str]:
            return {"a": "x", "b": "y"}

    assert Documents(Lazy()).text == "lazily"
    assert Documents(Folder()).names == ["a", "b"]
    assert list(WordSession(Folder()).value("FILES")) == ["a", "b"]
    (tmp_path / "file.txt").write_text("on disk")
    assert Documents(tmp_path / "file.txt").text == "on disk"


def test_tables_and_arrays_are_written_out_but_not_without_bounds() -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    assert Documents(pandas.DataFrame({"a": [1]})).text == ",a\n0,1\n"
    assert Documents(numpy.array([1, 2])).text == "[1, 2]"
    with pytest.raises(ValueError, match="work on it with code"):
        Documents(numpy.zeros(30_000_000, dtype="int8")).text  # noqa: B018 (reading it is what fails)


def test_a_text_in_a_file_is_not_read_to_look_at_its_ends() -> None:
    class InFile:
        def __len__(self) -> int:
            return 10**12

        def __getitem__(self, part: slice) -> str:
            start, stop, _ = part.indices(len(self))
            assert stop - start <= 4_000
            return "x" * (stop - start)

        def text(self) -> str:
            raise AssertionError("all of it was read")

    session = WordSession(InFile())
    lengths = [len(session.value(code)) for code in ("peek(3)", "tail(3)", "page(7)", "ctx.slice(5, 9)")]
    assert lengths == [3, 3, 4_000, 4]
    assert session.value("lenP()") == 10**12
    assert session.value("P") is session.kit.context


# ----- words -----------------------------------------------------------------------------------------------------


def test_peek_and_tail() -> None:
    session = WordSession("0123456789")
    values = [session.value(code) for code in ("peek(3)", "tail(3)", "peek()", "tail(0)", "lenP()", "peek(-1)")]
    assert values == ["012", "789", "0123456789", "", 10, ""]
    assert session.value("peek('other', 2)") == session.value("peek(2, 'other')") == "ot"
    assert session.value("tail(['a', 'b'], 1)") == "b"


def test_peers_15_a_marked_fact_needs_no_sub_call() -> None:
    session = WordSession('noise\nThe key term is: "oolong".\nmore')
    assert session.value("extract_after('The key term is:')") == "oolong"
    assert session.value("extract_after('missing')") is None
    assert session.value("extract_after('more')") is None
    assert session.value("extract_after('key:', value='key:' + ' ' * 200 + 'far')") is None
    assert not session.asked


def test_grep_shows_lines_around() -> None:
    session = WordSession(LOG)
    assert session.value("grep('error')") == [{"line": 2, "start": 6, "text": "error: disk"}]
    found = session.value("grep('error', context_lines=1, ignore_case=True)")
    assert [hit["text"] for hit in found] == ["start\nerror: disk\nretry", "retry\nError: net\nend"]
    assert all(LOG[hit["start"] :].startswith(hit["text"]) for hit in found)
    assert session.value("grep('e', max_matches=1)")[0]["line"] == 2
    assert session.value("find('error', case_sensitive=False)") == [(6, 11, "error"), (24, 29, "Error")]
    assert session.value("find('x', 'axa')") == [(1, 2, "x")]


def test_chunk_and_select() -> None:
    session = WordSession("abcdef", piece=4)
    assert session.value("chunk()") == ["abcd", "ef"]
    assert session.value("chunk(3)") == ["abc", "def"]
    assert session.value("chunk(context, 4, overlap=2)") == ["abcd", "cdef"]
    assert session.value("select([(0, 2), (4, 99), (-3, 1)])") == ["ab", "ef", "a"]
    session.namespace["log"] = LOG
    assert session.value("chunk(log, 2, overlap=1, by='lines')")[:2] == ["start\nerror: disk\n", "error: disk\nretry\n"]
    assert session.value("select([(1, 3)], log, by='lines')") == ["error: disk\nretry\n"]
    with pytest.raises(ValueError, match="'chars' or 'lines'"):
        session.value("chunk(log, by='words')")


def test_peers_31_a_page_is_read_in_full_and_shown_as_it_is() -> None:
    session = WordSession("c" * 5_000)
    text = "".join(f"line {i}\n" for i in range(1_000))
    session.update({"_result_0": text})
    first = session.value("page(_result_0, 1)")
    assert (first, session.allowance) == (text[:4_000], 4_000)
    assert session.value("page(_result_0, 2)") == text[4_000:8_000]
    assert session.value("page(2)") == "c" * 1_000
    with pytest.raises(ValueError, match="there is no page 3: the text has 2 pages of 4,000"):
        session.value("page(3)")
    session.cell("for i in range(9): page(1)")
    assert session.allowance == 20_000
    session.begin_cell()
    assert session.allowance == 0
    shown: list[str] = []
    first._repr_pretty_(type("Printer", (), {"text": lambda _, t: shown.append(t)})(), False)
    assert shown == [text[:4_000]]
    assert type(pickle.loads(pickle.dumps(first))) is str


# ----- search ----------------------------------------------------------------------------------------------------


def test_peers_51_search_finds_lines_and_documents_with_offsets() -> None:
    text = "the cat sat\n\nthe dog ran after the cat\nbirds fly high\n"
    session = WordSession(text)
    found = session.value("search('dog cat')")
    assert [hit["text"] for hit in found] == ["the dog ran after the cat", "the cat sat"]
    assert all(text[hit["start"] : hit["end"]] == hit["text"] for hit in found)
    assert session.value("search('dog cat', k=1)") == found[:1]
    assert session.value("search('nothing here')") == session.value("search('')") == []
    many = WordSession({"a": "cats and dogs", "b": "Only BIRDS here"})
    assert [hit["document"] for hit in many.value("search('birds')")] == ["b"]
    assert many.value("search('x', value='a x b')")[0]["start"] == 0


def test_search_cuts_what_is_long() -> None:
    found = WordSession("word " * 1_000 + "needle").value("search('needle')")
    assert len(found) == 1
    assert len(found[0]["text"]) <= 2_000


def test_the_users_retriever_takes_the_place_of_search() -> None:
    session = WordSession("text", retriever=lambda query, k: [{"text": query, "k": k}])
    assert session.value("search('q', 2)") == [{"text": "q", "k": 2}]
    assert session.value("search('text', value='text')")[0]["text"] == "text"
