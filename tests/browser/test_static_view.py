"""A stored run, opened by people who have no kernel for it: what they see and can open."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Dialog, Locator, Page

from rlm_kernel.trajectory.run import Run
from rlm_widgets import mime_bundle
from support import engine_runs, sample_runs
from support.lab import Lab

pytestmark = pytest.mark.browser

PROBE = '<p title="probe" data-probe="kept only where the notebook is trusted">probe</p>'
ANSWER = "South lost most: 9,412 customers left after the price change"


def notebook(source: str, run: Run | None = None) -> dict[str, Any]:
    """Return a notebook with a run and a probe as outputs; its `source` makes it differ from those that are signed."""
    outputs = [
        {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": data}
        for data in (mime_bundle(run or sample_runs.solved()), {"text/html": PROBE})
    ]
    cells = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "execution_count": 1,
            "metadata": {},
            "source": source,
            "outputs": [output],
        }
        for number, output in enumerate(outputs)
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


def reads_and_opens(view: Page | Locator) -> None:
    """Demand that the answer is in sight, that an iteration is folded, and that a click opens it."""
    view.get_by_text(ANSWER).first.wait_for(state="visible")
    output = view.locator("pre", has_text="West      8,120")
    assert not output.is_visible()
    summary = view.locator("summary", has_text="Count them by region")
    summary.click()
    output.wait_for(state="visible")
    summary.click()
    output.wait_for(state="hidden")


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
def test_stored_run_reads_and_opens_in_jupyterlab(lab: Lab, page: Page, trusted: bool) -> None:
    name = f"stored-{trusted}.ipynb"
    lab.write(name, notebook(name), trusted=trusted)
    lab.open(page, name)
    page.get_by_title("probe").wait_for()
    assert page.locator("[data-probe]").count() == int(trusted)
    reads_and_opens(page.locator(".jp-OutputArea").first)


@pytest.mark.parametrize("run", [sample_runs.solved(), engine_runs.guarded()], ids=["solved", "guarded"])
def test_sanitizer_takes_nothing_away(lab: Lab, page: Page, run: Run) -> None:
    """Every inline style, tag and image of the view survives in an untrusted notebook."""
    html = mime_bundle(run)["text/html"]
    name = f"unsigned-{run.limit}.ipynb"
    lab.write(name, notebook(name, run))
    lab.open(page, name)
    output = page.locator(".jp-OutputArea .jp-RenderedHTML").first
    output.wait_for()
    count = """(root) => {
      const all = [...root.querySelectorAll('*')];
      return [all.length, all.reduce((n, e) => n + e.style.length, 0), root.querySelectorAll('img[src^=data]').length];
    }"""
    kept = output.evaluate(count)
    sent = page.evaluate(f"html => ({count})(Object.assign(document.createElement('div'), {{innerHTML: html}}))", html)
    assert kept == sent


def test_converted_notebook_reads_and_opens_offline(page: Page) -> None:
    body, _ = HTMLExporter().from_notebook_node(nbformat.from_dict(notebook("run")))
    page.route("**/*", lambda route: route.abort())
    page.set_content(body, wait_until="domcontentloaded")
    reads_and_opens(page.locator("body"))


def test_what_the_engine_did_is_in_sight_or_one_click_away(page: Page) -> None:
    page.route("**/*", lambda route: route.abort())
    page.set_content(mime_bundle(engine_runs.guarded())["text/html"], wait_until="domcontentloaded")
    for words in ("not verified", "max_answer_retries", "by sub-calls 8,400 in", "the brief was cut"):
        assert page.get_by_text(words).first.is_visible()
    guard = page.get_by_text("It gives no date.")
    assert not guard.is_visible()
    page.locator("summary", has_text="So:").click()
    guard.wait_for(state="visible")
    page.locator("summary", has_text="Checked by gpt-5-mini").click()
    page.get_by_text("the server is gone").wait_for(state="visible")


def test_hostile_texts_run_nothing(page: Page) -> None:
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    page.set_content(mime_bundle(sample_runs.hostile())["text/html"], wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.locator("script").count() == 0
    assert page.locator("[onerror]").count() == 0
    assert page.get_by_text("<script>alert(1)</script>").first.is_visible()
    assert dialogs == []
