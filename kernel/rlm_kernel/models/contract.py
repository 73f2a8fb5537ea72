"""What every model plugin must do, as tests that its package can run: subclass `ModelContract`.

    class TestToy(ModelContract):
        model = "small"

        def make(self) -> ModelPlugin:
            return Toy()

Each test makes a plugin, asks it a few short questions, and closes it. It needs pytest to be run, not to be imported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..trajectory.records import Message
from .client import Completion
from .plugins import ModelPlugin

__all__ = ["ModelContract"]

T = TypeVar("T")

_HELLO = [Message(role="user", content="Say hello.")]
_PATIENCE = 60.0


class ModelContract:
    """The tests.

    Attributes:
        model: the name of a model that the plugin has.

    """

    model: str

    def make(self) -> ModelPlugin:
        """Return a new plugin, as the entry point would."""
        raise NotImplementedError

    def test_it_is_a_plugin(self) -> None:
        """It has the two methods."""
        assert isinstance(self.make(), ModelPlugin)

    def test_it_replies(self) -> None:
        """A question gets a reply that is a text."""
        done = self._with(lambda plugin: plugin.complete(_HELLO, self.model))
        assert isinstance(done, Completion)
        assert isinstance(done.text, str)

    def test_it_counts_each_call(self) -> None:
        """The usage is of one call, and its tokens are counted or estimated."""

        async def together(plugin: ModelPlugin) -> list[Completion]:
            return await asyncio.gather(*(plugin.complete(_HELLO, self.model) for _ in range(4)))

        for done in self._with(together):
            assert done.usage.calls == 1
            assert done.usage.prompt_tokens > 0

    def test_it_takes_a_conversation(self) -> None:
        """System messages and earlier turns are taken."""
        earlier = [Message(role="system", content="Be brief."), *_HELLO, Message(role="assistant", content="Hello.")]
        done = self._with(lambda plugin: plugin.complete([*earlier, *_HELLO], self.model))
        assert isinstance(done.text, str)

    def test_it_takes_all_arguments(self) -> None:
        """What the model cannot take is left out, not refused."""
        schema = {"type": "object", "properties": {"said": {"type": "string"}}}
        done = self._with(
            lambda plugin: plugin.complete(
                _HELLO, self.model, max_tokens=64, temperature=0.0, schema=schema, extra={"seed": 1}
            )
        )
        assert isinstance(done.text, str)

    def test_it_can_be_cancelled(self) -> None:
        """A cancelled call ends, and the next one is answered."""

        async def twice(plugin: ModelPlugin) -> Completion:
            call = asyncio.ensure_future(plugin.complete(_HELLO, self.model))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
            return await plugin.complete(_HELLO, self.model)

        assert isinstance(self._with(twice), Completion)

    def _with(self, use: Callable[[ModelPlugin], Awaitable[T]]) -> T:
        async def run() -> T:
            plugin = self.make()
            try:
                async with asyncio.timeout(_PATIENCE):
                    return await use(plugin)
            finally:
                await plugin.close()

        return asyncio.run(run())
