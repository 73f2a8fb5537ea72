"""A command as a model: prompt in, reply out, and nothing of it left behind."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from rlm_kernel import RLM
from rlm_kernel.errors import ModelError, ModelRejected, ModelUnreachable
from rlm_kernel.models.client import Completion
from rlm_kernel.models.command import CommandModel
from rlm_kernel.models.contract import ModelContract
from rlm_kernel.models.plugins import ModelPlugin
from rlm_kernel.trajectory.records import Message, Usage
from support.solving import cell

HELLO = [Message(role="user", content="hello, größe")]
ECHO = "import sys; sys.stdout.write(sys.stdin.read().upper())"
LATE = "import os, subprocess, sys, time; open('pids', 'w').write(f'{os.getpid()} '); "
LATE += "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']); "
LATE += "open('pids', 'a').write(f'{child.pid} .'); time.sleep(99)"


def python(code: str, *arguments: str) -> str:
    """Return a command that runs Python code."""
    return shlex.join([sys.executable, "-c", code, *arguments])


def run(command: str, messages: list[Message] = HELLO, **options: Any) -> Completion:
    return asyncio.run(CommandModel().complete(messages, command, **options))


class TestCommandModel(ModelContract):
    """A command is a plugin like any other."""

    model = python(ECHO)

    def make(self) -> ModelPlugin:
        return CommandModel()


def test_engines_61_a_prompt_goes_in_and_the_reply_comes_out() -> None:
    done = run(python(ECHO))
    assert (done.text, done.finish_reason, done.notes) == ("HELLO, GRÖSSE", "stop", ())
    assert done.usage == Usage(1, 3, 4, None, estimated=True)


def test_a_conversation_says_who_speaks() -> None:
    talk = [Message(role="system", content="Be brief."), *HELLO]
    assert run(python(ECHO), talk).text == "SYSTEM: BE BRIEF.\n\nUSER: HELLO, GRÖSSE\n\nASSISTANT:"


def test_arguments_are_split_as_by_a_shell_and_no_shell_sees_them() -> None:
    command = python("import sys; print(sys.argv[1:])", "a b", "$HOME; echo x", "'q'")
    assert run(command).text == str(["a b", "$HOME; echo x", "'q'"])


def test_what_a_command_cannot_take_is_said_once() -> None:
    async def twice() -> list[Completion]:
        model = CommandModel()
        return [await model.complete(HELLO, python(ECHO), temperature=0.5, max_tokens=9) for _ in range(2)]

    first, second = asyncio.run(twice())
    assert "prompt alone" in first.notes[0]
    assert second.notes == ()


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(ModelError, match="exit status 3: no such model") as caught:
        run(python("import sys; print('text'); sys.stderr.write('no such model'); sys.exit(3)"))
    assert not isinstance(caught.value, ModelUnreachable)


def test_a_command_that_reads_nothing_may_reply() -> None:
    assert run(python("print('done')"), [Message(role="user", content="x" * 1_000_000)]).text == "done"


@pytest.mark.parametrize(
    ("command", "error", "words"),
    [
        ("no-such-command-anywhere -x", ModelUnreachable, "cannot be run"),
        ("llm 'unclosed", ModelRejected, "check its quotes"),
        (" ", ModelRejected, "no command after cmd:"),
    ],
)
def test_a_command_that_is_none_is_an_error(command: str, error: type[ModelError], words: str) -> None:
    with pytest.raises(error, match=words):
        run(command)


def test_a_command_is_shown_no_image() -> None:
    with pytest.raises(ModelRejected, match="no images"):
        run(python(ECHO), images=["data:image/png;base64,aGVsbG8="])


def test_a_command_is_killed_with_all_it_started_when_its_call_is_stopped(workdir: Path) -> None:
    async def stopped() -> list[psutil.Process]:
        call = asyncio.ensure_future(CommandModel().complete(HELLO, python(LATE)))
        pids = workdir / "pids"
        async with asyncio.timeout(30):
            while not (pids.exists() and pids.read_text().endswith(".")):
                await asyncio.sleep(0.01)
        started = [psutil.Process(int(pid)) for pid in pids.read_text().split()[:2]]
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return started

    started = asyncio.run(stopped())
    gone, alive = psutil.wait_procs(started, timeout=30)
    assert len(gone) == 2 or all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


def test_engines_61_a_run_with_a_command_for_a_model(workdir: Path) -> None:
    turns = [cell("print(llm_query('ping'))"), cell('answer["content"] = len(context); answer["ready"] = True')]
    script = workdir / "model.py"
    script.write_text(
        "import os, sys\n"
        f"turns = {turns!r}\n"
        "prompt = sys.stdin.read()\n"
        "print(turns[prompt.count('Assistant: ')] if prompt.startswith('System: ') else prompt.upper())\n"
    )
    model = f"cmd:{shlex.quote(sys.executable)} {shlex.quote(os.fspath(script))}"
    run = RLM(namespace={}, model=model).solve("How long is it?", "some text")
    assert (run.status, run.answer_object) == ("answered", (9,))
    assert (run.model, run.base_url, run.offline) == (model, "cmd:", False)
    assert run.candidates[0].subcalls[0].text == "PING"
