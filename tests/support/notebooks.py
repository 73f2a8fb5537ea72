"""Notebooks made of a few cells, executed as nbclient does it, and saved."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

__all__ = ["executed"]

_SPEC = {"name": "rlm", "display_name": "RLM", "language": "python"}


def executed(path: Path, *sources: str) -> nbformat.NotebookNode:
    """Return a notebook of these cells after its execution in the folder of `path`, where it is saved.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.

    """
    cells = [new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]
    notebook: nbformat.NotebookNode = new_notebook(cells=cells, metadata={"kernelspec": _SPEC})
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(path.parent)}}).execute()
    nbformat.write(notebook, path)
    return notebook
