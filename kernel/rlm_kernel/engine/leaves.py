"""Leaves: the single completions that cells ask for, counted, limited, written down, and asked once more if useless.

A reply is a dict as the cell's side gets it: `text` (and `value` where a schema was given), or `error` and its `kind`:
`failed`, `limit` (a limit of the run is reached, nothing was sent), `vetoed`, or `oversize` (too long to be sent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import LimitReached, ModelOverflow, RLMError, SubcallError
from ..trajectory.records import Message
from .calls import admitted, complete
from .fitting import fit
from .guards import is_code_shaped

if TYPE_CHECKING:
    from ..models.client import Completion
    from ..models.where import Where
    from .log import Log, Subcall
    from .tree import Tree

__all__ = ["CUT", "Leaves", "Query", "Reply", "failure"]

Reply = dict[str, Any]

CUT = " [reply cut off at the length limit]"
"""Stands at the end of a reply that the server did not finish."""

_STOPPED = {"repeat_guard": "repeated itself and was cut off", "reasoning_only": "was empty, so its reasoning is used"}
_IN_PROSE = "Your reply was code, and nothing here runs code. Reply in plain words to what was asked."
_FITTING = "{problem} Reply again, with nothing but JSON that fits the schema."


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of whom; `max_tokens` for the reply, `images` as data URLs, `kind` as in `SubcallStarted`."""

    prompt: str
    model: str
    max_tokens: int | None = None
    schema: dict[str, Any] | None = None
    images: tuple[str, ...] = ()
    kind: str = "llm_query"
    batch: int | None = None


class Leaves:
    """Asks the sub model on behalf of one trajectory.

    Args:
        tree: the run's shared side.
        log: of the trajectory.

    """

    def __init__(self, tree: Tree, log: Log) -> None:
        self._tree = tree
        self._log = log

    def refusal(self, *, spare: int = 0) -> Reply | None:
        """Return why no more sub-calls may be made; or `None`, and then one is counted as made.

        `spare` is how many more there must be for this one to be allowed.
        """
        budget = self._tree.budget
        if (spent := budget.spent()) is not None:
            return self.stopped(spent.name, spent.sentence)
        if not budget.grant(spare=spare):
            limit = self._tree.settings.max_subcalls
            return self.stopped("max_subcalls", f"all sub-calls of this run are used (max_subcalls={limit})")
        return None

    def stopped(self, name: str, sentence: str) -> Reply:
        """Return the reply in the place of a call that a limit forbids."""
        self._log.guard_once(name, f"no more sub-calls: {sentence}")
        told = f"No sub-call was made: {sentence}. Make no more of them: answer now from what you have."
        return {"error": told, "kind": "limit"}

    async def ask(self, query: Query) -> Reply:
        """Make one call that was granted; failures are replies too."""
        prompt = self._masked(query.prompt)
        try:
            async with admitted(self._tree, prompt, query.model):
                with self._log.subcall(query.kind, query.model, prompt, query.batch) as call:
                    return await self._asked(query, prompt, call)
        except LimitReached as error:
            limit = self._tree.budget.spent()
            return self.stopped(limit.name if limit else "limit", error.message)
        except RLMError as error:
            return failure(error)

    async def _asked(self, query: Query, prompt: str, call: Subcall) -> Reply:
        """Ask, and once more where the reply is of no use."""
        messages = [Message(role="user", content=prompt)]
        done = await self._complete(query, messages, call)
        reply, problem = self._judged(query, done)
        if problem:
            messages += [Message(role="assistant", content=done.text), Message(role="user", content=problem)]
            again = await self._complete(query, messages, call)
            second, still = self._judged(query, again)
            if query.schema is not None and still:
                raise SubcallError(f"the reply does not fit the schema, not even the second one. {still}")
            if not still:
                reply, call.text = second, again.text
        return reply

    async def _complete(self, query: Query, messages: list[Message], call: Subcall) -> Completion:
        ceiling = self._tree.settings.subcall_reply_limit
        max_tokens = ceiling if query.max_tokens is None else min(query.max_tokens, ceiling)
        done = await complete(
            self._tree,
            messages,
            query.model,
            where=self._where(query),
            max_tokens=max_tokens,
            schema=query.schema,
            images=query.images,
        )
        call.usage += done.usage
        call.text = call.text or done.text
        if done.stopped:
            what = _STOPPED.get(done.stopped, "was cut off")
            self._log.guard(done.stopped, f"the reply to sub-call {call.number} {what}")
        return done

    def _where(self, query: Query) -> Where:
        log = self._log
        return self._tree.where(query.kind, candidate=log.candidate, iteration=log.iteration, depth=log.depth + 1)

    def _judged(self, query: Query, done: Completion) -> tuple[Reply, str]:
        """Return the reply, and what to tell the model if it has to reply again."""
        text = done.text + CUT if done.cut else done.text
        if query.schema is not None:
            value, problem = fit(done.text, query.schema)
            if problem:
                self._log.guard("schema", problem)
                return {"text": text}, _FITTING.replace("{problem}", problem)
            return {"text": text, "value": value}, ""
        if self._tree.settings.prose_subcalls and is_code_shaped(done.text):
            self._log.guard("prose_subcalls", "the reply was code")
            return {"text": text}, _IN_PROSE
        return {"text": text}, ""

    def _masked(self, prompt: str) -> str:
        masked = self._tree.redactor.text(prompt)
        if masked != prompt:
            self._log.guard_once("redact", "masked what a sub-call's prompt must not show")
        return masked


def failure(error: RLMError) -> Reply:
    """Return the reply that stands for an error."""
    kind = "limit" if isinstance(error, LimitReached) else "oversize" if isinstance(error, ModelOverflow) else "failed"
    return {"error": error.message, "kind": kind}
