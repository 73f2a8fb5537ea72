"""What a cell in a branch shows: everything a notebook would, and a clean error for what needs a person.

Each test runs in a process without a notebook, where the branch makes a shell, and in a notebook's kernel, whose own
shell it takes over.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from support.branches import branch_of, no_calls
from support.kernels import Kernel, start_kernel
from support.openai_server import ScriptedModel

Show = Callable[..., dict[str, Any]]
"""Runs cells on one branch and returns what the last of them showed."""

TESTS = Path(__file__).parent.parent

IN_KERNEL = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from dataclasses import asdict
import pandas as pd
from support.branches import branch_of, no_calls
df = pd.DataFrame({{"a": [1, 2, 3]}})
async def show(cells, namespace=None):
    async with branch_of("fork", namespace or get_ipython().user_ns) as branch:
        for cell in cells:
            result = await branch.run(cell, timeout=20, serve=no_calls)
    return asdict(result)
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with start_kernel("rlm", cwd=tmp_path_factory.mktemp("notebook")) as started:
        assert started.execute(IN_KERNEL).error is None
        yield started


@pytest.fixture
def in_notebook(kernel: Kernel) -> Show:
    def show(*cells: str) -> dict[str, Any]:
        done = kernel.execute(f"shown = await show({list(cells)!r})")
        assert done.error is None, done.error
        assert (done.stdout, done.stderr, done.displays) == ("", "", []), "something got out of the branch"
        shown: dict[str, Any] = kernel.value("shown")
        return shown

    return show


@pytest.fixture(params=["process", pytest.param("notebook", marks=pytest.mark.kernel)])
def show(request: pytest.FixtureRequest) -> Show:
    found: Show = in_this_process if request.param == "process" else request.getfixturevalue("in_notebook")
    return found


def in_this_process(*cells: str) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with branch_of("fork", {"df": pd.DataFrame({"a": [1, 2, 3]})}) as branch:
            for cell in cells:
                result = await branch.run(cell, timeout=20, serve=no_calls)
        return asdict(result)

    return asyncio.run(run())


def is_png(bundle: dict[str, Any]) -> bool:
    return base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")


@pytest.mark.parametrize("first", ["", "%matplotlib inline\n"])
def test_figures_are_shown_inline(show: Show, first: str) -> None:
    shown = show(f"{first}import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('t');")
    assert shown["error"] is None
    (figure,) = shown["displays"]
    assert is_png(figure)
    shown = show("import matplotlib.pyplot as plt", "plt.plot([1])\nplt.show()\nprint('after')")
    assert [is_png(bundle) for bundle in shown["displays"]] == [True]
    assert shown["stdout"] == "after\n"


def test_rich_values_and_displays_are_captured(show: Show) -> None:
    shown = show("display(df.head(1), 'two')\ndf")
    first, second, value = shown["displays"]
    assert "<table" in first["text/html"]
    assert second == {"text/plain": "'two'"}
    assert "<table" in value["text/html"]
    assert shown["value_text"] == value["text/plain"] == "   a\n0  1\n1  2\n2  3"
    assert shown["stdout"] == ""


def test_display_objects_of_every_kind_are_captured(show: Show) -> None:
    shown = show(
        "from IPython.display import HTML, JSON, Image, Latex, Markdown\n"
        "display(Markdown('# m'), HTML('<b>h</b>'), Latex('$l$'), JSON({'j': [1]}))\n"
        "Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + bytes(20))"
    )
    markdown, html, latex, json, image = shown["displays"]
    assert markdown["text/markdown"] == "# m"
    assert html["text/html"] == "<b>h</b>"
    assert latex["text/latex"] == "$l$"
    assert json["application/json"] == {"j": [1]}
    assert is_png(image)


def test_updates_and_clearing_leave_what_a_notebook_would_show(show: Show) -> None:
    shown = show("one = display(1, display_id=True)\ndisplay(2)\none.update(3)")
    assert [bundle["text/plain"] for bundle in shown["displays"]] == ["3", "2"]
    shown = show(
        "from IPython.display import update_display\ndisplay(1, display_id='k')", "update_display(2, display_id='k')"
    )
    assert [bundle["text/plain"] for bundle in shown["displays"]] == ["2"]
    shown = show("from IPython.display import clear_output\ndisplay(1)\nclear_output()\ndisplay(2)")
    assert [bundle["text/plain"] for bundle in shown["displays"]] == ["2"]
    for more, left in (("", ["1"]), ("display(2)", ["2"])):
        shown = show(f"from IPython.display import clear_output\ndisplay(1)\nclear_output(wait=True)\n{more}")
        assert [bundle["text/plain"] for bundle in shown["displays"]] == left


def test_an_update_takes_no_more_of_the_limit_than_what_it_shows(show: Show) -> None:
    shown = show(
        "from IPython.display import HTML\n"
        "handle = display(HTML('0' * 3_000_000), display_id=True)\n"
        "for n in range(1, 5): handle.update(HTML(f'{n}' * 3_000_000))\n"
        "display(HTML('a' * 9_000_000))\ndisplay(HTML('small'))"
    )
    updated, too_big, small = shown["displays"]
    assert updated["text/html"] == "4" * 3_000_000
    assert list(too_big) == ["text/plain"]
    assert small["text/html"] == "small"


def test_big_texts_are_cut(show: Show) -> None:
    shown = show("'y' * 5_000_000")
    assert len(shown["value_text"]) < 101_000
    shown = show("for n in range(50_000): display('\N{GRINNING FACE}' * 20)")
    assert shown["outcome"] == "ok"
    assert 1_000 < len(shown["displays"]) < 50_000


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("%time sum(range(10))", "Wall time"),
        ("%timeit -n 2 -r 2 1 + 1", "per loop"),
        ("!echo from a shell", "from a shell"),
        ("%%bash\necho from bash", "from bash\n"),
        ("import os; os.system('echo below Python')", "below Python\n"),
        ("import subprocess; subprocess.run(['echo', 'from a child'])", "from a child\n"),
        ("import threading\nt = threading.Thread(target=print, args=['thread']); t.start(); t.join()", "thread\n"),
        ("len?", "Return the number of items"),
        ("%%writefile note.txt\nhello", "Writing note.txt\n"),
    ],
)
def test_what_is_printed_in_other_ways_is_output_too(show: Show, code: str, printed: str) -> None:
    shown = show(code)
    assert shown["outcome"] == "ok"
    assert printed in shown["stdout"]
    assert "\x1b[" not in shown["stdout"]
    assert shown["stderr"] == ""


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("import asyncio\nawait asyncio.sleep(0)\n5", "5"),
        ("import asyncio\nasync def f(): return 7\nasyncio.run(f())", "7"),
        ("import asyncio\nawait asyncio.to_thread(len, 'abc')", "3"),
        ("%%capture seen\nprint('a')\ndisplay(3)", ""),
        (
            "import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()) as f: print('x')\nf.getvalue()",
            "'x\\n'",
        ),
        ("lines = !echo one; echo two\nlist(lines)", "['one', 'two']"),
        ("1;", ""),
    ],
)
def test_ways_to_get_a_value(show: Show, code: str, value: str) -> None:
    shown = show(code)
    assert shown["error"] is None
    assert (shown["value_text"], shown["stdout"], shown["stderr"]) == (value, "", "")


def test_captured_output_can_be_looked_at(show: Show) -> None:
    shown = show("%%capture seen\nprint('a')\ndisplay(3)", "seen.stdout, len(seen.outputs)")
    assert shown["value_text"] == "('a\\n', 1)"
    assert len(shown["displays"]) == 1


@pytest.mark.kernel  # pytest catches both in its own process
def test_warnings_and_logging_go_to_stderr(in_notebook: Show) -> None:
    shown = in_notebook("import logging, warnings\nwarnings.warn('careful')\nlogging.getLogger('x').warning('logged')")
    assert "UserWarning: careful" in shown["stderr"]
    assert "logged" in shown["stderr"]
    assert shown["stdout"] == ""


def test_progress_bars_are_text(show: Show) -> None:
    pytest.importorskip("tqdm")
    shown = show("from tqdm import tqdm\nfor _ in tqdm(range(3)): pass")
    assert "3/3" in shown["stderr"]
    shown = show("from tqdm.notebook import tqdm\nprint(sum(tqdm(range(3))))")
    assert (shown["outcome"], shown["stdout"]) == ("ok", "3\n")
    assert all("widget" not in mime for bundle in shown["displays"] for mime in bundle)


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("input('name? ')", "EOFError", "cannot ask for input"),
        ("import getpass\ngetpass.getpass()", "EOFError", "cannot ask for input"),
        ("breakpoint()", "RuntimeError", "cannot be stepped through"),
        ("x = 1\nimport pdb; pdb.set_trace()\nx = 2", "RuntimeError", "cannot be stepped through"),
        ("import pdb; pdb.run('1 + 1')", "RuntimeError", "cannot be stepped through"),
        ("from IPython.core.debugger import set_trace\nset_trace()", "RuntimeError", "cannot be stepped through"),
        ("%debug", "RuntimeError", "cannot be stepped through"),
        ("%debug len('a')", "RuntimeError", "cannot be stepped through"),
        ("exit()", "RuntimeError", "no effect here"),
        ("quit", "RuntimeError", "no effect here"),
        ("import sys\nsys.exit(3)", "SystemExit", "3"),
        ("raise SystemExit", "SystemExit", ""),
    ],
)
def test_what_needs_a_person_or_would_end_the_session_is_refused_at_once(
    show: Show, code: str, kind: str, said: str
) -> None:
    shown = show("kept = 1", code)
    assert shown["outcome"] == "error"
    assert shown["error"]["type"] == kind
    assert said in shown["error"]["message"]
    if kind == "SystemExit":
        assert "Exiting has no effect here" in shown["error"]["traceback"]
    assert (shown["stdout"], shown["stderr"], shown["displays"]) == ("", "", [])
    assert show("kept = 1", code, "kept")["value_text"] == "1"


def test_post_mortem_of_an_error_is_refused(show: Show) -> None:
    assert show("%pdb on", "1 / 0")["error"]["type"] == "ZeroDivisionError"
    code = "import pdb\ntry: 1 / 0\nexcept ZeroDivisionError as error: pdb.post_mortem(error.__traceback__)"
    assert "cannot be stepped through" in show(code)["error"]["message"]


def test_a_value_that_cannot_show_itself_is_mentioned(show: Show) -> None:
    shown = show("class Shy:\n    def __repr__(self): raise ValueError('never')\nprint('before')\nShy()")
    assert (shown["outcome"], shown["stdout"]) == ("ok", "before\n")
    assert shown["stderr"] == "ValueError: never\n"
    shown = show("class Half:\n    def _repr_html_(self): raise ValueError('no')\n    __repr__ = lambda s: 'h'\nHalf()")
    assert (shown["value_text"], shown["stderr"]) == ("h", "ValueError: no\n")


@pytest.mark.kernel
def test_variables_that_are_not_the_notebooks_get_a_shell_of_their_own(kernel: Kernel) -> None:
    done = kernel.execute("shown = await show(['display(own)', 'own + 1'], {'own': 41})")
    assert (done.error, done.displays, done.stdout) == (None, [], "")
    assert kernel.value("shown['value_text']") == "42"
    done = kernel.execute("shown = await show(['display(own)'], {'own': 41})")
    assert (done.error, done.displays, done.stdout) == (None, [], "")
    assert kernel.value("shown['displays']") == [{"text/plain": "41"}]


def test_widgets_leave_their_text(show: Show) -> None:
    shown = show("from ipywidgets import Output, interact\ninteract(lambda x: x, x=3)\nwith Output(): display(1)\n2;")
    assert (shown["outcome"], shown["stderr"]) == ("ok", "")
    assert {"text/plain": "1"} in shown["displays"]
    assert all(list(bundle) == ["text/plain"] for bundle in shown["displays"])


@pytest.mark.kernel
def test_a_question_in_a_notebook_brings_its_figures_and_tables_back(kernel: Kernel) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\ndisplay(df)\nplt.show()\nFINAL(1)"
    with ScriptedModel([f"```repl\n{code}\n```"]) as server:
        asked = f"%%rlm context=df model=scripted base_url={server.base_url} out=run\nWhat?"
        assert kernel.execute(asked).error is None
    table, figure = kernel.value("run.iterations[0].cells[0].displays")
    assert "<table" in table["text/html"]
    assert is_png(figure)
