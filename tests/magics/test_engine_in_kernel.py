"""The engine as a user of a notebook meets it: several contexts, types, follow-up questions, limits on the line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.kernels import Kernel, start_kernel
from support.openai_server import ScriptedModel

pytestmark = pytest.mark.kernel

SETUP = """
from dataclasses import dataclass
from pathlib import Path
from pydantic import BaseModel
orders = {"north": 3, "south": 5}
docs = ["The north pays late.", "The south pays at once."]

class Region(BaseModel):
    name: str
    total: int

@dataclass
class Count:
    of: str
    number: int
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with start_kernel("rlm", cwd=tmp_path_factory.mktemp("notebook")) as started:
        assert started.execute(SETUP).error is None
        yield started


def cell(code: str) -> str:
    return f"Let me see.\n```repl\n{code}\n```"


def line(server: ScriptedModel, options: str) -> str:
    return f"%%rlm {options} model=scripted base_url={server.base_url} out=run\nWhat is it?"


def said(server: ScriptedModel) -> str:
    """Return everything the model was told."""
    return "\n".join(m["content"] for r in server.root_requests for m in r["messages"])


def test_several_contexts_are_there_under_their_numbers_and_names(kernel: Kernel) -> None:
    look = "print(context_0, context_1[1], context is context_0, docs is context_1)\nfound = [context_0, context_1]"
    with ScriptedModel([cell(look), cell("FINAL(len(found))")]) as server:
        done = kernel.execute(line(server, "context=orders,docs"))
        told = said(server)
    assert done.error is None, done.error
    assert kernel.value("run.answer") == 2
    assert kernel.value("(run.context, run.context_type)") == ("orders, docs", "dict, list")
    assert kernel.value("run.iterations[0].cells[0].stdout") == (
        "{'north': 3, 'south': 5} The south pays at once. True True\n"
    )
    assert "context_0" in told
    assert "context_1" in told
    assert "orders, docs" in done.result["text/html"]


def test_a_folder_in_the_notebook_is_a_context(kernel: Kernel) -> None:
    kernel.execute("Path('minutes').mkdir()\n_ = Path('minutes/may.md').write_text('We met in May.')")
    with ScriptedModel([cell("print(sorted(context))"), cell("FINAL(context['may.md'])")]) as server:
        done = kernel.execute(line(server, "context=Path('minutes')"))
    assert done.error is None, done.error
    assert kernel.value("run.answer") == "We met in May."


@pytest.mark.parametrize(
    ("kind", "given", "check"),
    [
        ("Region", {"name": "south", "total": 5}, "run.answer == Region(name='south', total=5)"),
        ("list[Region]", [{"name": "south", "total": 5}], "[type(r) for r in run.answer] == [Region]"),
        ("Count", {"of": "orders", "number": 8}, "run.answer == Count('orders', 8)"),
        ("dict[str, int]", {"south": 5}, "run.answer == {'south': 5}"),
    ],
)
def test_the_answer_is_of_a_type_defined_in_the_notebook(kernel: Kernel, kind: str, given: object, check: str) -> None:
    script = [cell("print(context)"), cell("FINAL('about five')"), cell(f"FINAL({given!r})")]
    with ScriptedModel(script) as server:
        done = kernel.execute(line(server, f"context=orders answer_type={kind}"))
        assert len(server.root_requests) == 3
    assert done.error is None, done.error
    assert kernel.value(check)
    assert kernel.value("[g.guard for i in run.iterations for g in i.guards]") == ["answer_type"]
    assert "guard answer_type: " in done.result["text/plain"]


def test_a_type_that_fails_is_a_user_s_error_in_two_lines(kernel: Kernel) -> None:
    done = kernel.execute("%%rlm context=orders answer_type=Regoin query=x")
    assert done.error is not None
    assert done.error.text == "ContextError: name 'Regoin' is not defined\nhint: did you mean Region?"
    done = kernel.execute("%%rlm context=orders answer_type=orders['north'] query=x")
    assert done.error is not None
    assert done.error.text.startswith("OptionError: answer_type must be a type")
    assert "hint: for example answer_type=int" in done.error.text


@pytest.mark.parametrize(
    ("options", "name", "words"),
    [
        ("context=(d for d in docs)", "ContextError", "is a generator, which can be read only once|context=list("),
        ("context=Path('nowhere')", "ContextError", "There is no file or folder 'nowhere'|"),
        ("context=docs,dosc", "ContextError", "name 'dosc' is not defined|did you mean docs?"),
        ("context=docs soft_limit=2", "OptionError", "soft_limit must be a number from 0 to 1|soft_limit=0.8"),
        ("context=docs --max-token=5", "OptionError", "there is no option 'max_token'|did you mean max_tokens?"),
    ],
)
def test_what_is_wrong_and_what_to_do_are_two_lines(kernel: Kernel, options: str, name: str, words: str) -> None:
    done = kernel.execute(f"%%rlm {options}\nWhat is it?")
    assert done.error is not None
    assert done.error.ename == name
    message, *caret, hint = done.error.text.splitlines()
    wrong, remedy = words.split("|")
    assert wrong in message
    assert remedy in hint
    assert hint.startswith("hint: ")
    assert [line.strip() for line in caret] in ([], [options, "^"])


def test_a_follow_up_question_sees_what_was_there_before(kernel: Kernel) -> None:
    with ScriptedModel([cell("halves = {k: v / 2 for k, v in context.items()}"), cell("FINAL('first')")]) as server:
        assert kernel.execute(line(server, "context=orders")).error is None
    look = "print(context_0 is orders, context is docs, context_1 is docs, halves['south'], len(history_0) > 3)"
    script = [cell(look), cell("FINAL(\"FINAL('first')\" in str(history_0[-1]))")]
    with ScriptedModel(script) as server:
        done = kernel.execute(line(server, "context=docs follow=true"))
        told = said(server)
    assert done.error is None, done.error
    assert kernel.value("run.iterations[0].cells[0].stdout") == "True True True 2.5 True\n"
    assert kernel.value("run.answer") is True
    assert "history_0" in told


def test_a_limit_is_said_in_plain_words(kernel: Kernel) -> None:
    script = [cell("answer['content'] = 'a first guess'\nprint(1)"), cell("print(2)")]
    with ScriptedModel(script) as server:
        done = kernel.execute(line(server, "context=orders max_iterations=2"))
    text = done.result["text/plain"]
    assert text.startswith("Draft: a first guess\n")
    assert "stopped at a limit: no final answer within max_iterations=2" in text
    assert kernel.value("(run.status, run.limit, run.answer)") == ("limit", "max_iterations", "a first guess")


def test_a_direct_answer_says_that_it_was_one_call(kernel: Kernel) -> None:
    with ScriptedModel(["Eight."]) as server:
        done = kernel.execute(line(server, "context=orders direct_threshold=1000"))
        assert '"south": 5' in said(server)
    text = " ".join(done.result["text/plain"].split())
    assert text.startswith("Answer: Eight. answered")
    assert "method direct: the context has 24 characters, less than direct_threshold=1,000" in text
    assert kernel.value("(run.method, run.text, run.branch)") == ("direct", "Eight.", "")


def test_a_run_stopped_from_a_thread_ends_with_what_there_is(kernel: Kernel) -> None:
    stop = """
    import threading
    from rlm_kernel import runs
    before = len(runs)
    def stop_when_spinning():
        while not (len(runs) > before and "spinning" in str(runs[-1].iterations)):
            threading.Event().wait(0.01)
        runs[-1].stop()
    stopper = threading.Thread(target=stop_when_spinning)
    stopper.start()
    """
    assert kernel.execute(stop).error is None
    code = "answer['content'] = 'so far'\nprint('looked')"
    with ScriptedModel([cell(code), cell("'spinning'\nwhile True: pass")]) as server:
        done = kernel.execute(line(server, "context=orders branch=spawn timeout=10m"))
    assert done.error is None, done.error
    assert done.result["text/plain"].startswith("Draft: so far\n")
    assert "interrupted: interrupted by the user" in done.result["text/plain"]
    assert kernel.value("(stopper.join(), run.status)") == (None, "interrupted")


def test_flags_and_lists_reach_the_run(kernel: Kernel) -> None:
    with ScriptedModel([cell("print(1)"), cell("FINAL(1)")]) as server:
        options = "context=orders --orchestrator look-first=off max_tokens=50_000 redact=north"
        assert kernel.execute(line(server, options)).error is None
    wanted = {"orchestrator": True, "look_first": False, "max_tokens": 50_000, "redact": "north"}
    assert kernel.value("{k: run.settings[k] for k in " + repr(list(wanted)) + "}") == wanted
