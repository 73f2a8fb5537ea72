"""A `%%rlm` cell of one line gets a body; nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from rlm_magics.transform import give_body, install, uninstall
from support.shells import plain_shell


@pytest.fixture
def bare_shell() -> Iterator[InteractiveShell]:
    with plain_shell() as made:
        yield made


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    install(bare_shell)
    return bare_shell


@pytest.mark.parametrize("cell", ["%%rlm context=df query=x\n", "%%rlm\n", "%%rlm\t-o x\n"])
def test_single_line_gets_an_empty_body(cell: str) -> None:
    assert give_body([cell]) == [cell, "\n"]


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "x = 1\n",
        "%%rlm context=df\nbody\n",
        "%%rlm context=df\n\n",
        "%%rlms\n",
        "%%rlm?\n",
        "%rlm x\n",
        "%%time\n",
        " %%rlm\n",
    ],
)
def test_any_other_cell_stays(cell: str) -> None:
    lines = cell.splitlines(keepends=True)
    assert give_body(lines) is lines


def test_installed_once_and_removed(bare_shell: InteractiveShell) -> None:
    before = list(bare_shell.input_transformer_manager.line_transforms)
    uninstall(bare_shell)
    install(bare_shell)
    install(bare_shell)
    assert bare_shell.input_transformer_manager.line_transforms == [give_body, *before]
    uninstall(bare_shell)
    assert bare_shell.input_transformer_manager.line_transforms == before


@pytest.mark.parametrize("cell", ["%%rlm context=df query=x", "\n\n%%rlm context=df query=x\n"])
def test_shell_calls_the_magic_with_an_empty_line(shell: InteractiveShell, cell: str) -> None:
    assert shell.transform_cell(cell) == "get_ipython().run_cell_magic('rlm', 'context=df query=x', '\\n')\n"


def test_a_terminal_still_waits_for_the_body(shell: InteractiveShell) -> None:
    assert shell.check_complete("%%rlm context=df")[0] == "incomplete"
    assert shell.check_complete("%%rlm context=df\nHow many?\n\n")[0] == "complete"
