"""What the user sees of a run: static HTML and plain text, both drawn from one set of facts.

The kernel room draws nothing itself: a `Run` finds `mime_bundle` by its entry point, and shows
what that returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .progress import progress_line
from .static import static_html
from .text import plain_text

if TYPE_CHECKING:
    from rlm_kernel.trajectory.run import Run

__all__ = ["mime_bundle", "plain_text", "progress_line", "static_html"]


def mime_bundle(run: Run) -> dict[str, str]:
    """Return the run as a notebook output: `text/html` (at most 300 KB) and its `text/plain` twin."""
    return {"text/html": static_html(run), "text/plain": plain_text(run)}
