"""From a line and a body to a call; the help that is written from the same table."""

from __future__ import annotations

import pytest

from rlm_kernel import settings
from rlm_kernel.errors import OptionError, QuestionError
from rlm_magics.options import OPTIONS, Call, read_line
from rlm_magics.usage import usage


def test_everything_at_once() -> None:
    line = (
        'context=docs["a b"] model="x y" sub_model=s base_url=http://h/v1 timeout=2m max_iterations=3 keep=a,b '
        "branch=kernel:python3 mem=1.5G ship=c,d -o run"
    )
    given = {
        "model": "x y",
        "sub_model": "s",
        "base_url": "http://h/v1",
        "timeout": 120.0,
        "max_iterations": 3,
        "keep": "a,b",
        "branch": "kernel:python3",
        "mem": 1_500_000_000,
        "ship": "c,d",
    }
    assert read_line(line, "\nWhich one?\n") == Call('docs["a b"]', "Which one?", "run", None, given)


def test_context_keeps_its_quotes_and_query_does_not() -> None:
    assert read_line("context='a b' query='How many?' view=none", "\n") == Call(
        "'a b'", "How many?", None, None, {"view": "none"}
    )


@pytest.mark.parametrize("body", [None, "", "\n", "  \n\t\n"])
def test_question_from_the_line(body: str | None) -> None:
    assert read_line("context=df query=How many rows are there?", body).question == "How many rows are there?"


def test_context_may_be_missing_here() -> None:
    assert read_line("", "question") == Call("", "question", None, None, {})


@pytest.mark.parametrize("line", ["", "context=df", "context=df query=''", "context=df query='  '"])
def test_no_question(line: str) -> None:
    with pytest.raises(QuestionError, match="query=") as caught:
        read_line(line, " \n")
    assert "below" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "column", "message", "hint"),
    [
        ("context=df query=a", 11, "give the question once", "query="),
        ("contxt=df", 0, "there is no option 'contxt'", "did you mean context?"),
        ("context=df max_iteration=3", 11, "there is no option 'max_iteration'", "max_iterations?"),
        ("zzz=1", 0, "there is no option 'zzz'", "%%rlm? lists the options"),
        ("runs_dir=/x", 0, "there is no option 'runs_dir'", ""),
        ("context=df --zzz", 11, "there is no option 'zzz'", ""),
        ("context=df timeout=5x", 19, "timeout must be a number of seconds", "2m"),
        ("context=df timeout='5 x'", 19, "not '5 x'", "2m"),
        ("context=df timeout=0", 19, "timeout must be", "2m"),
        ("context=df --timeout", 11, "timeout needs a value", "timeout="),
        ("--context", 0, "context needs a value", "context="),
        ("max_iterations=1.5", 15, "max_iterations must be a whole number", "20"),
        ("model=''", 6, "model must be a name that is not empty", "gpt"),
        ("-o 1a", 3, "out must be a name that a variable can have", "run"),
        ("-o class", 3, "out must be", "run"),
        ("out=df.x", 4, "out must be", "run"),
        ("out=''", 4, "out must be", "run"),
        ("keep=a-b", 5, "keep must be none, new, all", "df,totals"),
        ("branch=forked", 7, "branch must be auto, fork, spawn or kernel:NAME", "kernel:python3"),
        ("mem=2", 4, "mem must be an amount of memory of at least 1MB", "2GB"),
        ("ship=a-b", 5, "ship must be variable names", "df,totals"),
        ("checkpoints=2", 0, "there is no option 'checkpoints'", ""),
        ("view=live", 5, "view must be auto, static or none", "static"),
        ("context=df orchestrator=perhaps", 24, "orchestrator must be true or false", "orchestrator=true"),
        ("soft_limit=1.5", 11, "soft_limit must be a number from 0 to 1", "0.8"),
        ("max_budget=0", 11, "max_budget must be an amount of US dollars above 0", "0.50"),
        ("max_tokens=many", 11, "max_tokens must be a whole number of at least 1", ""),
        ("verify_subcalls=some", 16, "verify_subcalls must be none, rules, model or tiered", ""),
        ("engineer=yes", 9, "engineer must be off, brief, notes or both", ""),
        ("redact='/[/'", 7, "redact must be names and /patterns/", "salary"),
        ("--max-tokens", 0, "max_tokens needs a value", "max_tokens="),
        ("context=df, docs", 12, "'docs' is not an option", "no blank after the comma: context=df,docs"),
    ],
)
def test_refused_at_its_column(line: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_line(line, "question")
    assert (caught.value.line, caught.value.column) == (line, column)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_settings_on_the_line_are_rows_of_the_table_of_settings() -> None:
    own = [name for name, option in OPTIONS.items() if option is not settings.OPTIONS.get(name)]
    assert own == ["context", "query", "out", "answer_type"]
    missing = [name for name in settings.OPTIONS if name not in OPTIONS]
    assert missing == ["runs_dir", "checkpoints", "checkpoint_memory", "address_space"]


@pytest.mark.parametrize(
    ("line", "value"),
    [("--orchestrator", True), ("orchestrator=true", True), ("--orchestrator=off", False), ("--verify-answer", True)],
)
def test_flags_need_no_value(line: str, value: bool) -> None:
    assert list(read_line(f"context=df {line}", "question").given.values()) == [value]


def test_the_type_of_the_answer_is_an_expression() -> None:
    call = read_line("context=df,docs answer_type=list[dict[str, int]] max_tokens=5_000", "question")
    assert (call.context, call.answer_type) == ("df,docs", "list[dict[str, int]]")
    assert call.given == {"max_tokens": 5_000}


def test_help_has_a_heading_for_every_group() -> None:
    headings = [line.rstrip(":") for line in usage().splitlines() if line.endswith(":") and not line.startswith(" ")]
    groups = list(dict.fromkeys(option.group for option in OPTIONS.values()))
    assert headings == [*groups, "Commands", "Examples"]
    assert len(groups) == 8


@pytest.mark.parametrize("name", OPTIONS)
def test_help_explains_every_option(name: str) -> None:
    row = next(row for row in usage().splitlines() if row.split()[:1] == [name])
    option = OPTIONS[name]
    assert option.doc in row
    assert option.type in row
    assert option.unit in row
    assert option.env in row
    if option.default is not None:
        default = f"{option.default:g}" if isinstance(option.default, float) else str(option.default)
        assert default in row or default.lower() in row


def test_examples_of_the_help_are_read() -> None:
    cells = usage().split("Examples:")[1].replace("\n    ", "\n").strip().split("\n\n")
    assert len(cells) == 4
    for cell in cells:
        line, _, body = cell.removeprefix("%%rlm ").partition("\n")
        call = read_line(line, body)
        assert call.context
        assert call.question.endswith("?")
