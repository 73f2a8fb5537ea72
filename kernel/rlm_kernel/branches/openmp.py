"""OpenMP across a fork: worker threads do not survive it, so they are put down before and start anew after.

Without this a library built on libgomp (scikit-learn, PyTorch) hangs in a forked child once its parent has used it.
`omp_pause_resource_all` (OpenMP 5.0, section 3.6) is the standard's way to give the threads up.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

__all__ = ["pause_openmp"]

_HARD = 2
_NAMES = ("libgomp", "libomp", "libiomp5")


def pause_openmp() -> None:
    """Pause every OpenMP runtime loaded in this process; a process may hold several copies."""
    for path in _loaded_runtimes():
        with suppress(OSError, AttributeError):
            ctypes.CDLL(path).omp_pause_resource_all(_HARD)


def _loaded_runtimes() -> set[str]:
    with suppress(OSError):
        lines = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
        paths = {line[line.index("/") :] for line in lines if "/" in line and ".so" in line}
        return {path for path in paths if path.rpartition("/")[2].startswith(_NAMES)}
    return set()
