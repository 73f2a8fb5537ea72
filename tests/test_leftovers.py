"""The guard against leftovers sees what it has to see, in this process and in another."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.leftovers import nothing_left


def test_a_process_that_stays_is_named() -> None:
    child = None
    with pytest.raises(AssertionError, match=r"left behind: process \d+"), nothing_left(deadline=0.1):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert child
    child.communicate(b"\n")


def test_a_thread_that_stays_is_named() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    with pytest.raises(AssertionError, match="more thread"), nothing_left(deadline=0.1):
        thread.start()
    end.set()
    thread.join()


def test_a_file_left_open_is_named(workdir: Path) -> None:
    descriptor = -1
    with pytest.raises(AssertionError, match=r"1 more open .*kept"), nothing_left(deadline=0.1):
        descriptor = os.open("kept", os.O_CREAT)
    os.close(descriptor)


def test_what_goes_in_time_is_fine() -> None:
    with nothing_left():
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        reading, writing = os.pipe()
        os.close(reading)
        os.close(writing)
        child.communicate(b"\n")


def test_another_process_can_be_watched() -> None:
    code = "import sys\ninput()\nkept = open(sys.argv[1], 'w')\nprint(flush=True)\ninput()"
    child = subprocess.Popen([sys.executable, "-c", code, "elsewhere"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with pytest.raises(AssertionError, match="elsewhere"), nothing_left(child.pid, deadline=0.1):
        step(child)
    child.communicate(b"\n")


def step(child: subprocess.Popen[bytes]) -> None:
    """Let the child go on until it prints a line."""
    assert child.stdin
    assert child.stdout
    child.stdin.write(b"\n")
    child.stdin.flush()
    child.stdout.readline()
