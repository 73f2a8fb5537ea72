"""Another process that makes calls through the machine's gate, with its name and a number as their prompts.

On its standard output it says `ready` before its first call and `done` when all are answered.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rlm_kernel.models.client import ModelClient
from rlm_kernel.models.scheduler import scheduler_for
from rlm_kernel.trajectory.records import Message
from support.asking import endpoint_of

__all__ = ["caller"]


@contextmanager
def caller(url: str, limit: int, name: str, calls: int, *, alone: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Start the process and wait until it is ready; it is gone after the block."""
    command = [sys.executable, "-m", __name__, url, str(limit), name, str(calls), *(["alone"] if alone else [])]
    folder = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


async def main(url: str, limit: int, name: str, calls: int, alone: bool) -> None:
    """Make all calls at once."""
    scheduler, client = scheduler_for(url, 16, limit), ModelClient(endpoint_of(url))

    async def call(number: int) -> None:
        async with scheduler.slot(exclusive=alone):
            await client.complete([Message(role="user", content=f"{name} {number}")], "m")

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.gather(*(call(number) for number in range(calls)))
    await client.close()
    sys.stdout.write("done\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), "alone" in sys.argv))
