"""Words that ask a model: `llm_query` for one reply, `rlm_query` for a child with a session of its own.

A call that fails raises an exception in the cell, but a limit, a veto or a prompt that is too long is no accident: then
the call returns a `SubcallFailure`, which is false, so that the cell goes on with what it has. In a batch every failed
item is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .images import data_urls
from .prompts import composed, filled, listed
from .reach import Child, Reach, SubcallFailure
from .texts import as_text
from .typed import check, schema_of

__all__ = ["Queries"]


class Queries:
    """The words.

    Args:
        session: through which they reach the notebook's side.

    """

    def __init__(self, session: Reach) -> None:
        self._session = session

    def words(self) -> dict[str, Any]:
        """Return what to install, by name."""
        names = "llm_query", "llm_query_batched", "llm_batch", "rlm_query", "rlm_query_batched"
        return {name: getattr(self, name) for name in names}

    # ----- one reply -----------------------------------------------------------------------------------------

    def llm_query(
        self,
        prompt: Any,
        task: str | None = None,
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        context: Any = None,
        reduce: str | None = None,
        schema: Any = None,
        images: Any = None,
    ) -> Any:
        """Ask the sub model; return its reply as text, or as what `schema` describes.

        Args:
            prompt: the whole prompt; with `task`, the data that the task is about, of any kind.
            task: what to do with the data; it comes last.
            model: another model than the sub model.
            max_tokens: length of the reply at most, in tokens.
            context: a long text (or what can be written as one) that the prompt is about; read in pieces if need be.
            reduce: how to put the findings of the pieces together; else the prompt says it.
            schema: a type or a JSON schema that the reply must fit.
            images: one image or several: bytes, paths, PIL images.

        """
        shown = None if images is None else [data_urls(images)]
        contexts = None if context is None else [as_text(context)]
        prompts = [composed(prompt, task)]
        return self._ask(prompts, False, model, max_tokens, contexts, reduce, schema, shown)[0]

    def llm_query_batched(
        self,
        prompts: Sequence[Any],
        task: str | None = None,
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        context: Any = None,
        contexts: Sequence[Any] | None = None,
        reduce: str | None = None,
        schema: Any = None,
        images: Sequence[Any] | None = None,
    ) -> list[Any]:
        """Ask the sub model many questions at once; return the replies in order.

        As `llm_query`; `context` is for all prompts, `contexts` and `images` have one item for each.
        """
        asked = [composed(prompt, task) for prompt in listed(prompts, "llm_query_batched", "llm_query")]
        texts = None if context is None else [as_text(context)] * len(asked)
        if contexts is not None:
            texts = [as_text(value) for value in _one_each("contexts", contexts, asked)]
        shown = None if images is None else [data_urls(some) for some in _one_each("images", images, asked)]
        return self._ask(asked, True, model, max_tokens, texts, reduce, schema, shown)

    def llm_batch(
        self, prompts: Sequence[Any], *, model: str | None = None, max_tokens: int | None = None
    ) -> list[Any]:
        """Ask the sub model many questions at once; return the replies in order."""
        return self.llm_query_batched(prompts, model=model, max_tokens=max_tokens)

    def _ask(
        self,
        prompts: list[str],
        batched: bool,
        model: str | None,
        max_tokens: int | None,
        contexts: list[str] | None,
        reduce: str | None,
        schema: Any,
        images: list[list[str]] | None,
    ) -> list[Any]:
        _check_name(model)
        if max_tokens is not None and (isinstance(max_tokens, bool) or not isinstance(max_tokens, int)):
            raise TypeError(f"max_tokens is a whole number, not {max_tokens!r}")
        if not prompts:
            return []
        replies = self._session.call(
            "llm_query",
            prompts=filled(self._session, prompts),
            batched=batched,
            model=model,
            max_tokens=max_tokens,
            contexts=contexts,
            reduce=reduce,
            schema=schema_of(schema),
            images=images,
        )
        return [self._taken(reply, schema, batched) for reply in replies]

    # ----- children ------------------------------------------------------------------------------------------

    def rlm_query(
        self, prompt: str, context: Any = None, *, schema: Any = None, max_iterations: int | None = None
    ) -> Any:
        """Give a question about `context` (else this session's) to a child that works as you do; return its answer.

        Args:
            prompt: the question.
            context: what it is about, of any kind.
            schema: a type or a JSON schema that the answer must fit; else it comes as text.
            max_iterations: turns the child may take.

        """
        return self._delegate([prompt], [context], schema, max_iterations, batched=False)[0]

    def rlm_query_batched(
        self, prompts: Sequence[str], contexts: Any = None, *, schema: Any = None, max_iterations: int | None = None
    ) -> list[Any]:
        """Give questions to children that work side by side; return the answers in order.

        `contexts` is a list with one item for each question, or one value for all; else this session's context.
        """
        asked = listed(prompts, "rlm_query_batched", "rlm_query")
        if isinstance(contexts, list | tuple):
            values = _one_each("contexts", contexts, asked)
        else:
            values = [contexts] * len(asked)
        return self._delegate(asked, values, schema, max_iterations, batched=True)

    def _delegate(
        self, prompts: list[str], contexts: list[Any], schema: Any, max_iterations: int | None, *, batched: bool
    ) -> list[Any]:
        kit = self._session.kit
        values = [kit.context if value is None else value for value in contexts]
        asked = [composed(prompt, None) for prompt in prompts]
        if not asked:
            return []
        if kit.children <= 0:  # no deeper: a plain question about the value as text
            texts = [as_text(value) for value in values]
            return self._ask(asked, batched, None, None, texts, None, schema, None)
        plain = schema_of(schema)
        tasks = [
            Child(prompt, kit.child(value, schema), plain, max_iterations)
            for prompt, value in zip(filled(self._session, asked), values, strict=True)
        ]
        return [self._taken(reply, schema, batched) for reply in self._session.children(tasks)]

    # ----- replies -------------------------------------------------------------------------------------------

    def _taken(self, reply: dict[str, Any], schema: Any, batched: bool) -> Any:
        """Return what a reply brought: text, a value that fits the schema, or a failure."""
        if "error" in reply:
            return self._failed(str(reply["error"]), reply.get("kind", "failed"), batched)
        if schema is None:
            return str(reply["text"])
        value, problem = check(reply["value"] if reply.get("exact", "value" in reply) else reply["text"], schema)
        return self._failed(problem, "failed", batched) if problem else value

    def _failed(self, error: str, kind: str, batched: bool) -> SubcallFailure:
        if kind != "failed":
            return SubcallFailure(f"[no reply: {error}]", kind)
        if batched:
            return SubcallFailure(f"[sub-call failed: {error}]")
        raise self._session.error(error)


def _check_name(model: Any) -> None:
    if model is not None and not isinstance(model, str):
        raise TypeError(f"model is a name, not {type(model).__qualname__}")


def _one_each(name: str, values: Sequence[Any], prompts: list[Any]) -> list[Any]:
    if isinstance(values, str | bytes) or not hasattr(values, "__len__") or len(values) != len(prompts):
        raise ValueError(f"{name} is a list with one item for each of the {len(prompts)} prompts")
    return list(values)
