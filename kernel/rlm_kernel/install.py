"""`rlm-kernel install`: make the kernel known to a Jupyter that lives in another environment.

The environment this package is installed in knows the kernel already: its kernelspec comes with the package.
For any other Jupyter a copy is written that starts this environment's Python.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.paths import jupyter_data_dir

from .errors import RLMError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["destination", "install", "main", "packaged_spec", "spec_for"]

DISTRIBUTION = "rlm-notebook"
SPEC_FILE = "share/jupyter/kernels/rlm/kernel.json"


def packaged_spec() -> Path:
    """Return the folder with the kernelspec and the logos that were installed with the package.

    Raises:
        RLMError: no installer put them there.

    """
    try:
        files = metadata.distribution(DISTRIBUTION).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.match(f"*/{SPEC_FILE}"):
            return Path(str(file.locate())).resolve().parent
    raise RLMError("The kernelspec that belongs to this package is missing.", f"pip install {DISTRIBUTION}")


def spec_for(display_name: str | None = None) -> dict[str, Any]:
    """Return the content of a `kernel.json` that starts this very Python, whoever reads it."""
    spec: dict[str, Any] = json.loads((packaged_spec() / "kernel.json").read_text(encoding="utf-8"))
    spec["argv"][0] = sys.executable
    if display_name:
        spec["display_name"] = display_name
    return spec


def destination(name: str, prefix: Path | None) -> Path:
    """Return the folder a spec goes to: under `prefix`, or in the user's own Jupyter folder without one.

    Raises:
        RLMError: Jupyter would not take `name`.

    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise RLMError(f"{name!r} cannot be a kernel's name.", "use ASCII letters, digits, '-', '.' and '_'")
    data = Path(jupyter_data_dir()) if prefix is None else prefix / "share" / "jupyter"
    return data / "kernels" / name.lower()


def install(
    name: str = "rlm", *, prefix: Path | None = None, display_name: str | None = None, replace: bool = False
) -> Path:
    """Write the kernelspec and return its folder.

    Args:
        name: what Jupyter calls the kernel.
        prefix: root of the environment to install into; the user's own Jupyter folder if `None`.
        display_name: what people see in the launcher.
        replace: overwrite a kernelspec of that name although it starts something else.

    Raises:
        RLMError: the name is taken by something else, or is no kernel's name; the folder cannot be written.

    """
    target, spec = destination(name, prefix), spec_for(display_name)
    if not (replace or _is_free(target)):
        raise RLMError(f"{target} starts another kernel.", "choose a --name, or overwrite it with --replace")
    root = None if prefix is None else str(prefix)
    with tempfile.TemporaryDirectory() as folder:
        staged = shutil.copytree(packaged_spec(), Path(folder) / "spec")
        (staged / "kernel.json").write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
        try:
            KernelSpecManager().install_kernel_spec(str(staged), name, user=prefix is None, prefix=root)
        except OSError as error:
            reason = error.strerror or str(error)
            raise RLMError(f"{target} cannot be written: {reason}.", "use --user or another --prefix") from error
    return target


def _is_free(folder: Path) -> bool:
    """Tell whether there is nothing in `folder` but, at most, this environment's kernel."""
    if not folder.exists():
        return True
    try:
        argv = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))["argv"]
        return "rlm_kernel.app" in argv and argv[0] in ("python", sys.executable)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    given = _parser().parse_args(arguments)
    try:
        if given.dry_run:
            folder = destination(given.name, given.prefix)
            sys.stdout.write(f"{json.dumps(spec_for(given.display_name), indent=2)}\n")
            sys.stdout.write(f"would be written to {folder}\n")
        else:
            folder = install(given.name, prefix=given.prefix, display_name=given.display_name, replace=given.replace)
            sys.stdout.write(f"installed {given.name} in {folder}\n")
    except RLMError as error:
        sys.stderr.write(f"rlm-kernel: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rlm-kernel", description="The kernel of RLM for notebooks.")
    command = parser.add_subparsers(required=True).add_parser("install", help="make it known to Jupyter")
    where = command.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for this user (the default)")
    where.add_argument(
        "--sys-prefix",
        dest="prefix",
        action="store_const",
        const=Path(sys.prefix),
        help="for the environment this command belongs to",
    )
    where.add_argument("--prefix", type=Path, metavar="PATH", help="for the environment at PATH")
    command.add_argument("--name", default="rlm", help="what Jupyter calls the kernel (rlm)")
    command.add_argument("--display-name", metavar="TEXT", help="what people see in the launcher")
    command.add_argument("--dry-run", action="store_true", help="print what would be written, write nothing")
    command.add_argument("--replace", action="store_true", help="overwrite another kernel of that name")
    return parser
