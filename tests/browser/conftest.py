"""Fixtures of all browser tests: a JupyterLab for the session, a Chromium per module, a page per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from support.lab import CHROMIUM, Lab, open_browser, start_lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run a JupyterLab; the test is skipped where there is no browser to look at it."""
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with start_lab(tmp_path_factory.mktemp("lab_home"), tmp_path_factory.mktemp("lab_root")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with open_browser() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page without cookies or storage of other tests."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    yield context.new_page()
    context.close()
