"""Models beyond OpenAI's protocol: an installed package brings them under a name of its own.

A plugin is an entry point in the group `rlm_kernel.models`. Its name is the prefix of references, and its value is
called without arguments, once per run, to make a `ModelPlugin`:

    [project.entry-points."rlm_kernel.models"]
    toy = "toy_models:Toy"

    model="toy:small" → await Toy().complete(messages, "small", …)

`contract.ModelContract` has the tests that every plugin must pass. A name that is in the table of providers is the
provider's.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..errors import OptionError
from ..trajectory.records import Message

if TYPE_CHECKING:
    from .client import Completion

__all__ = ["GROUP", "ModelPlugin", "installed", "make"]

GROUP = "rlm_kernel.models"
"""The group of entry points."""


@runtime_checkable
class ModelPlugin(Protocol):
    """What a plugin makes. All calls come from one event loop, many at once."""

    async def complete(
        self,
        messages: Sequence[Message],
        model: str,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        schema: Mapping[str, Any] | None = None,
        images: Sequence[str] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> Completion:
        """Return the reply to `messages`; see `ModelClient.complete` for the arguments.

        Cancelling the call must stop its work. The time limit is kept by the caller. What the model cannot take, such
        as a schema, is left out, and said in the completion's `notes`. `usage` is for this call alone; without counts
        it is an estimate, characters / 4, and marked as one.

        Raises:
            ModelError: one of its kinds, whose message holds no key. Any other exception is taken for a bug.

        """
        ...

    async def close(self) -> None:
        """Let go of connections and processes; called once, at the end of the run."""
        ...


@functools.cache
def installed() -> Mapping[str, EntryPoint]:
    """Return the entry points of the plugins, by name; looked up once per process."""
    return {point.name: point for point in entry_points(group=GROUP)}


def make(name: str) -> ModelPlugin:
    """Return a new model of the plugin `name`.

    Raises:
        OptionError: the plugin cannot be loaded.

    """
    try:
        plugin = installed()[name].load()()
    except Exception as error:
        raise OptionError(
            f"The model plugin {name!r} cannot be loaded: {type(error).__name__}: {error}", "reinstall its package"
        ) from error
    if not isinstance(plugin, ModelPlugin):
        raise OptionError(f"The model plugin {name!r} makes no model: complete() or close() is missing.")
    return plugin
