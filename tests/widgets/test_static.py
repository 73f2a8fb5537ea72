"""The static view: what is in it, what can never be in it, how large it gets."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from rlm_kernel.trajectory import events as ev
from rlm_kernel.trajectory.records import Usage
from rlm_kernel.trajectory.run import Run
from rlm_widgets import mime_bundle
from rlm_widgets.static import LARGEST, static_html
from support import branch_runs, sample_runs
from support.branch_runs import diff, entry
from support.sample_runs import cell, started, turn

ALLOWED = {"div", "span", "p", "br", "pre", "code", "strong", "em", "bdi", "img", "details", "summary"}
ALLOWED |= {"table", "thead", "tbody", "tr", "th", "td"}


class Page(HTMLParser):
    """Reads a page: text in order, tags that are open too long, and everything a sanitizer would object to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.objections: list[str] = []
        self.images: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED:
            self.objections.append(tag)
        for name, value in attrs:
            if name not in ({"style"} if tag != "img" else {"style", "src", "alt"}) or "url(" in str(value):
                self.objections.append(f"{tag} {name}={value}")
            if name == "src":
                self.images.append(value or "")
        if tag not in ("br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.objections.append(f"crossed {tag}")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def read(run: Run) -> Page:
    """Return the static view of a run, read; it must be well formed and harmless."""
    page = Page(static_html(run))
    assert page.objections == []
    assert page.open == []
    assert all(image.startswith("data:image/") for image in page.images)
    return page


def one_cell(**end: Any) -> Run:
    return Run.fold([*started(), *turn(1, "```repl\nx = 1\n```"), *cell(1, "x = 1", **end)])


def test_answer_comes_before_everything_else() -> None:
    text = read(sample_runs.solved()).text
    assert text.startswith("South lost most: 9,412 customers left")
    order = ["answered", "gpt-5-mini", "Kept in the notebook", "I look at the columns", "Question and context"]
    places = [text.index(word) for word in order]
    assert places == sorted(places)


def test_trajectory_is_all_there() -> None:
    page = read(sample_runs.solved())
    for word in (
        "12 (1 failed)",
        "23,280 in, 1,008 out",
        "$0.0089",
        "9.3 s",
        "# what is in here?",
        "West      8,120",
        "12 sub-calls to gpt-5-nano",
        "the server did not answer in 30 s",
        "a generator cannot leave its process",
        "5 values: South 9412",
        "61,204 values, rest missing",
        "Five columns. Look at a few rows.",
    ):
        assert word in page.text
    assert len(page.images) == 1
    assert "never shown" not in page.text


def test_prose_has_the_blocks_that_did_not_run_but_not_those_that_did() -> None:
    reply = "First.\n\n```repl\nx = 1\n```\n\nThen df, see:\n\n```json\n{}\n```\n"
    run = Run.fold([*started(), *turn(1, reply), *cell(1, "x = 1")])
    text = read(run).text
    assert text.count("x = 1") == 1
    assert "{}" in text


def test_wrecked_run_says_in_words_what_went_wrong() -> None:
    text = read(sample_runs.wrecked()).text
    for word in (
        "stopped at a limit",
        "the limit of 4 iterations is reached",
        "a draft, not a final answer",
        "no code",
        "KeyError: 'pirce'",
        "still running after 30 s",
        "Rolled back: total, lost, df",
        "careful",
    ):
        assert word in text
    assert "unknown" in text[text.index("cost") :]


def test_branch_is_shown_with_the_reason_for_its_kind() -> None:
    text = read(branch_runs.branched()).text
    assert "spawn: polars has started its threads" in text[: text.index("I load it")]


def test_cell_killed_for_memory_says_so_and_why() -> None:
    text = read(branch_runs.branched()).text
    assert text.index("Compare each") < text.index("killed") < text.index("it took 2.1 GB more than the session has")
    assert "killed: it took" not in text


def test_changes_of_an_iteration_are_folded_with_their_values() -> None:
    html = static_html(branch_runs.branched())
    for words in ("+ by_region DataFrame 164 B · ", "+ part list · ~ df DataFrame 23.0 MB · \N{MINUS SIGN} tmp"):
        assert [fold for fold in re.findall("<summary.*?</summary>", html) if words in Page(fold).text]
    text = Page(html).text
    assert "4 rows, 2 columns" in text
    assert "changed in place" in text
    assert "tmp" not in text[text.index("Changed on the branch") : text.index("I load it")]


def test_of_many_changes_some_are_named() -> None:
    text = read(one_cell(diff=diff(added=[entry(f"v{n}") for n in range(1_000, 2_000)]))).text
    assert "+ v1007 int · 992 more" in text
    assert "variables not shown" in text


def test_children_are_drawn_inside_their_sub_call() -> None:
    folds: list[str] = []
    inside: list[tuple[str, ...]] = []
    for closing, summary in re.findall(
        "(</details>)|<summary[^>]*>(.*?)</summary>", static_html(branch_runs.branched())
    ):
        if closing:
            folds.pop()
        else:
            folds.append(Page(summary).text)
            inside.append(tuple(folds))
    deepest = max(inside, key=len)
    titles = [
        *("Ask one by one", "1 sub-call", "How sub-call 3 came to its reply: 2 iterations", "I ask in step 2"),
        *("1 sub-call", "How sub-call 2 came to its reply: 1 iteration", "I ask in step 1", "1 sub-call"),
    ]
    assert len(deepest) == len(titles)
    assert all(title in summary for title, summary in zip(titles, deepest, strict=True))


def test_children_however_deep_fit_and_say_what_is_left_out() -> None:
    run = branch_runs.hostile_branch(40)
    assert "1 iteration not shown" in read(run).text
    html = static_html(branch_runs.bushy(6))
    assert len(html.encode()) <= LARGEST
    assert "How sub-call" in html


def test_offline_answer_says_that_it_is_no_language_model_and_how_to_get_one() -> None:
    text = read(sample_runs.offline()).text
    for word in (
        "Not a language model",
        "rule-based",
        "%%rlm model=",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "RLM_MODEL",
    ):
        assert word in text
    assert "Not a language model" not in read(sample_runs.solved()).text


def test_run_without_calls_names_neither_cost_nor_tokens() -> None:
    text = read(Run.fold([*started(), ev.RunEnded("failed", "no server answers", None, "", 0.1)])).text
    assert "No answer" in text
    assert "no server answers" in text
    assert "cost" not in text
    assert "tokens" not in text


def test_empty_run_can_be_shown() -> None:
    assert "No answer" in read(Run()).text


def test_nothing_hostile_gets_through() -> None:
    html = static_html(sample_runs.hostile())
    page = read(sample_runs.hostile())
    assert "<script" not in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]", html)
    assert "</details></pre><script>alert(1)</script>" in page.text
    assert page.images == []
    assert "</details></pre><script>" in read(branch_runs.hostile_branch()).text


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/javascript"])
def test_only_text_and_bitmaps_of_a_display_are_shown(kind: str) -> None:
    page = read(one_cell(displays=[{kind: "<b>bold</b>", "text/plain": "plain words"}]))
    assert "plain words" in page.text
    assert "bold" not in page.text


def test_images_stop_at_their_budget_with_a_note() -> None:
    image = sample_runs.png(200, 100, noise=True)
    page = read(one_cell(displays=[{"image/png": image, "text/plain": "a plot"}] * 5))
    assert 0 < len(page.images) < 5
    assert page.text.count("not stored here") == 5 - len(page.images)


def test_cut_text_says_how_long_it_was() -> None:
    text = read(one_cell(stdout="begin" + "x" * 1_000_000 + "end")).text
    assert "of 1,000,008 characters cut" in text
    assert "begin" in text
    assert "xend" in text


def test_an_enormous_run_fits_and_says_what_is_left_out() -> None:
    html = static_html(sample_runs.enormous())
    assert len(html.encode()) <= LARGEST
    text = Page(html).text
    for word in ("iterations not shown", "sub-calls not shown", "names not shown", "characters cut"):
        assert word in text


def test_many_small_iterations_fit() -> None:
    events = list(started())
    for number in range(1, 20_001):
        events += turn(number, "", usage=Usage())
    assert len(static_html(Run.fold(events)).encode()) <= LARGEST


def test_bundle_can_be_saved_whatever_the_run_holds() -> None:
    bundle = mime_bundle(sample_runs.hostile())
    assert sorted(bundle) == ["text/html", "text/plain"]
    for text in bundle.values():
        assert text.encode("utf-8")
