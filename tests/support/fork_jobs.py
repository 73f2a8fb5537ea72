"""Something tried out in a fork of the test's own process, with its outcome brought back."""

from __future__ import annotations

import json
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["in_fork"]

_LIMIT = 30
"""Seconds after which a fork that hangs is ended by its own alarm."""


def in_fork(job: Callable[[], Any]) -> Any:
    """Return what `job` returns in a forked child; it must be JSON.

    Raises:
        AssertionError: it raised, which is shown, or its process died.

    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that threads are lost is what these tests are about
        child = os.fork()
    if child == 0:
        _work(job, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the fork ended with status {status}: {said.decode()}"
    return json.loads(said)


def _work(job: Callable[[], Any], writer: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LIMIT)
    status = 1
    try:
        os.write(writer, json.dumps(job()).encode())
        status = 0
    except BaseException:  # noqa: BLE001 (nothing may get out into the copy of pytest that this process is)
        os.write(writer, traceback.format_exc().encode())
    finally:
        os._exit(status)
