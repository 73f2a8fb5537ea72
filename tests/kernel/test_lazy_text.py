"""A text that stays in its file answers as a `str` would, and takes next to no memory."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.documents import LazyText, lazy
from rlm_kernel.errors import ContextError

TEXTS = st.text(st.sampled_from("aab\n\r é€😀\x0b\u2028x"), max_size=120)
PLACES = st.none() | st.integers(-130, 130)
PATTERNS = [
    "a+",
    r"\bx\w*",
    "x?",
    "(?m)^.$",
    "(a)(b)?",
    "é.",
    "a.{0,3}?b",
    r"(?<=a)b",
    r"\s+",
    r"(?P<n>[^\n]+)$",
    r"\Aa",
    "(?s)b.{0,3}x",
]


@pytest.fixture(scope="module", autouse=True)
def _tiny_pieces() -> Iterator[None]:
    """Make every text of a few characters one of many blocks and windows."""
    with pytest.MonkeyPatch.context() as patch:
        for name, size in (("_BLOCK", 7), ("_WINDOW", 11), ("_REACH", 5), ("_BEHIND", 3)):
            patch.setattr(lazy, name, size)
        yield


def opened(text: str, encoding: str = "utf-8") -> LazyText:
    with tempfile.NamedTemporaryFile(delete=False, dir=Path.cwd()) as file:
        file.write(text.encode(encoding))
    return LazyText(Path(file.name), encoding)


@settings(deadline=None)
@given(TEXTS, PLACES, PLACES, st.sampled_from([None, 1, 2, -1, -3]), st.sampled_from(["utf-8", "utf-8-sig"]))
def test_slices_are_those_of_the_text(
    text: str, start: int | None, stop: int | None, step: int | None, encoding: str
) -> None:
    assert opened(text, encoding)[start:stop:step] == text[start:stop:step]
    fresh = opened(text, encoding)
    assert len(fresh) == len(text)
    assert fresh[start:stop] == text[start:stop]
    assert str(fresh) == "".join(fresh) == fresh.text() == fresh.plain() == text


@settings(deadline=None)
@given(TEXTS, st.integers(-130, 130))
def test_single_characters_are_those_of_the_text(text: str, place: int) -> None:
    if -len(text) <= place < len(text):
        assert opened(text)[place] == text[place]
    else:
        with pytest.raises(IndexError):
            opened(text)[place]


@settings(deadline=None)
@given(TEXTS, st.text("aab\né", max_size=3), PLACES, PLACES)
def test_finding_is_that_of_the_text(text: str, part: str, start: int | None, stop: int | None) -> None:
    found = opened(text)
    assert found.find(part, start or 0, stop) == text.find(part, start, stop)
    assert found.count(part) == text.count(part)
    assert (part in found) == (part in text)


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.sampled_from(PATTERNS))
def test_matches_are_those_of_the_text(text: str, pattern: str) -> None:
    found = opened(text)
    expected = list(re.finditer(pattern, text))
    assert [match.span() for match in found.finditer(pattern)] == [match.span() for match in expected]
    assert [match.groups() for match in found.finditer(pattern)] == [match.groups() for match in expected]
    assert found.findall(pattern) == re.findall(pattern, text)
    first, wanted = found.search(pattern), re.search(pattern, text)
    assert (first and first.group()) == (wanted and wanted.group())


@settings(deadline=None)
@given(TEXTS, st.booleans())
def test_lines_are_those_of_the_text(text: str, keepends: bool) -> None:
    assert list(opened(text).splitlines(keepends)) == text.splitlines(keepends)


@settings(deadline=None)
@given(TEXTS, st.integers(0, 130))
def test_the_tail_is_that_of_the_text(text: str, count: int) -> None:
    assert opened(text).tail(count) == (text[-count:] if count else "")


def test_a_match_says_what_a_match_of_re_says() -> None:
    text = "." * 40 + "name: Ann (7)"
    match = opened(text).search(r"(?P<key>\w+): (?P<value>\w+)(!)?")
    assert match is not None
    assert (match.start(), match.end(), match["key"]) == (40, 49, "name")
    assert match.group("key", "value") == ("name", "Ann")
    assert match.span("value") == (46, 49)
    assert match.span(3) == (-1, -1)
    assert match.groups("") == ("name", "Ann", "")
    assert match.groupdict() == {"key": "name", "value": "Ann"}


def test_what_else_a_str_can_do_is_done_on_the_whole_text() -> None:
    text = opened("one,two,drei")
    assert text.split(",") == ["one", "two", "drei"]
    assert text.upper() == "ONE,TWO,DREI"
    assert f"{text}" == "one,two,drei"
    with pytest.raises(AttributeError, match="no attribute 'read_text'"):
        text.read_text()


def test_latin_1_counts_bytes() -> None:
    text = opened("é" * 30 + "a", "latin-1")
    assert text[29:] == "éa"
    assert len(text) == 31


def test_a_broken_byte_is_shown_as_one_wherever_it_stands(workdir: Path) -> None:
    raw = "aé€".encode() * 5 + b"\xff\xe2\x82" + b"x" * 9 + b"\x80\x80\x80\x80\x80"
    path = workdir / "broken"
    path.write_bytes(raw)
    assert str(LazyText(path, "utf-8")) == raw.decode("utf-8", "replace")


def test_a_pickle_holds_the_place_and_not_the_text(workdir: Path) -> None:
    text = opened("x" * 5000)
    assert len(text) == 5000
    packed = pickle.dumps(text[:0] or text)
    copy = pickle.loads(packed)
    assert b"xxx" not in packed
    assert copy[4990:] == "x" * 10
    assert repr(copy) == f"<LazyText {text.name!r}: 5,000 bytes>"


def test_what_is_appended_later_is_not_part_of_it(workdir: Path) -> None:
    path = workdir / "log"
    path.write_text("a" * 30)
    text = LazyText(path, "utf-8")
    with path.open("a") as file:
        file.write("b" * 30)
    assert str(text) == "a" * 30
    assert "b" not in text


def test_a_file_that_was_replaced_is_refused(workdir: Path) -> None:
    path = workdir / "log"
    path.write_text("a" * 30)
    text = LazyText(path, "utf-8")
    path.write_text("short")
    with pytest.raises(ContextError, match="replaced or cut"):
        str(text)


@pytest.mark.slow
@pytest.mark.parametrize("filler", ["all plain words here", "mit größeren Wörtern"])
def test_peers_04_reading_a_large_file_takes_little_memory(workdir: Path, filler: str) -> None:
    """In a process of its own, whose peak is not that of other tests."""
    path = workdir / "big.txt"
    line = f"{filler}, number 1234567\n" * 100
    with path.open("w", encoding="utf-8", newline="") as file:
        while file.tell() < 200_000_000:
            file.write(line)
        file.write("the needle is 42\n")
    code = """
import resource, sys
from pathlib import Path
from rlm_kernel.documents import open_context
from rlm_kernel.engine.describe import describe
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
text = open_context(Path(sys.argv[1]))
length = len(text)
assert text[100_000_000:100_001_000] and text[-17:] == "the needle is 42\\n"
assert text.search(r"needle is (\\d+)")[1] == "42"
assert len(text.findall("needle")) == text.count("needle") == 1
assert sum(1 for _ in text.splitlines()) > 1_000_000
assert "needle" in text and "haystack" not in text
assert "needle" in describe(text)
print(peak() - before)
"""
    environ = {"PYTHONPATH": str(Path(__file__).parents[2] / "kernel")}
    done = subprocess.run([sys.executable, "-c", code, path], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 50_000  # kilobytes
