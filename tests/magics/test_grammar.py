"""The grammar: what is one token, where it stands, and what is refused at which column."""

from __future__ import annotations

import keyword
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rlm_kernel.errors import OptionError
from rlm_magics.grammar import scan

ACCEPTED = [
    ("", {}),
    ("   ", {}),
    ("context=df", {"context": "df"}),
    ("  context=df  ", {"context": "df"}),
    ("context=df\ttimeout=3", {"context": "df", "timeout": "3"}),
    ("context=df\u00a0timeout=3", {"context": "df", "timeout": "3"}),
    ("context=df.loc[0, :]", {"context": "df.loc[0, :]"}),
    ('context=docs["a b"]', {"context": 'docs["a b"]'}),
    ("context=docs['a b'] keep=none", {"context": "docs['a b']", "keep": "none"}),
    ('context=f(x, y="a b")', {"context": 'f(x, y="a b")'}),
    ('context={"a": 1, "b": [1, 2]}', {"context": '{"a": 1, "b": [1, 2]}'}),
    ("context=[x for x in docs if x] timeout=1", {"context": "[x for x in docs if x]", "timeout": "1"}),
    ("context=(a + b)", {"context": "(a + b)"}),
    ("context=a==b", {"context": "a==b"}),
    ("context=df[df.x == 1]", {"context": "df[df.x == 1]"}),
    ("context=f(a=1)", {"context": "f(a=1)"}),
    ("context=f('(')", {"context": "f('(')"}),
    (r"context=docs['it\'s (here']", {"context": r"docs['it\'s (here']"}),
    ("context='' ", {"context": "''"}),
    ('context="""a b"""', {"context": '"""a b"""'}),
    ("context=f'{x} y'", {"context": "f'{x} y'"}),
    ("context='a b'.split()", {"context": "'a b'.split()"}),
    ("context=größe", {"context": "größe"}),
    ("context=-x", {"context": "-x"}),
    ("context=*x", {"context": "*x"}),
    ("context=a,b", {"context": "a,b"}),
    ("context=#", {"context": "#"}),
    ("model=gpt-5-mini", {"model": "gpt-5-mini"}),
    ('model="x y" timeout=30s', {"model": '"x y"', "timeout": "30s"}),
    ("model=org/name:free", {"model": "org/name:free"}),
    ("base_url=http://h:1/v1?x=1&y=2", {"base_url": "http://h:1/v1?x=1&y=2"}),
    ("-o run context=df", {"out": "run", "context": "df"}),
    ("context=df -o run", {"out": "run", "context": "df"}),
    ("-o   run", {"out": "run"}),
    ("-o 'run'", {"out": "'run'"}),
    ("--out=run", {"out": "run"}),
    ("--max-iterations=5", {"max_iterations": "5"}),
    ("max-iterations=5", {"max_iterations": "5"}),
    ("--bg", {"bg": None}),
    ("--bg context=df", {"bg": None, "context": "df"}),
    ("--a --b", {"a": None, "b": None}),
    ("unknown=1", {"unknown": "1"}),
    ("query=x", {"query": "x"}),
    ("query=How many rows?", {"query": "How many rows?"}),
    ("query=How many rows?   ", {"query": "How many rows?"}),
    ("query=is a=b or (c", {"query": "is a=b or (c"}),
    ("query=don't stop", {"query": "don't stop"}),
    ("context=df query=the 'x y' of timeout=3", {"context": "df", "query": "the 'x y' of timeout=3"}),
    ('query="How many?" context=df', {"query": '"How many?"', "context": "df"}),
    ("query='a \"b\" c' -o r", {"query": "'a \"b\" c'", "out": "r"}),
    ("--query=How many rows?", {"query": "How many rows?"}),
]

REFUSED = [
    ("df", 0, "'df' is not an option", "context=df"),
    ("  df", 2, "'df' is not an option", "context=df"),
    ("context=df now", 11, "'now' is not an option", "brackets"),
    ("context=a + b", 10, "'+' is not an option", "brackets"),
    ("context=df keep=a, b", 19, "'b' is not an option", "keep=a,b"),
    ('context=df "How many?"', 11, "is not an option", 'query="How many?"'),
    ("context = df", 0, "'context' is not an option", "context=df"),
    ("context =df", 0, "'context' is not an option", "context=df"),
    ("context= df", 8, "context has no value", "context="),
    ("context=", 8, "context has no value", "context="),
    ("context=df query=", 17, "query has no value", "query="),
    ("context=df query=  ", 17, "query has no value", "query="),
    ("context==df", 7, "one =", "context=df"),
    ("query==x", 5, "one =", "query=x"),
    ("--out==x", 5, "one =", "out=x"),
    ("-o", 2, "out has no value", "out="),
    ("-o ", 3, "out has no value", "out="),
    ("-x 3", 0, "'-x' is not an option", ""),
    ("-orun", 0, "'-orun' is not an option", ""),
    ("--", 0, "'--' is not an option", ""),
    ("--out run", 6, "'run' is not an option", "out=run"),
    ("=x", 0, "'=x' is not an option", ""),
    ("1a=x", 0, "'1a=x' is not an option", ""),
    ("context=df[", 10, "[ is not closed", "add ]"),
    ("context=f(x[0, 1", 11, "[ is not closed", "add ]"),
    ("context=f(x", 9, "( is not closed", "add )"),
    ("context=df]", 10, "] closes no bracket", ""),
    ("context=f(x]", 11, "] closes no bracket", ""),
    ("context='abc", 8, "the quote ' is not closed", "add '"),
    ('context=docs["a b]', 13, 'the quote " is not closed', 'add "'),
    ("model=it's", 8, "the quote ' is not closed", "add '"),
    (r"context='a\'", 8, "the quote ' is not closed", ""),
    ("query='unclosed question", 6, "the quote ' is not closed", ""),
    ('query="York" or not', 13, "'or' is not an option", ""),
    ("context=a context=b", 10, "context is given twice", ""),
    ("-o a out=b", 5, "out is given twice", ""),
    ("max-iterations=1 max_iterations=2", 17, "max_iterations is given twice", ""),
]

TEXTS = [
    ("model=x", "x"),
    ("model='x y'", "x y"),
    ('model="it\'s"', "it's"),
    (r"model='a\tb'", "a\tb"),
    (r"model='\d'", r"\d"),
    ('model="a""b"', "ab"),
    ("model=''", ""),
    ("model=a'b c'", "a'b c'"),
    ('query=say "hi"', 'say "hi"'),
]

NO_TEXT = [
    "model='x'y",
    "model='a','b'",
    "model='a'*3",
    r"model='\x'",
    "model='a'[0]",
    pytest.param(f"model=''{'[' * 300}{']' * 300}", id="deep brackets"),
    pytest.param(f"model=''{'+-' * 50_000}1", id="deep operators"),
]


@pytest.mark.parametrize(("line", "options"), ACCEPTED)
def test_line_is_split(line: str, options: dict[str, str | None]) -> None:
    tokens = scan(line)
    assert {token.name: token.value for token in tokens} == options
    for token in tokens:
        assert token.line == line
        assert line[token.column] in f"-{token.name[0]}"
        assert token.value is None or line.startswith(token.value, token.value_column)


@pytest.mark.parametrize(("line", "column", "message", "hint"), REFUSED)
def test_line_is_refused_at_its_column(line: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        scan(line)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(("line", "text"), TEXTS)
def test_string_literal_is_read_as_its_content(line: str, text: str) -> None:
    assert scan(line)[0].text() == text


@pytest.mark.parametrize("line", NO_TEXT)
def test_value_that_starts_as_a_string_and_is_none_is_refused(line: str) -> None:
    with pytest.raises(OptionError, match="starts as a string but is none") as caught:
        scan(line)[0].text()
    assert caught.value.column == len("model=")


def test_flag_has_no_text() -> None:
    with pytest.raises(OptionError, match="bg needs a value") as caught:
        scan(" --bg")[0].text()
    assert caught.value.column == 1


PIECES = st.sampled_from(
    ["context", "query", "-o ", "--", "=", "==", " ", "(", ")", "[", "]", "'", '"', "\\", "x", ",", "\n"]
)


@given(st.text() | st.lists(PIECES).map("".join))
@example("context='\x00'")
@example("context='\ud800'")
def test_any_line_is_split_or_refused_at_a_column_of_it(line: str) -> None:
    try:
        for token in scan(line):
            token.text()
    except OptionError as error:
        refused = error
    else:
        return
    assert refused.line == line
    assert 0 <= refused.column <= len(line)
    assert refused.hint


NAMES = st.text(string.ascii_letters + "_", min_size=1).filter(lambda name: not keyword.iskeyword(name))


@given(st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cs"]))))
def test_options_written_down_are_read_back(options: dict[str, str]) -> None:
    line = " ".join(f"{name}={value!r}" for name, value in options.items())
    assert {token.name: token.text() for token in scan(line)} == options
