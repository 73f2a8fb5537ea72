"""The installed kernel `rlm` is a full Python kernel, and stays one when something of ours fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupyter_kernel_test
import psutil
import pytest
from jupyter_client.manager import KernelManager

from support.kernels import QUIET, READY_TIMEOUT, Kernel, start_kernel

pytestmark = pytest.mark.kernel

BACKGROUND = "rlm_kernel.background"
FAKE_BACKGROUND = f"""
import sys, types
sys.modules[{BACKGROUND!r}] = background = types.ModuleType({BACKGROUND!r})
background.close = lambda: open("closed", "w").close()
"""
"""Stands in for the module that holds running solves, in a kernel whose shutdown is under test."""


@pytest.fixture(scope="module")
def kernel(private_environment: Path) -> Iterator[Kernel]:
    with start_kernel() as running:
        yield running


class TestProtocol(jupyter_kernel_test.KernelTests):  # type: ignore[misc]  # untyped base
    """The protocol's own suite."""

    kernel_name = "rlm"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples = (
        {"text": "zi", "matches": {"zip"}},
        {"text": "'abc'.isalp", "matches": {"isalpha"}},
    )
    complete_code_samples = ("1", "print('hello, world')", "def f(x):\n  return x*2\n\n\n", "%%rlm query=x\nwhy?\n\n")
    incomplete_code_samples = ("print('''hello", "def f(x):\n  x*2")
    invalid_code_samples = ("import = 7q",)
    code_page_something = "zip?"
    code_generate_error = "raise"
    code_execute_result = (
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    )
    code_display_data = (
        {"code": "from IPython.display import HTML, display; display(HTML('<b>test</b>'))", "mime": "text/html"},
        {"code": "from IPython.display import Math, display; display(Math('\\frac{1}{2}'))", "mime": "text/latex"},
    )
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "search")  # a range of the own session is numbered 0: see below
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"

    @classmethod
    def setUpClass(cls) -> None:
        cls.km = KernelManager(kernel_name=cls.kernel_name)
        cls.km.start_kernel(extra_arguments=QUIET)
        cls.kc = cls.km.client()
        cls.kc.start_channels()
        cls.kc.wait_for_ready(timeout=READY_TIMEOUT)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.kc.stop_channels()
        cls.km.shutdown_kernel(now=True)


def test_it_says_who_it_is(kernel: Kernel) -> None:
    info = kernel.client.kernel_info(reply=True, timeout=30)["content"]
    assert info["implementation"] == "rlm"
    assert info["implementation_version"] == "0.1.0"
    assert info["language_info"]["name"] == "python"
    assert info["banner"].startswith("RLM for notebooks 0.1.0")
    assert "debugger" in info["supported_features"]
    assert info["help_links"][0]["text"] == "Recursive Language Models"
    assert "Python Reference" in {link["text"] for link in info["help_links"]}


def test_the_debugger_answers(kernel: Kernel) -> None:
    request = kernel.client.session.msg(
        "debug_request", {"seq": 1, "type": "request", "command": "debugInfo", "arguments": {}}
    )
    kernel.client.control_channel.send(request)
    answer: dict[str, Any] = kernel.client.get_control_msg(timeout=30)["content"]
    assert answer["success"]
    assert answer["body"]["isStarted"] is False


def test_await_works_at_the_top_level(kernel: Kernel) -> None:
    done = kernel.execute("import asyncio\nawait asyncio.sleep(0)\nawait asyncio.gather(asyncio.sleep(0, 'here'))")
    assert done.result["text/plain"] == "['here']"


def test_the_last_value_and_out(kernel: Kernel) -> None:
    kernel.execute("6 * 7")
    assert kernel.execute("(_, Out[len(In) - 2], _oh[len(In) - 2])").result["text/plain"] == "(42, 42, 42)"


def test_history_can_be_read_by_range(kernel: Kernel) -> None:
    kernel.execute("'remember me'")
    line = kernel.value("len(In) - 1")
    reply = kernel.client.history(hist_access_type="range", start=line, stop=line + 1, reply=True, timeout=30)
    assert reply["content"]["history"] == [[0, line, "'remember me'"]]


def test_the_user_can_be_asked(kernel: Kernel) -> None:
    running = kernel.submit("print(input('name? ').upper())", allow_stdin=True)
    question = kernel.client.get_stdin_msg(timeout=30)
    assert question["content"]["prompt"] == "name? "
    kernel.client.input("ada")
    assert running.finish().stdout == "ADA\n"


@pytest.mark.parametrize(
    "code", ["import time; time.sleep(60)", "import asyncio; await asyncio.sleep(60)", "while 1: pass"]
)
def test_an_interrupt_ends_the_cell(kernel: Kernel, code: str) -> None:
    tick = "import asyncio\nasync def tick():\n    while True: await asyncio.sleep(0.05)\n"
    kernel.execute(tick + "ticking = asyncio.ensure_future(tick())")
    running = kernel.submit(f"print('here')\n{code}")
    running.until(lambda seen: "here" in seen.stdout)
    kernel.interrupt()
    failure = running.finish().error
    assert failure is not None
    assert failure.ename in {"KeyboardInterrupt", "CancelledError"}
    assert kernel.execute("ticking.cancel()").result["text/plain"] == "True"


def test_a_neighbour_of_the_notebook_breaks_nothing(tmp_path: Path) -> None:
    for name in ("random", "json", "typing", "asyncio", "traitlets"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong module')")
    (tmp_path / "my_module.py").write_text("value = 7")
    with start_kernel(cwd=tmp_path) as running:
        assert running.execute("import random, my_module; my_module.value").result["text/plain"] == "7"


def test_the_kernel_starts_when_the_magics_are_broken(tmp_path: Path) -> None:
    package = tmp_path / "rlm_magics"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('broken on purpose')")
    with start_kernel(env={"PYTHONPATH": str(tmp_path)}) as running:
        assert running.value("__import__('sys').modules.get('rlm_magics')") is None
        assert running.execute("1 + 1").result["text/plain"] == "2"


def test_the_magics_are_there_without_load_ext(kernel: Kernel) -> None:
    assert kernel.value("sorted(get_ipython().extension_manager.loaded & {'rlm_magics'})") == ["rlm_magics"]


def test_a_kernel_that_never_solved_loads_nothing_for_it(kernel: Kernel) -> None:
    heavy = {BACKGROUND, "openai", "pandas", "httpx2", "anywidget"}
    assert kernel.value(f"sorted(set(__import__('sys').modules) & {heavy!r})") == []


def test_a_shutdown_takes_running_solves_down(tmp_path: Path) -> None:
    with start_kernel(cwd=tmp_path) as running:
        running.execute(FAKE_BACKGROUND)
        running.restart()
        assert (tmp_path / "closed").exists()
        assert running.value(f"{BACKGROUND!r} in __import__('sys').modules") is False


def test_a_kernel_leaves_nothing_behind(nothing_left_behind: None) -> None:
    with start_kernel() as running:
        process = psutil.Process(running.pid)
        assert process.cmdline()[:3] == [sys.executable, "-m", "rlm_kernel.app"]
