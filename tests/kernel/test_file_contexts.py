"""Files and folders as contexts: what is opened, what is left out and said so, what is refused with the way out."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.documents import FileText, Folder, LazyText, open_context
from rlm_kernel.engine.describe import describe
from rlm_kernel.errors import ContextError


def write(top: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return top


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write(
        tmp_path / "docs",
        {
            "part2.md": "two",
            "part10.md": "ten",
            "sub/notes.txt": "line\r\nend",
            "sub/deep/x.md": "deep",
            "latin.txt": b"caf\xe9",
            "marked.txt": b"\xef\xbb\xbfmarked",
            "image.png": b"\x89PNG\r\n\x1a\n\0\0",
            ".env": "KEY=1",
            ".git/config": "secret",
        },
    )


def test_peers_03_a_folder_is_a_mapping_from_names_to_texts(docs: Path) -> None:
    """Also engines 2: line ends stay as they are."""
    folder = open_context(docs)
    assert isinstance(folder, Folder)
    assert list(folder) == ["latin.txt", "marked.txt", "part2.md", "part10.md", "sub/deep/x.md", "sub/notes.txt"]
    assert folder["sub/notes.txt"] == "line\r\nend"
    assert folder["latin.txt"] == "café"
    assert folder["marked.txt"] == "marked"
    assert "sub/notes.txt" in folder
    assert len(folder) == 6
    with pytest.raises(KeyError):
        folder["../docs/part2.md"]
    with pytest.raises(KeyError):
        folder[".env"]


def test_what_a_folder_leaves_out_is_listed(docs: Path) -> None:
    (docs / "out.txt").symlink_to("/etc/hostname")
    (docs / "elsewhere").symlink_to("/etc")
    assert Folder(docs).notices == [
        "not UTF-8, read as Latin-1: latin.txt",
        "skipped, a link to somewhere else: elsewhere/, out.txt",
        "skipped, hidden: .env, .git/",
        "skipped, not text: image.png",
    ]


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        ("*.md", ["part2.md", "part10.md"]),
        ("**/*.md", ["part2.md", "part10.md", "sub/deep/x.md"]),
        ("sub/**", ["sub/deep/x.md", "sub/notes.txt"]),
        ("*/deep/*", ["sub/deep/x.md"]),
        ("part[0-9].md", ["part2.md"]),
    ],
)
def test_a_pattern_chooses_the_files(docs: Path, glob: str, names: list[str]) -> None:
    assert list(Folder(docs, glob)) == names


def test_links_in_circles_end(docs: Path) -> None:
    (docs / "sub" / "loop").symlink_to(docs)
    (docs / "again.md").symlink_to(docs / "part2.md")
    folder = Folder(docs, "**/*.md")
    assert list(folder) == ["again.md", "part2.md", "part10.md", "sub/deep/x.md"]
    assert folder["again.md"] == "two"


def test_a_folder_is_read_when_it_is_asked_and_survives_a_pickle(docs: Path) -> None:
    folder = Folder(docs)
    copy = pickle.loads(pickle.dumps(folder))
    (docs / "part2.md").write_text("changed")
    assert folder["part2.md"] == copy["part2.md"] == "changed"
    assert copy.plain() == folder.documents() == {name: folder[name] for name in folder}
    assert folder.text().startswith("=== latin.txt ===\ncafé\n\n=== marked.txt ===\nmarked\n\n")


def test_a_folder_too_large_is_cut_with_notice(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlm_kernel.documents.folder._LARGEST", 5)
    [large] = [notice for notice in Folder(docs).notices if "over" in notice]
    assert large.endswith("latin.txt, marked.txt, sub/notes.txt") or "marked.txt" in large
    monkeypatch.setattr("rlm_kernel.documents.folder._FILES", 2)
    few = Folder(docs, "**/*.md")
    assert len(few) == 2
    assert any("all after it" in notice for notice in few.notices)


def test_the_card_of_a_folder_names_its_documents(docs: Path) -> None:
    """Also peers 2."""
    card = describe(open_context(docs))
    assert card.startswith(
        "Folder of str: 6 documents by key, 32 bytes; used like a dict\nthey are the text files of the"
    )
    assert "skipped, not text: image.png" in card
    assert '- "part2.md": 3 bytes' in card
    assert str(docs.parent) not in card
    assert "deep\n" not in card


def test_a_small_file_is_its_text(tmp_path: Path) -> None:
    text = "a,b\r\n1,é\n"
    context = open_context(write(tmp_path, {"t.csv": text}) / "t.csv")
    assert isinstance(context, FileText)
    assert context == text
    assert (context.name, context.encoding) == ("t.csv", "utf-8")
    copy = pickle.loads(pickle.dumps(context))
    assert (copy, copy.name, type(context.plain())) == (text, "t.csv", str)
    card = describe(context)
    assert card.startswith("str: 9 characters, 2 lines\nbegins: ")
    assert 'the file "t.csv" (utf-8); parse it yourself, it is the text of a CSV file' in card


def test_a_large_file_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlm_kernel.documents.opening._SMALL", 1000)
    context = open_context(write(tmp_path, {"big.log": "first line\n" + "é" * 1000 + "\nlast"}) / "big.log")
    assert isinstance(context, LazyText)
    card = describe(context)
    assert card.startswith("LazyText: a text of 2,016 bytes (utf-8), read from its file as needed\n")
    assert 'begins: "first line' in card
    assert card.endswith('last"')
    assert str(tmp_path) not in card


@pytest.mark.parametrize("size", [10, 5000])
@pytest.mark.parametrize(
    ("raw", "encoding"), [(b"caf\xe9 ", "latin-1"), (b"\xef\xbb\xbfab", "utf-8-sig"), (b"ab", "utf-8")]
)
def test_encodings_are_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, raw: bytes, encoding: str
) -> None:
    monkeypatch.setattr("rlm_kernel.documents.opening._SMALL", 1000)
    content = raw + b"x" * size
    context = open_context(write(tmp_path, {"t.txt": content}) / "t.txt")
    assert context.encoding == encoding
    assert str(context) == content.decode(encoding)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("nothere.md", "There is no file or folder", "check the path"),
        ("part3.md", "There is no file or folder", "did you mean part2.md?"),
        ("image.png", "is not text", "PIL.Image.open(path)"),
        ("table.parquet", "is not text", "context=pandas.read_parquet(path)"),
        ("raw.bin", "is not text", "path.read_bytes()"),
        ("empty", "has no text files", "no file fits"),
        ("hidden", "has no text files", "skipped, hidden: .x"),
        ("pipe", "is neither a file nor a folder", "read what you need"),
    ],
)
def test_what_cannot_be_a_context_is_refused_with_the_way_out(docs: Path, name: str, message: str, hint: str) -> None:
    write(docs, {"table.parquet": b"PAR1\0", "raw.bin": bytes(range(256)), "hidden/.x": "x"})
    (docs / "empty").mkdir()
    os.mkfifo(docs / "pipe")
    with pytest.raises(ContextError) as caught:
        open_context(docs / name)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_what_is_no_path_stays_what_it_is() -> None:
    values: list[Any] = ["docs", b"x", [Path("a.png")], {"a": 1}, None]
    for value in values:
        assert open_context(value) is value
