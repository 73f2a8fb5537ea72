"""A kernel and a scripted model for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.kernels import Kernel, start_kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A running kernel `rlm` in an empty folder, shared by the tests of a module."""
    with start_kernel("rlm", cwd=tmp_path_factory.mktemp("notebook")) as started:
        yield started
