"""A cell that takes too much memory is found out: real processes, real megabytes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from rlm_kernel.branches import watchdog
from rlm_kernel.branches.linux import kill_below
from rlm_kernel.branches.watchdog import MemoryWatch

MB = 10**6
OBEY = """
import os, signal, sys
def fork():
    if os.fork() == 0:
        signal.pause()
for line in sys.stdin:
    exec(line)
    print(flush=True)
"""


class Process:
    """A process that runs one line of Python after the other, as a runner does cells."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", OBEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._popen.pid

    def run(self, line: str) -> None:
        """Run a line to its end."""
        assert self._popen.stdin
        assert self._popen.stdout
        self._popen.stdin.write(line + "\n")
        self._popen.stdin.flush()
        assert self._popen.stdout.readline() == "\n"

    def end(self) -> None:
        """End it and all below it."""
        kill_below(self.pid)
        self._popen.kill()
        self._popen.communicate()


@pytest.fixture
def process() -> Iterator[Process]:
    started = Process()
    started.run("pass")
    yield started
    started.end()


@pytest.fixture
def exact_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the exact measure be taken whenever it is asked for."""
    monkeypatch.setattr(watchdog, "_EXACT_EVERY", 0.0)
    monkeypatch.setattr(watchdog, "_EXACT_DUTY", -1)


def test_what_a_cell_allocates_counts_from_its_beginning(process: Process) -> None:
    process.run("old = bytearray(200 << 20)")
    watch = MemoryWatch(process.pid, 100 * MB, forked=False)
    assert watch.breach() == ""
    process.run("new = bytearray(50 << 20)")
    assert watch.breach() == ""
    process.run("more = bytearray(70 << 20)")
    assert re.fullmatch(r"it used 12\d MB more memory \(limit 100 MB\)", watch.breach())


def test_what_its_processes_allocate_counts_too(process: Process) -> None:
    watch = MemoryWatch(process.pid, 100 * MB)
    process.run(
        "import subprocess; p = subprocess.Popen([sys.executable, '-c', "
        "'import time; x = bytearray(150 << 20); print(flush=True); time.sleep(600)'], stdout=subprocess.PIPE)"
    )
    process.run("p.stdout.readline()")
    assert "(limit 100 MB)" in watch.breach()


@pytest.mark.usefixtures("exact_at_once")
def test_what_a_new_process_shares_does_not_count(process: Process) -> None:
    process.run("old = bytearray(200 << 20)")
    watch = MemoryWatch(process.pid, 100 * MB)
    process.run("fork(); fork()")
    assert watch._allocated() > 400 * MB
    assert watch.breach() == ""


@pytest.mark.usefixtures("exact_at_once")
def test_shared_memory_that_a_cell_writes_to_counts(process: Process) -> None:
    process.run("old = bytearray(200 << 20)")
    process.run("fork()")
    watch = MemoryWatch(process.pid, 100 * MB)
    process.run("old[: 50 << 20] = bytes(50 << 20)")
    assert watch.breach() == ""
    process.run("old[:] = bytes(200 << 20)")
    assert watch._allocated() < 100 * MB
    assert "(limit 100 MB)" in watch.breach()


@pytest.mark.usefixtures("exact_at_once")
def test_a_process_that_shares_with_nobody_is_measured_by_what_it_allocates(process: Process) -> None:
    process.run("old = bytearray(200 << 20)")
    watch = MemoryWatch(process.pid, 100 * MB, forked=False)
    process.run("old[:] = bytes(200 << 20)")
    assert watch.breach() == ""
    process.run("new = bytearray(150 << 20)")
    assert "(limit 100 MB)" in watch.breach()


def test_the_exact_measure_is_not_taken_every_time(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def private(pid: int) -> int:
        taken.append(pid)
        return 0

    # When the watch begins, and at each question; the measure itself takes a tenth of a second.
    clock = iter([0.0, 0.05, 0.9, 1.1, 1.2, 1.2, 2.1, 2.3, 2.4])
    monkeypatch.setattr(watchdog, "private", private)
    monkeypatch.setattr(watchdog, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    watch = MemoryWatch(process.pid, 100 * MB)
    for expected in (0, 0, 1, 1, 1, 2):
        assert watch.breach() == ""
        assert len(taken) == expected


def test_the_last_of_the_memory_is_not_for_a_greedy_cell(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = MemoryWatch(process.pid, None)
    monkeypatch.setattr(watchdog, "available", lambda: 100 * MB)
    assert watch.breach() == "", "a small cell is not where the memory went"
    process.run("new = bytearray(150 << 20)")
    monkeypatch.setattr(watch, "_exact_allowed", 0.0)
    assert watch.breach().endswith("more memory, and the machine had less than 134 MB left")


def test_without_a_limit_a_cell_may_use_most_of_what_is_free(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "available", lambda: 200 * MB)
    watch = MemoryWatch(process.pid, None)
    process.run("new = bytearray(100 << 20)")
    assert watch.breach() == ""
    process.run("more = bytearray(80 << 20)")
    assert watch.breach().endswith("more memory (limit 150 MB, most of what was free)")


def test_a_process_that_is_gone_has_used_nothing() -> None:
    process = Process()
    watch = MemoryWatch(process.pid, 0)
    process.end()
    assert watch.breach() == ""


def test_the_address_space_can_be_limited() -> None:
    # In a fresh process: the heap of this one may have that much room from earlier tests.
    code = f"""
from rlm_kernel.branches.watchdog import limit_address_space
limit_address_space({200 * MB})
for size in ({100 * MB}, {300 * MB}):
    try:
        print(len(bytearray(size)) // {MB})
    except MemoryError:
        print("MemoryError")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["100", "MemoryError"]
