"""Any Jupyter kernel as a branch: cells, outcomes and answers as on a branch of ours, and nothing left afterwards."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import signal
import sys
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from rlm_kernel.branches.bootstrap import Session
from rlm_kernel.branches.branch import Branch
from rlm_kernel.branches.jupyter import JupyterBranch
from rlm_kernel.branches.jupyter_freight import Packed
from rlm_kernel.branches.jupyter_line import SubcallError
from rlm_kernel.branches.jupyter_sources import PACKAGE, far_side
from rlm_kernel.branches.keep import ANSWER, Parcel, Snapshot, unpack
from rlm_kernel.branches.result import CellResult
from rlm_kernel.branches.scaffold import Scaffold
from rlm_kernel.errors import BranchDied, BranchError
from rlm_kernel.errors import SubcallError as Refused
from rlm_kernel.vocabulary.kit import Kit
from rlm_kernel.vocabulary.reach import SubcallFailure
from support.branches import no_calls, nothing_escapes

pytestmark = pytest.mark.kernel


class SubModel:
    """Answers sub-calls in capitals, fails for `bad`, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, name: str, arguments: dict[str, Any]) -> list[dict[str, str]]:
        if name != "llm_query":
            raise Refused(f"there is no call named {name!r}")
        self.asked += arguments["prompts"]
        return [{"error": "no luck"} if p == "bad" else {"text": p.upper()} for p in arguments["prompts"]]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    with nothing_escapes():
        yield


@asynccontextmanager
async def branch_on(spec: str = "python3", context: Any = None, **shipped: Any) -> AsyncIterator[JupyterBranch]:
    branch = JupyterBranch(spec, Packed(shipped, Kit((context,))), "test", 4)
    try:
        await branch.start()
        yield branch
    finally:
        branch.close()
        branch.close()


async def ran(branch: JupyterBranch, code: str, serve: Any = no_calls, timeout: float = 30) -> CellResult:
    result = await branch.run(code, timeout=timeout, serve=serve)
    assert result.outcome == "ok", result.error
    return result


def story(told: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Make a test of a coroutine function."""

    def test() -> None:
        asyncio.run(told())

    test.__name__ = told.__name__
    return test


def test_it_is_a_branch_like_any_other() -> None:
    branch: Branch = JupyterBranch("python3", Packed({}, Kit((None,))), "test", 4)
    assert branch.parked == {}
    with pytest.raises(BranchError, match="cannot be visited"):
        asyncio.run(branch.visit(1))
    branch.close()


def install_spec(name: str, argv: list[str], **more: Any) -> None:
    folder = Path(os.environ["JUPYTER_DATA_DIR"], "kernels", name)
    folder.mkdir(parents=True, exist_ok=True)
    spec = {"argv": argv, "display_name": name, "language": "python", **more}
    (folder / "kernel.json").write_text(json.dumps(spec))


DAEMON = """
import subprocess, sys
daemon = '''
import os, time
if os.fork():
    os._exit(0)
os.setsid()
print(os.getpid(), flush=True)
time.sleep(1000)
'''
int(subprocess.Popen([sys.executable, '-c', daemon], stdout=subprocess.PIPE).stdout.readline())
"""

LAUNCH = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


# ----- cells ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["python3", "rlm"])
def test_cells_show_what_they_show_on_any_branch(spec: str) -> None:
    async def told() -> None:
        async with branch_on(spec, context={"a": [1]}, rows=[1, 2]) as branch:
            assert branch.kind == f"kernel:{spec}"
            first = await ran(branch, "import sys\nx = 1\nprint('out', rows)\nprint('err', file=sys.stderr)\ncontext")
            assert (first.stdout, first.stderr, first.value_text) == ("out [1, 2]\n", "err\n", "{'a': [1]}")
            heard: list[tuple[str, str]] = []
            branch.listen(lambda name, text: heard.append((name, text)))
            assert (await ran(branch, "!echo from a child")).stdout.strip() == "from a child"
            assert (await ran(branch, "import asyncio\nawait asyncio.sleep(0)\nx + 1")).value_text == "2"
            assert "".join(text for name, text in heard if name == "stdout").strip() == "from a child"
            html = await ran(branch, "from IPython.display import HTML\ndisplay(HTML('<b>x</b>'))\n5")
            assert [bundle.get("text/html") for bundle in html.displays] == ["<b>x</b>", None]
            failed = await branch.run("def f():\n    return 1 / 0\nf()", timeout=30, serve=no_calls)
            assert failed.outcome == "error"
            assert failed.error is not None
            assert failed.error["type"] == "ZeroDivisionError"
            assert failed.error["traceback"].startswith('Traceback (most recent call last):\n  File "<cell 5>", line 3')
            assert "\x1b" not in failed.error["traceback"]
            broken = await branch.run("x = = 2", timeout=30, serve=no_calls)
            assert broken.error is not None
            assert broken.error["type"] == "SyntaxError"
            keyboard = await branch.run("input('name?')", timeout=30, serve=no_calls)
            assert keyboard.error is not None
            assert keyboard.error["type"] == "EOFError"
            assert (await ran(branch, "exit()")).stdout == ""
            rows = await branch.variables()
            assert {"name": "rows", "type": "list", "preview": "2 items"} in rows
            assert not {"context", "answer", "In", "sys"} & {row["name"] for row in rows}

    asyncio.run(told())


@story
async def test_a_flood_is_cut_and_counted() -> None:
    async with branch_on() as branch:
        flood = await ran(branch, "print('first')\nfor _ in range(300):\n    print('x' * 100_000)\nprint('last')")
        assert flood.stdout.startswith("first\nxxx")
        assert len(flood.stdout) < 5 * 2**20
        cut = re.search(r"([\d,]+) characters cut", flood.stdout)
        assert cut is not None
        assert int(cut[1].replace(",", "")) == len("first\nlast\n") + 300 * 100_001 - 2**22
        assert (await ran(branch, "print('next')")).stdout == "next\n"
        many = await ran(branch, "for i in range(3000):\n    display({'application/x': 'y' * 10_000}, raw=True)")
        assert sum(len(str(bundle)) for bundle in many.displays) < 9 * 2**20


@story
async def test_a_hundred_megabytes_arrive_whole() -> None:
    big = np.arange(12_500_000.0)
    async with branch_on(context=big, same=big) as branch:
        big[0] = 7  # too late to matter
        told = await ran(branch, "context[0] = 1\n(context is same, context.shape, float(context[-1]), float(same[0]))")
        assert told.value_text == "(True, (12500000,), 12499999.0, 1.0)"


# ----- sub-calls -----------------------------------------------------------------------------------------------------


@story
async def test_cells_ask_the_sub_model() -> None:
    model = SubModel()
    async with branch_on() as branch:
        assert (await ran(branch, "llm_query('one')", model)).value_text == "'ONE'"
        batch = await ran(branch, "b = llm_query_batched(['two', 'bad']); b, [bool(r) for r in b]", model)
        assert batch.value_text == "(['TWO', '[sub-call failed: no luck]'], [True, False])"
        assert (await ran(branch, "llm_query_batched([])", model)).value_text == "[]"
        assert model.asked == ["one", "two", "bad"]
        long = await ran(branch, "len(llm_query('é\\ud800' * 3_000_000))", model)
        assert long.value_text == "6000000"
        for code, error, text in (
            ("llm_query('bad')", "SubcallError", "no luck"),
            ("llm_query(3)", "TypeError", "a prompt is text"),
            ("llm_query_batched('abc')", "TypeError", "a list of prompts"),
        ):
            failed = await branch.run(code, timeout=30, serve=model)
            assert failed.error is not None
            assert (failed.error["type"], text in failed.error["message"]) == (error, True)
            assert failed.error["traceback"].count("File ") == 1


@story
async def test_threads_ask_too_and_do_not_wait_for_each_other() -> None:
    """Eight threads ask: the first alone, those that come meanwhile all at once."""
    together = asyncio.Event()
    asked: list[str] = []

    async def serve(name: str, arguments: dict[str, Any]) -> list[dict[str, str]]:
        asked.extend(arguments["prompts"])
        if len(asked) == 8:
            together.set()
        if len(asked) > 1:
            await together.wait()
        else:
            while not branch.output_so_far()[0]:  # all eight are on their way
                await asyncio.sleep(0)
        return [{"text": p.upper()} for p in arguments["prompts"]]

    code = """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(8)
replies = [pool.submit(llm_query, letter) for letter in 'abcdefgh']
print('on their way', flush=True)
''.join(reply.result() for reply in replies)
"""
    async with branch_on() as branch:
        assert (await ran(branch, code, serve)).value_text == "'ABCDEFGH'"
        assert sorted(asked) == list("abcdefgh")


def test_a_thread_that_outlives_its_cell_does_not_keep_the_line(tmp_path: Path) -> None:
    heard = tmp_path / "heard"

    async def serve(_: str, arguments: dict[str, Any]) -> list[dict[str, str]]:
        if arguments["prompts"] == ["late"]:
            heard.touch()
            await asyncio.Event().wait()
        return [{"text": "here"}]

    code = f"""
import os, threading
said = []
def late():
    try:
        llm_query('late')
    except Exception as error:
        said.append(str(error))
thread = threading.Thread(target=late)
thread.start()
while not os.path.exists({str(heard)!r}):
    pass
"""

    async def told() -> None:
        async with branch_on() as branch:
            await ran(branch, code, serve)
            after = await ran(branch, "thread.join()\nsaid, llm_query('next')", serve)
            assert after.value_text == "(['the cell that asked has ended'], 'here')"

    asyncio.run(told())


@story
async def test_a_sub_call_does_not_count_against_the_cell() -> None:
    async def slow(name: str, arguments: dict[str, Any]) -> list[dict[str, str]]:
        await asyncio.sleep(3)  # longer than the cell's limit: time itself is what this is about
        return [{"text": "late"}]

    async with branch_on() as branch:
        assert (await ran(branch, "llm_query('x')", slow, timeout=2)).value_text == "'late'"


# ----- answers -------------------------------------------------------------------------------------------------------


@story
async def test_an_answer_comes_with_the_cell() -> None:
    async with branch_on() as branch:
        draft = await ran(branch, "answer['content'] = 5")
        assert draft.answer is not None
        assert (draft.answer.value, draft.answer.final, draft.answer.via) == (5, False, "answer")
        repaired = await ran(branch, "context = 3; del llm_query; answer = 'six'")
        assert len(repaired.notes) == 3
        assert repaired.answer is None
        final = await ran(branch, "total = {1: 2}\nFINAL_VAR('total')")
        assert final.answer is not None
        assert (final.answer.text, final.answer.exact, final.answer.via) == ("{1: 2}", False, "FINAL_VAR")
        parcel = await branch.keep("none")
        assert unpack(parcel, branch.snapshot) == {ANSWER: {1: 2}}


@pytest.mark.parametrize(
    "code",
    [
        "pass",
        "answer['content'] = [1, 2.5]",
        "answer['content'] = 1; answer['ready'] = 'yes'",
        "answer['content'] = 1; answer['ready'] = 'False'",
        "answer['ready'] = True",
        "answer = 'text'",
        "answer = {'content': float('nan'), 'ready': 1}",
        "FINAL({'a': None})",
        "FINAL(object)",
        "x = 'long' * 100_000; FINAL_VAR('x'); answer['ready'] = True",
        "FINAL = llm_query = 1; del context",
    ],
)
def test_the_names_mean_what_they_mean_on_a_branch_of_ours(code: str) -> None:
    def no_channel(*_: object) -> Any:
        raise AssertionError("nothing is asked")

    here: dict[str, Any] = {}
    there: dict[str, Any] = {}
    ours, theirs = Scaffold(here, Kit((None,)), no_channel, no_channel), Session(there)
    for namespace in (here, there):
        exec(code, namespace)
    assert (theirs.describe_answer(), theirs.repair()) == (ours.describe_answer(), ours.repair())


# ----- going back ----------------------------------------------------------------------------------------------------


@story
async def test_a_timeout_goes_back_by_playing_the_good_cells_again() -> None:
    model = SubModel()
    async with branch_on(rows=[1]) as branch:
        await ran(branch, "import os, time\nhint = llm_query('once')\nrows.append(2)", model)
        await branch.run("half = 1\n1 / 0", timeout=30, serve=model)
        lost = await branch.run("print('going')\nrows.clear()\nhint = 0\nwhile True: pass", timeout=1, serve=model)
        assert (lost.outcome, lost.stdout, lost.rolled_back, lost.notes) == ("timeout", "going\n", ["hint", "rows"], [])
        assert lost.error is not None
        assert lost.error["message"] == "it ran longer than 1 s"
        assert (await ran(branch, "hint, rows, half, time.__name__")).value_text == "('ONCE', [1, 2], 1, 'time')"
        assert model.asked == ["once"]
        told = await ran(branch, "rows.append(3)\nhalf = 2\nnew = None")
        assert {k: [change["name"] for change in v] for k, v in told.diff.items()} == {
            "added": ["new"],
            "rebound": ["half"],
            "changed": ["rows"],
            "removed": [],
        }


@story
async def test_what_cannot_be_played_as_it_was_is_named() -> None:
    model = SubModel()
    async with branch_on() as branch:
        await ran(branch, "import os")
        await ran(branch, "os.mkdir('made')\nfolder = 'made'")
        await ran(branch, "word = llm_query(str(len(os.listdir())))", model)
        await ran(branch, "open('more', 'w').close()\nsafe = 1")
        lost = await branch.run("while True: pass", timeout=1, serve=model)
        assert lost.notes == [
            "Note: `folder` could not be restored: its cell ended differently when it was run again.",
            "Note: `word` could not be restored: its cell ended differently when it was run again.",
        ]
        assert (await ran(branch, "safe")).value_text == "1"
        assert model.asked == ["1"]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("os._exit(3)", "its process exited with code 3"),
        ("os.kill(os.getpid(), 11)", "its process died of signal 11 (SIGSEGV)"),
        ("del sys.modules['_rlm']", "it broke the session's own part of the kernel"),
    ],
)
def test_a_kernel_that_dies_is_told_and_replaced(end: str, told: str) -> None:
    async def lived() -> None:
        async with branch_on() as branch:
            await ran(branch, "import os, sys\nx = 1")
            died = await branch.run(f"x = 2\n{end}", timeout=30, serve=no_calls)
            assert (died.outcome, died.rolled_back) == ("died", ["x"])
            assert died.error is not None
            assert died.error["message"] == told
            assert (await ran(branch, "x")).value_text == "1"

    asyncio.run(lived())


@story
async def test_a_kernel_that_dies_between_two_cells_costs_the_cell_that_killed_it() -> None:
    async with branch_on() as branch:
        await ran(branch, "import os, signal\nx = 1")
        pid = await ran(branch, "y = os.getpid()\ny")
        os.kill(int(pid.value_text), signal.SIGKILL)
        assert branch._session is not None
        while not branch._session.death:
            await asyncio.sleep(0)
        after = await ran(branch, "x, 'y' in globals()")
        assert after.value_text == "(1, False)"
        assert after.notes == ["Note: `y` could not be restored: the kernel died after its cell."]


@story
async def test_an_interrupt_kills_at_once_also_what_slipped_away() -> None:
    async with branch_on() as branch:
        daemon = await ran(branch, DAEMON)
        running = asyncio.Event()

        async def serve(name: str, arguments: dict[str, Any]) -> list[dict[str, str]]:
            while not branch.output_so_far()[0]:  # it comes on a channel of its own
                await asyncio.sleep(0)
            running.set()
            return [{"text": ""}]

        code = "print('so far')\nllm_query('')\nwhile True: pass"
        cell = asyncio.create_task(branch.run(code, timeout=60, serve=serve))
        await running.wait()
        cell.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cell
        assert branch.output_so_far()[0] == "so far\n"
        pid = int(daemon.value_text)
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# ----- keeping -------------------------------------------------------------------------------------------------------


@story
async def test_variables_come_back() -> None:
    def names(parcel: Parcel) -> list[str]:
        return sorted(unpack(parcel, Snapshot({})))

    async with branch_on(old=[1], other={"a": 1}, gone=1) as branch:
        await ran(
            branch,
            "import math\n"
            "class Point:\n    def __init__(self, x): self.x = x\n"
            "p = Point(3)\npair = [p, p]\nfactor = 2\ndef scaled(v): return v * factor\n"
            "walker = (i for i in [])\nhandle = open('/dev/null')\nask = llm_query\n"
            "old.append(2)\ndel gone",
        )
        parcel = await branch.keep("new")
        assert {row["name"] for row in parcel.refused} == {"walker", "handle", "ask"}
        assert all(row["reason"] for row in parcel.refused)
        assert {"name": "pair", "type": "list", "preview": "2 items"} in parcel.kept
        back = unpack(parcel, Snapshot({}))
        assert sorted(back) == ["Point", "factor", "p", "pair", "scaled"]
        assert back["pair"][0] is back["pair"][1] is back["p"]
        assert type(back["p"]) is back["Point"]
        changed = await branch.keep("all")
        assert changed.removed == ["gone"]
        assert names(changed) == ["Point", "factor", "old", "p", "pair", "scaled"]
        assert names(await branch.keep("other, p, nothing")) == ["other", "p"]
        assert names(await branch.keep("none")) == []


def test_what_a_cell_got_from_us_can_be_kept_as_what_it_is_made_of() -> None:
    reduced = [thing.__reduce__() for thing in (SubcallFailure("no"), SubcallError("no"))]
    assert reduced == [(str, ("no",)), (RuntimeError, ("no",))]


# ----- kernels -------------------------------------------------------------------------------------------------------


class Boxed(LocalProvisioner):
    """A provisioner that says where it started something."""

    started: list[int] = []  # noqa: RUF012 (a record across instances)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        info = await super().launch_kernel([*cmd, "--IPKernelApp.quiet=True"], **kwargs)
        assert self.pid is not None
        self.started.append(self.pid)
        return info


def test_a_kernel_with_a_provisioner_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    factory = KernelProvisionerFactory.instance()
    entry = types.SimpleNamespace(load=lambda: Boxed, value="test:Boxed")
    monkeypatch.setitem(factory.provisioners, "boxed", entry)
    monkeypatch.setattr(Boxed, "started", [])
    install_spec("boxed", LAUNCH, metadata={"kernel_provisioner": {"provisioner_name": "boxed"}})

    async def told() -> None:
        async with branch_on("boxed", context="here") as branch:
            assert (await ran(branch, "import os\ncontext, os.getpid()")).value_text == f"('here', {Boxed.started[-1]})"
            assert (await branch.run("while True: pass", timeout=1, serve=no_calls)).outcome == "timeout"
            assert (await ran(branch, "os.getpid()")).value_text == str(Boxed.started[-1])

    asyncio.run(told())
    assert len(Boxed.started) == 2


def test_the_far_side_needs_nothing_but_python(tmp_path: Path) -> None:
    """Without dill, and without this package, values of plain Python come and go all the same."""
    for name in ("dill", "rlm_kernel", "rlm_magics"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('it is not installed here')")
    install_spec("bare", LAUNCH, env={"PYTHONPATH": str(tmp_path)})

    async def told() -> None:
        async with branch_on("bare", context={"a": {1, 2}}) as branch:
            await ran(branch, "class Local: pass\nmade = Local()\nplain = [context['a'], 2.5]\ndef f(): return 1")
            parcel = await branch.keep("new")
            assert unpack(parcel, Snapshot({})) == {"plain": [{1, 2}, 2.5]}
            assert {row["name"] for row in parcel.refused} == {"Local", "made", "f"}

    asyncio.run(told())


OPTIONAL = {"IPython", "dill", "jsonschema", "pydantic"}
"""What the far side uses where the kernel has it, and can do without."""


@pytest.mark.parametrize("name", far_side())
def test_what_is_sent_needs_only_what_was_sent_before_it(name: str) -> None:
    tree = ast.parse(far_side()[name])
    for_checkers = {child for n in ast.walk(tree) if isinstance(n, ast.If) for child in n.body}
    sent = [module.removesuffix(PACKAGE) for module in far_side()]
    for node in set(ast.walk(tree)) - for_checkers:
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = name.split(".")[: -node.level]
            modules = [node.module] if node.module else [alias.name for alias in node.names]
            assert {".".join([*folder, module]) for module in modules} <= set(
                sent[: sent.index(name.removesuffix(PACKAGE))]
            )
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] in {*sys.stdlib_module_names, *OPTIONAL}
        elif isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= {*sys.stdlib_module_names, *OPTIONAL}


@pytest.mark.parametrize(
    ("spec", "argv", "error", "told"),
    [
        ("nowhere", None, BranchError, "no Jupyter kernel called 'nowhere'"),
        ("dumb", [sys.executable, "-c", "raise SystemExit('out of luck')"], BranchDied, "out of luck"),
        ("missing", ["/nonexistent/python", "{connection_file}"], BranchDied, "/nonexistent/python"),
    ],
)
def test_a_kernel_that_does_not_start(spec: str, argv: list[str] | None, error: type, told: str) -> None:
    if argv is not None:
        install_spec(spec, argv)

    async def tried() -> None:
        with pytest.raises(error, match=told):
            async with branch_on(spec):
                pass

    asyncio.run(tried())


def test_values_that_cannot_go_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("only_here")
    exec("class Thing: pass", vars(module))
    monkeypatch.setitem(sys.modules, "only_here", module)

    async def tried() -> None:
        with pytest.raises(BranchError, match=r"walker: .*generator"):
            async with branch_on(context=1, walker=(n for n in "abc")):
                pass
        with pytest.raises(BranchError, match=r"thing: .*only_here") as caught:
            async with branch_on(context=1, thing=module.Thing()):
                pass
        assert "context" not in caught.value.message

    asyncio.run(tried())
