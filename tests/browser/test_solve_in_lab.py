"""A question asked in a real JupyterLab: progress while it runs, the answer afterwards, the file as saved."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page, expect

from support.lab import Lab

pytestmark = pytest.mark.browser

CELLS = [
    "import pandas as pd\nsales = pd.DataFrame({'region': ['north', 'south', 'south'], 'amount': [1, 2, 40]})",
    "%%rlm context=sales query=Which region has the highest total amount?",
    "%%rlm context=sales timeout=2\nWhat survives a runaway cell?",
    "%%rlm context=seles query=How many rows are there?",
]
START = "() => { void window.jupyterapp.commands.execute('notebook:run-all-cells'); }"


def notebook(*sources: str) -> nbformat.NotebookNode:
    spec = {"name": "rlm", "display_name": "Python 3 (RLM)", "language": "python"}
    made: nbformat.NotebookNode = new_notebook(
        cells=[new_code_cell(source) for source in sources], metadata={"kernelspec": spec}
    )
    return made


def test_ask_watch_read_save(lab: Lab, page: Page) -> None:
    path = lab.write("ask.ipynb", notebook(*CELLS))
    lab.open(page, "ask.ipynb")
    page.evaluate(
        "async () => { const p = window.jupyterapp.shell.currentWidget;"
        " await p.sessionContext.ready; await p.sessionContext.session.kernel.info; }"
    )
    page.evaluate(START)
    outputs = page.locator(".jp-CodeCell .jp-Cell-outputWrapper")
    expect(outputs.nth(2)).to_contain_text(re.compile(r"iteration 2 of 20 · cell running"), timeout=60_000)
    expect(outputs.nth(2)).to_contain_text("size of the context", timeout=60_000)
    expect(outputs.nth(2)).not_to_contain_text("cell running")
    expect(outputs.nth(1).locator("strong", has_text="south").first).to_be_visible()
    outputs.nth(1).locator("summary", has_text="I look at a small part first").click()
    expect(outputs.nth(1).get_by_text("print(", exact=False).first).to_be_visible()
    expect(outputs.nth(3)).to_contain_text("ContextError: name 'seles' is not defined")
    expect(outputs.nth(3)).to_contain_text("did you mean sales?")
    expect(outputs.nth(3)).not_to_contain_text("Traceback")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    saved = nbformat.read(path, as_version=4)
    assert "widgets" not in saved.metadata
    assert [sorted(o.data) for o in saved.cells[2].outputs] == [["text/html", "text/plain"]]


def test_the_stop_button_ends_a_run(lab: Lab, page: Page) -> None:
    lab.write("stop.ipynb", notebook("%%rlm context=[1,2,3] timeout=600 out=run\nWhat survives a runaway cell?"))
    lab.open(page, "stop.ipynb")
    page.evaluate(
        "async () => { const p = window.jupyterapp.shell.currentWidget;"
        " await p.sessionContext.ready; await p.sessionContext.session.kernel.info; }"
    )
    page.evaluate(START)
    output = page.locator(".jp-CodeCell .jp-Cell-outputWrapper").first
    expect(output).to_contain_text("cell running", timeout=60_000)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    expect(output).to_contain_text("interrupted", timeout=30_000)
    expect(output).not_to_contain_text("cell running")
