"""Sub-calls: what code in a cell asks the sub model, or a child, answered here, outside the branch.

The branch only carries text back and forth. The key, the connections and the limits stay in the notebook's process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ..branches.branch import Branch
from ..errors import BranchError, ModelError, SubcallError
from ..models.client import Completion, ModelClient
from ..trajectory.events import ChildEvent, Event, SubcallEnded, SubcallStarted, event_to_json
from ..trajectory.records import Message, Usage

__all__ = ["Descend", "Subcalls"]

Emit = Callable[[Event], None]

Descend = Callable[[str, str, Branch, Emit], Awaitable[str]]
"""Runs a child trajectory: (question, card of its context, its branch, where its events go) → its answer's text."""


class Subcalls:
    """Serves the sub-calls of one trajectory.

    Args:
        client: asks the model.
        model: the sub model, where the call names none.
        candidate: whose trajectory it is.
        emit: records events.
        timeout: limit of one call, in seconds.
        concurrency: calls in flight at once.
        descend: runs children; `None` where no more are allowed.

    """

    def __init__(
        self,
        client: ModelClient,
        model: str,
        *,
        candidate: int,
        emit: Emit,
        timeout: float,
        concurrency: int,
        descend: Descend | None,
    ) -> None:
        self._client = client
        self._model = model
        self._candidate = candidate
        self._emit = emit
        self._timeout = timeout
        self._slots = asyncio.Semaphore(concurrency)
        self._descend = descend
        self._count = 0
        self._batches = 0

    async def serve(self, name: str, arguments: dict[str, Any]) -> Any:
        """Answer a call from a cell.

        `llm_query` gets for each prompt, in order, `{"text": …}` or `{"error": …}`; `rlm_query` gets a text.

        Raises:
            SubcallError: the child found no answer, or the cell asked for something that does not exist.

        """
        if name == "rlm_query":
            return await self._child(arguments["prompt"], arguments["card"], arguments["branch"])
        if name != "llm_query":
            raise SubcallError(f"there is no call named {name!r}")
        prompts, model = arguments["prompts"], arguments["model"] or self._model
        batch = None
        if arguments["batched"]:
            self._batches += 1
            batch = self._batches
        return await asyncio.gather(*(self._one(prompt, model, batch) for prompt in prompts))

    async def _one(self, prompt: str, model: str, batch: int | None) -> dict[str, str]:
        number = self._next()
        self._emit(SubcallStarted(self._candidate, number, batch, model, prompt))
        started = asyncio.get_running_loop().time()
        try:
            async with self._slots, asyncio.timeout(self._timeout):
                done = await self._client.complete([Message(role="user", content=prompt)], model)
        except TimeoutError:
            return self._failed(number, f"no reply within {self._timeout:g} s", started)
        except ModelError as error:
            return self._failed(number, error.message, started)
        except asyncio.CancelledError:
            self._failed(number, "cancelled", started)
            raise
        self._emit(SubcallEnded(self._candidate, number, done.text, "", done.usage, done.seconds))
        return {"text": _whole(done)}

    async def _child(self, prompt: str, card: str, branch: Branch) -> str:
        if self._descend is None:
            raise SubcallError("rlm_query goes no deeper from here; use llm_query, with the text in the prompt")
        number = self._next()
        self._emit(SubcallStarted(self._candidate, number, None, self._model, prompt, "rlm_query"))
        started = asyncio.get_running_loop().time()

        def emit(event: Event) -> None:
            self._emit(ChildEvent(self._candidate, number, event_to_json(event)))

        try:
            text = await self._descend(prompt, card, branch, emit)
        except (ModelError, BranchError, SubcallError) as error:
            self._failed(number, error.message, started)
            raise SubcallError(error.message) from error
        except asyncio.CancelledError:
            self._failed(number, "cancelled", started)
            raise
        seconds = asyncio.get_running_loop().time() - started
        self._emit(SubcallEnded(self._candidate, number, text, "", Usage(), seconds))
        return text

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _failed(self, number: int, error: str, started: float) -> dict[str, str]:
        seconds = asyncio.get_running_loop().time() - started
        self._emit(SubcallEnded(self._candidate, number, "", error, Usage(), seconds))
        return {"error": error}


def _whole(done: Completion) -> str:
    """Return the reply's text, and say so where the server cut it off."""
    return done.text + " [reply cut off at the length limit]" if done.finish_reason == "length" else done.text
