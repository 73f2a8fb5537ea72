"""The processes of a branch, from the kernel's side: starting, freezing, going back, ending.

    kernel ── nanny ──fork── runner ──fork── checkpoint (asleep)

If a cell runs too long or dies, the kernel kills everything below the nanny except the checkpoints, and the latest
takes over. The kernel does the killing itself and never waits for a process that model code can signal. If model code
has killed the nanny, the checkpoint becomes the nanny.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import asdict, dataclass

from ..errors import BranchDied, ProtocolError
from .graveyard import Graveyard, end_nanny
from .link import GONE, Link
from .linux import kill_below, kill_strays
from .protocol import Frame
from .streams import OutputPipe
from .wiring import Wiring, lay_wires

__all__ = ["START_LIMIT", "Household", "Wish"]

START_LIMIT = 30.0
"""Seconds that a process of ours may take for what is not the cell's own work."""


@dataclass(frozen=True)
class Wish:
    """What runners of a branch may use: threads of numeric libraries, a random seed, bytes of address space."""

    threads: int | None = None
    seed: int | None = None
    address_space: int | None = None


class Household:
    """The processes of one branch. Use it on one event loop, between `start` and `close`.

    Args:
        wiring: this process's ends.
        wish: what runners may use.
        seed: a first frame, with descriptors, that the nanny needs before it can start runners.

    Attributes:
        runner: the process that runs cells.
        checkpoint: the state before the latest cell, while there is one.
        labels: what the state is called now; a checkpoint of it is parked under these names instead of being dropped.
        parked: checkpoints that stay, by label, oldest first; one may have several.
        out, err: what the cells print.

    """

    def __init__(self, wiring: Wiring, wish: Wish, seed: tuple[Frame, list[int]] | None = None) -> None:
        self._wiring = wiring
        self._wish = wish
        self._seed = seed
        self._session = wiring.pid
        self._nanny: Link | None = None
        self._checkpoint_labels: list[Hashable] = []
        self._graves = Graveyard()
        self._closed = False
        self.out = OutputPipe(wiring.stdout)
        self.err = OutputPipe(wiring.stderr)
        self.runner: Link | None = None
        self.checkpoint: Link | None = None
        self.labels: list[Hashable] = []
        self.parked: dict[Hashable, Link] = {}

    async def start(self) -> None:
        """Attach to the running event loop and start the first runner.

        Raises:
            BranchDied: it did not come up; the message says what it printed.

        """
        loop = asyncio.get_running_loop()
        self.out.attach(loop)
        self.err.attach(loop)
        self._nanny = Link(self._wiring.nanny, self._wiring.pid, self._graves.note)
        if self._seed is not None:
            await self._nanny.send(*self._seed)
        await self.start_runner()

    async def start_runner(self) -> None:
        """Have the nanny fork a runner from the branch's beginning."""
        assert self._nanny is not None  # `start` comes first
        ours, theirs = socket.socketpair()
        await self._nanny.send({"op": "runner", **asdict(self._wish)}, [theirs.fileno()])
        theirs.close()
        self.runner = Link(ours)
        await self._await_ready(self.runner)

    async def _await_ready(self, runner: Link) -> None:
        frame = await _within(runner)
        if frame["op"] != "ready":
            said = self.err.take().strip() or "it said nothing"
            raise BranchDied(f"The branch did not start: {said[-2000:]}")
        if runner.pid is None:
            runner.watch(frame["pid"])

    async def obituary(self) -> str:
        """Say how the runner died."""
        return await self._graves.obituary(self.runner.pid if self.runner else None)

    # ----- checkpoints ---------------------------------------------------------------------------------------

    def adopt_checkpoint(self, frame: Frame) -> list[str]:
        """Take the checkpoint that was frozen before a cell, and return the names that the cell may change.

        A session that cannot be frozen sends none.
        """
        if frame["op"] != "checkpoint":
            raise ProtocolError("the branch sent no checkpoint")
        self._retire_checkpoint()
        if frame["fds"]:
            self.checkpoint = Link(socket.socket(fileno=frame["fds"][0]), frame["pid"])
            self._checkpoint_labels, self.labels = self.labels, []
        touched: list[str] = frame["touched"]
        return touched

    def _retire_checkpoint(self) -> None:
        """Park the checkpoint if its state has a name, else drop it."""
        checkpoint, self.checkpoint = self.checkpoint, None
        if checkpoint is None:
            return
        self.parked.update(dict.fromkeys(self._checkpoint_labels, checkpoint))
        if not self._checkpoint_labels:
            checkpoint.close()

    def unpark(self, label: Hashable) -> None:
        """Take a label off a parked checkpoint; one without any is dropped."""
        checkpoint = self.parked.pop(label)
        if checkpoint not in self.parked.values():
            checkpoint.close()

    async def roll_back(self) -> bool:
        """Kill the runner and all it started, and go on from the checkpoint; false if there is none that does."""
        checkpoint, self.checkpoint = self.checkpoint, None
        if self._nanny is not None:
            self._nanny.catch_up()  # its end may be known already, and not yet be noticed
        self._kill_all([checkpoint] if checkpoint else [])
        self._drop_runner()
        if checkpoint is None:
            return False
        self.labels = self._checkpoint_labels
        self.runner = checkpoint
        try:
            if self._graves.nanny_gone:
                await self._adopt_nanny(checkpoint)
            else:
                await checkpoint.send({"op": "resume"})
                await self._await_ready(checkpoint)
        except BranchDied:
            if self._graves.nanny_gone:
                raise
            self._drop_runner()
            return False
        return True

    def _drop_runner(self) -> None:
        if self.runner is not None:
            if self.runner.pid is not None and self._graves.nanny_gone:
                with suppress(ProcessLookupError):
                    os.kill(self.runner.pid, signal.SIGKILL)
            self.runner.await_death()
            self.runner.close()
            self.runner = None

    async def _adopt_nanny(self, checkpoint: Link) -> None:
        """Let a checkpoint take the place of the nanny, and start a runner from there."""
        ours, theirs = socket.socketpair()
        await checkpoint.send({"op": "adopt"}, [theirs.fileno()])
        theirs.close()
        if self._nanny is not None:
            self._nanny.close()
        assert checkpoint.pid is not None  # every checkpoint was announced with its pid
        self._graves = Graveyard()
        self._nanny = Link(ours, checkpoint.pid, self._graves.note)
        self._wiring.pid = checkpoint.pid
        checkpoint.close()
        await self.start_runner()

    async def settle(self) -> None:
        """Park the state as it is now under its labels, and end everything else: only parked checkpoints stay."""
        if self.labels and self.runner is not None:
            await self.runner.send({"op": "park"})
            with suppress(ProtocolError):
                self.adopt_checkpoint(await _within(self.runner))
        self._retire_checkpoint()
        self.kill()

    async def visit(self, label: Hashable) -> Wiring:
        """Have a parked checkpoint fork a branch that goes on from it; return its wires. The checkpoint stays as it is.

        Raises:
            BranchDied: the checkpoint is gone.

        """
        checkpoint = self.parked[label]
        near, far = lay_wires()
        await checkpoint.send({"op": "branch"}, [far.nanny.fileno(), far.stdout, far.stderr])
        far.close()
        frame = await _within(checkpoint)
        if frame["op"] != "branched":
            near.close()
            raise BranchDied("The checkpoint is gone.")
        near.pid = frame["pid"]
        return near

    # ----- the end -------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """Kill everything that runs in the branch, at once; the nanny and parked checkpoints stay."""
        self._kill_all([])

    def _kill_all(self, spared: list[Link]) -> None:
        spare = [link.pid for link in (*spared, *self.parked.values()) if link.pid]
        kill_below(self._wiring.pid, spare)
        if self._graves.nanny_gone:
            kill_strays(self._session, spare)

    def close(self) -> None:
        """Kill what is left of the branch and close every descriptor. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        checkpoints = {*self.parked.values(), *([self.checkpoint] if self.checkpoint else [])}
        self.parked.clear()
        self.kill()
        if self._nanny is not None:
            self._nanny.close()
        else:
            self._wiring.nanny.close()
        end_nanny(self._wiring.pid)
        for link in (*checkpoints, *([self.runner] if self.runner else [])):
            link.close()
        self.out.close()
        self.err.close()
        if self._seed is not None:
            for fd in self._seed[1]:
                os.close(fd)


async def _within(link: Link) -> Frame:
    """Return the next frame of a process that is not running a cell; `GONE` if none comes."""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_LIMIT):
            return await link.receive()
    return GONE
