"""What is asked: the question and its contexts, checked, opened, described and routed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from typing import Any

from .documents import open_context
from .engine.describe import describe_all
from .engine.hooks import Hooks
from .engine.router import Route, route
from .errors import ContextError, OptionError, QuestionError
from .models.windows import piece_size, window_of
from .settings import Settings
from .talk import Contexts, Talk
from .trajectory.records import Message
from .vocabulary.kit import Kit
from .vocabulary.tools import check_tools

__all__ = ["Asked", "take"]


@dataclass(frozen=True)
class Asked:
    """A question, ready to be worked on.

    Attributes:
        question: as it was asked.
        contexts: the values it is about.
        names: the user's expressions for them.
        cards: what the model is shown of them.
        route: by code, or directly.
        talk: the questions before it, and `earlier` the values they were about.

    """

    question: str
    contexts: tuple[Any, ...]
    names: tuple[str, ...]
    cards: str
    route: Route
    talk: Talk
    earlier: tuple[Any, ...]

    @property
    def text(self) -> str | None:
        """The context, if it is one text."""
        [first, *more] = self.contexts
        return first if isinstance(first, str) and not more else None

    def next_talk(self, namespace: dict[str, Any], history: list[Message]) -> Talk:
        """Return the talk of which this question, with its conversation, is a part."""
        return self.talk.then(self.contexts, self.names, history, namespace)

    def kit(self, settings: Settings, hooks: Hooks, model: str) -> Kit:
        """Return what the question's session starts with."""
        return Kit(
            contexts=(*self.earlier, *self.contexts),
            names=(*self.talk.names, *self.names),
            current=len(self.talk.contexts),
            histories=self.talk.histories,
            answer_type=settings.answer_type,
            check=hooks.answer_check,
            tools=hooks.tools,
            sub_tools=hooks.sub_tools,
            retriever=hooks.retriever,
            children=settings.max_depth,
            max_children=settings.max_children,
            piece=piece_size(settings.window or window_of(model)),
            repair_calls=settings.repair_calls,
            repair_placeholders=settings.repair_placeholders,
            sample=settings.sample,
            redact=settings.redact,
        )


def take(
    question: str,
    context: Any,
    name: str,
    settings: Settings,
    hooks: Hooks,
    talk: Talk,
    namespace: dict[str, Any],
    *,
    offline: bool,
) -> Asked:
    """Return what is asked.

    Args:
        question: in words.
        context: a value, or `Contexts`.
        name: the user's expression for it.
        settings: all settings.
        hooks: the caller's own Python.
        talk: the questions before it.
        namespace: the user's variables.
        offline: whether the offline solver answers.

    Raises:
        QuestionError: there is no question.
        ContextError: the context can be read only once, or is a file that cannot be read.
        OptionError: a tool has a name that is taken.

    """
    if not question.strip():
        raise QuestionError("There is no question.", "write it in the cell's body, or as query=…")
    if problems := [*check_tools(hooks.tools), *check_tools(hooks.sub_tools or {})]:
        raise OptionError(problems[0], "give the tool another name")
    named = context if isinstance(context, Contexts) else {name: context}
    if not named:
        raise ContextError("there is no context", "give at least one: Contexts(df=df)")
    for expression, value in named.items():
        _check_readable(value, expression)
    contexts = tuple(open_context(value) for value in named.values())
    names = tuple(expression if expression in namespace else "" for expression in named)
    cards = describe_all(contexts, names, first=len(talk.contexts), sample=settings.sample, redact=settings.redact)
    return Asked(
        question,
        contexts,
        tuple(named),
        cards,
        route(contexts, settings, offline=offline),
        talk,
        talk.values(namespace),
    )


def _check_readable(context: Any, name: str) -> None:
    """Refuse what can be read only once: the card alone would use it up.

    Raises:
        ContextError: it is a generator, an open file or another iterator, or something to be awaited.

    """
    kind = type(context).__name__
    if isinstance(context, (Awaitable, AsyncIterator)):
        raise ContextError(
            f"{name} is a {kind}, which is not a value yet", "await it in a cell of its own, and give the result"
        )
    if hasattr(context, "read") and hasattr(context, "close"):
        raise ContextError(f"{name} is an open file ({kind})", f"give its Path, or its text: context={name}.read()")
    if isinstance(context, Iterator):
        raise ContextError(f"{name} is a {kind}, which can be read only once", f"make it a list: context=list({name})")
