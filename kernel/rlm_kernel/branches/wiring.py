"""The wires between this process and a branch, and which ends belong to whom."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

__all__ = ["FarEnds", "Wiring", "lay_wires"]


@dataclass(frozen=True)
class FarEnds:
    """The branch's ends: the nanny's socket, and the writing ends of the output pipes."""

    nanny: socket.socket
    stdout: int
    stderr: int

    @property
    def descriptors(self) -> set[int]:
        """All of them by number."""
        return {self.nanny.fileno(), self.stdout, self.stderr}

    def close(self) -> None:
        """Close them here; the branch has its own copies."""
        self.nanny.close()
        os.close(self.stdout)
        os.close(self.stderr)


@dataclass
class Wiring:
    """This process's ends, and the pid of the nanny at the other one."""

    nanny: socket.socket
    stdout: int
    stderr: int
    pid: int = 0

    def release(self) -> list[int]:
        """Return the descriptors for another process to take over by `from_descriptors`; they are the caller's now."""
        return [self.nanny.detach(), self.stdout, self.stderr]

    @classmethod
    def from_descriptors(cls, fds: list[int], pid: int) -> Wiring:
        """Take over descriptors that another process made."""
        return cls(socket.socket(fileno=fds[0]), fds[1], fds[2], pid)

    def close(self) -> None:
        """Close these ends before anybody has taken them over."""
        self.nanny.close()
        os.close(self.stdout)
        os.close(self.stderr)


def lay_wires() -> tuple[Wiring, FarEnds]:
    """Return both ends of a fresh set of wires."""
    near, far = socket.socketpair()
    stdout, far_stdout = os.pipe()
    stderr, far_stderr = os.pipe()
    return Wiring(near, stdout, stderr), FarEnds(far, far_stdout, far_stderr)
