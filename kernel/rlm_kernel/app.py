"""Starts the kernel: `python -m rlm_kernel.app -f <connection file>`, as the kernelspec does.

`-m` puts the working directory first on the search path, where a notebook's neighbour called `random.py`
would break the start. It is taken off before anything is imported; IPython puts it back, behind the standard
library, so that `import my_module` works in the notebook.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run a kernel in this process until it is shut down."""
    from .kernel import RLMKernelApp

    RLMKernelApp.launch_instance()


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]
    main()
