"""What a user can get wrong: one short error each, which names the fix; nothing is lost."""

from __future__ import annotations

import socket

import pytest

from support.kernels import Executed, Kernel
from support.leftovers import nothing_left
from support.openai_server import Raw, ScriptedModel

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", autouse=True)
def treasure(kernel: Kernel) -> None:
    kernel.execute("records = [1, 2, 3]; treasure = {'kept': True}")


def failed(done: Executed, name: str, *words: str) -> None:
    """Assert a short error of class `name` that says `words`, and no traceback."""
    assert done.error is not None
    assert done.error.ename == name
    text = done.error.text
    assert len(text.splitlines()) <= 5, text
    assert "Traceback" not in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("line", "name", "words"),
    [
        ("context=recrods query=How many?", "ContextError", ["'recrods' is not defined", "records"]),
        ("context=records query=''", "QuestionError", ["hint"]),
        ("query=How many?", "ContextError", ["context="]),
        ("context=records contxt=3 query=x", "OptionError", ["contxt", "context", "^"]),
        ("context=records timeout=soon query=x", "OptionError", ["timeout", "^"]),
        ("context=(x for x in records) query=x", "ContextError", ["generator", "list("]),
        ("context=map(str,records) query=x", "ContextError", ["map", "list("]),
        ("context=open('/dev/null') query=x", "ContextError", ["open file", "read()"]),
        ("context=1/0 query=x", "ContextError", ["ZeroDivisionError"]),
        ("context=records base_url=http://127.0.0.1:9/v1 query=x", "OptionError", ["model=", "RLM_MODEL"]),
    ],
)
def test_a_wrong_call_runs_nothing(kernel: Kernel, line: str, name: str, words: list[str]) -> None:
    failed(kernel.execute(f"%%rlm {line}"), name, *words)
    assert kernel.value("(records, treasure)") == ([1, 2, 3], {"kept": True})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_unreachable_server(kernel: Kernel, host: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = kernel.execute(f"%%rlm context=records model=m out=lost base_url=http://{host}:{port}/v1 query=x")
    failed(done, "ModelUnreachable", f"{host}:{port}", "base_url")
    assert kernel.value("lost.status") == "failed"
    assert kernel.value("treasure") == {"kept": True}


@pytest.mark.parametrize(
    ("reply", "name", "words"),
    [
        (Raw(401, '{"error": {"message": "no such key"}}'), "ModelAuthError", ["no such key", "OPENAI_API_KEY"]),
        (Raw(404, '{"error": {"message": "no such model"}}'), "ModelNotFound", ["'m'", "model=", "base_url"]),
        (Raw(404, "<h1>not here</h1>", "text/html"), "ModelNotFound", ["base_url"]),
        (Raw(400, '{"error": {"message": "too long"}}'), "ModelRejected", ["too long"]),
        (Raw(200, "<h1>Welcome</h1>", "text/html"), "ModelReplyError", ["base_url", "/v1"]),
        (Raw(200, "{nonsense"), "ModelReplyError", ["base_url"]),
        (Raw(200, '{"hello": 1}'), "ModelReplyError", ["base_url"]),
        (Raw(200, '{"choices": []}'), "ModelReplyError", ["base_url"]),
    ],
)
def test_a_server_that_does_not_play_along(kernel: Kernel, reply: Raw, name: str, words: list[str]) -> None:
    with ScriptedModel([reply]) as server:
        done = kernel.execute(f"%%rlm context=records model=m base_url={server.base_url} out=lost\nHow many?")
    failed(done, name, *words)
    assert kernel.value("(lost.status, lost.answer, treasure)") == ("failed", None, {"kept": True})
    assert kernel.value("lost.stop_reason") in " ".join(done.error.text.split())  # type: ignore[union-attr]  # checked above


def test_what_was_found_before_the_server_failed_is_in_the_run(kernel: Kernel) -> None:
    script: list[str | Raw] = ["```repl\nprint('found it')\n```", Raw(401, '{"error": {"message": "expired"}}')]
    with ScriptedModel(script) as server:
        done = kernel.execute(f"%%rlm context=records model=m base_url={server.base_url} out=lost\nHow many?")
    failed(done, "ModelAuthError", "expired")
    assert kernel.value("lost.iterations[0].cells[0].stdout") == "found it\n"


def test_no_branch_off_the_main_thread_says_so_in_one_line(kernel: Kernel) -> None:
    code = """
    import threading
    from rlm_kernel import solve
    said = []
    def work():
        try: solve("How many?", context=records, branch="fork")
        except Exception as error: said.append((type(error).__name__, error.message, error.hint))
    thread = threading.Thread(target=work); thread.start(); thread.join()
    """
    kernel.execute(code)
    ((name, message, hint),) = kernel.value("said")
    assert name == "ForkUnavailable"
    assert "main thread" in message
    assert hint
    assert "\n" not in message


def test_a_failed_run_leaves_nothing(kernel: Kernel) -> None:
    with ScriptedModel([Raw(401, "{}")]) as server:
        line = f"%%rlm context=records model=m base_url={server.base_url}\nHow many?"
        kernel.execute(line)
        with nothing_left(kernel.pid):
            for _ in range(3):
                kernel.execute(line)


def test_a_folder_that_cannot_be_written_costs_only_the_journal(kernel: Kernel) -> None:
    with ScriptedModel(["```repl\nFINAL(1)\n```"]) as server:
        kernel.execute("import os; os.environ['RLM_RUNS_DIR'] = '/proc/nowhere'")
        done = kernel.execute(f"%%rlm context=records model=m base_url={server.base_url} out=run\nHow many?")
        kernel.execute("del os.environ['RLM_RUNS_DIR']")
    assert done.error is None
    assert kernel.value("(run.answer, run.journal_path)") == (1, "")


def test_secrets_do_not_reach_the_journal(kernel: Kernel) -> None:
    script = ["```repl\nimport os\nprint(os.environ['SHOP_TOKEN'], 'sk-' + 'a' * 30)\n```", "```repl\nFINAL(1)\n```"]
    with ScriptedModel(script) as server:
        kernel.execute("import os; os.environ['SHOP_TOKEN'] = 'very-private-7'")
        kernel.execute(f"%%rlm context=records model=m base_url={server.base_url} out=run\nHow many?")
    journal = kernel.value("open(run.journal_path).read()")
    assert "very-private-7" not in journal
    assert "sk-aaa" not in journal
    assert "very-private-7" not in kernel.value("run.iterations[0].cells[0].stdout")
