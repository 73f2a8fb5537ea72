"""A real JupyterLab in a headless Chromium, for tests that look at what people see.

    def test_it(lab: Lab, page: Page) -> None:
        lab.write("x.ipynb", notebook)
        lab.open(page, "x.ipynb")
        assert lab.run_all(page, "x.ipynb")

`tests/browser/conftest.py` offers the fixtures. The server lives for the session, in folders of its own; nothing asks
the network. The browser lives for one module, because its driver keeps an event loop running in the main thread.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat.sign import NotebookNotary
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["CHROMIUM", "Lab", "open_browser", "start_lab"]

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
"""The browser of the machine, `None` where there is none."""

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_TOKEN = "test"
_START_SECONDS = 60.0

_PANEL = """
  const app = window.jupyterapp;
  await app.restored;
  let panel;
  const find = () => [...app.shell.widgets('main')].find(w => w.context?.path === path && w.sessionContext);
  while (!(panel = find())) await new Promise(done => setTimeout(done, 50));
  await panel.context.ready;
  app.shell.activateById(panel.id);
"""
_READY = f"async path => {{ {_PANEL} }}"
_RUN_ALL = f"""async path => {{ {_PANEL}
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  return await app.commands.execute('notebook:run-all-cells');
}}"""
_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, the folder it serves and the folder of its own files."""

    url: str
    root: Path
    home: Path

    def write(self, name: str, notebook: dict[str, Any], *, trusted: bool = False) -> Path:
        """Write a notebook into the served folder; a trusted one is signed as if its outputs were made here."""
        path = self.root / name
        path.write_text(json.dumps(notebook), encoding="utf-8")
        if trusted:
            notary = NotebookNotary(data_dir=str(self.home / "data"))
            try:
                notary.sign(nbformat.read(path, as_version=4))
            finally:
                notary.store.close()
        return path

    def open(self, page: Page, name: str) -> None:
        """Open a notebook in single-document mode and wait until it is loaded (its kernel may not be)."""
        page.goto(f"{self.url}/doc/tree/{name}?reset&token={_TOKEN}", wait_until="domcontentloaded")
        page.wait_for_function("() => window.jupyterapp", timeout=60_000)
        page.evaluate(_READY, name)

    def run_all(self, page: Page, name: str) -> bool:
        """Run all cells of an open notebook; true when the last has ended, false as soon as one fails."""
        return bool(page.evaluate(_RUN_ALL, name))

    def theme(self, page: Page, name: str) -> None:
        """Change the theme, for example to `JupyterLab Dark`."""
        page.evaluate(_THEME, name)


@contextmanager
def start_lab(home: Path, root: Path) -> Iterator[Lab]:
    """Run a JupyterLab that serves `root` and keeps its own files in `home`; all its processes end with the block."""
    quiet = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (home / "log").open("wb") as log:
        command = [sys.executable, "-m", "jupyterlab", *_options(port, root)]
        server = subprocess.Popen(
            command, env=_environment(home), start_new_session=True, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait(server, port, home / "log")
        yield Lab(f"http://127.0.0.1:{port}", root, home)
    finally:
        _stop(server)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Run a headless Chromium; `CHROMIUM` must not be `None`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def _options(port: int, root: Path) -> list[str]:
    return [
        "--allow-root",
        "--no-browser",
        "--expose-app-in-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={_TOKEN}",
        f"--ServerApp.root_dir={root}",
        "--LabApp.extension_manager=readonly",
    ]


def _environment(home: Path) -> dict[str, str]:
    own = {f"JUPYTER_{kind}_DIR": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    lab = {f"JUPYTERLAB_{kind}_DIR": str(home / kind.lower()) for kind in ("SETTINGS", "WORKSPACES")}
    return {**os.environ, **own, **lab, "IPYTHONDIR": str(home / "ipython")}


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(port):
        try:
            server.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            assert time.monotonic() < deadline, f"JupyterLab does not answer:\n{log.read_text()}"
        else:
            raise AssertionError(f"JupyterLab ended:\n{log.read_text()}")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", f"/api/status?token={_TOKEN}")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and whatever it started; its kernels have sessions of their own, so they are known by id."""
    below = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    _, alive = psutil.wait_procs(below, timeout=5)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=5)
