"""Words that ask a model about pieces of a text, and sift the replies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .cutting import pieces
from .prompts import composed
from .queries import Queries
from .reach import SubcallFailure

__all__ = ["Asking"]

_NO_ANSWER = "NO_ANSWER"
_LONGEST = 80
_IF_MISSING = f"If the text does not say, reply {_NO_ANSWER}."
_ALONE = "Reply with the answer alone, on one line, without any explanation."


class Asking:
    """The words.

    Args:
        queries: what they ask with.
        piece: the size of a piece where none is given, in characters.

    """

    def __init__(self, queries: Queries, piece: int) -> None:
        self._queries = queries
        self._piece = piece

    def words(self) -> dict[str, Any]:
        """Return what to install, by name."""
        names = "llm_query_batch", "ask", "ask_chunk", "ask_chunked", "ask_chunks", "ask_chunks_first"
        return {name: getattr(self, name) for name in (*names, "pick_first_answer")}

    def llm_query_batch(
        self,
        chunks: Any,
        question: str | None = None,
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        chunk_size: int | None = None,
        overlap: int = 0,
        parallel: bool = True,  # noqa: ARG002 (cells in this dialect give it; a batch is always asked at once)
    ) -> list[Any]:
        """Ask the sub model about each chunk; return the replies in order.

        Args:
            chunks: a list of texts, what `chunk` returned, or one text to be cut.
            question: what to ask about each; without it the chunks are the prompts.
            model: another model than the sub model.
            max_tokens: length of a reply at most, in tokens.
            chunk_size: cut what is longer, in characters.
            overlap: characters that a piece repeats of the one before.
            parallel: of no effect.

        """
        prompts = [composed(piece, question) for piece in self._cut(chunks, chunk_size, overlap)]
        return self._queries.llm_query_batched(prompts, model=model, max_tokens=max_tokens)

    def ask(self, question: str, text: Any, *, max_tokens: int | None = None) -> Any:
        """Ask the sub model about a text."""
        return self._queries.llm_query(text, f"{question}\n{_IF_MISSING}", max_tokens=max_tokens)

    def ask_chunk(self, question: str, text: Any, *, max_tokens: int | None = None) -> Any:
        """Ask the sub model about a text."""
        return self.ask(question, text, max_tokens=max_tokens)

    def ask_chunks(
        self,
        question: str,
        chunks: Any,
        *,
        max_tokens: int | None = None,
        chunk_size: int | None = None,
        overlap: int = 0,
        parallel: bool = True,
    ) -> list[Any]:
        """Ask about each chunk; return the replies in order.

        The other arguments are those of `llm_query_batch`.
        """
        task = f"{question}\n{_IF_MISSING}"
        return self.llm_query_batch(
            chunks, task, max_tokens=max_tokens, chunk_size=chunk_size, overlap=overlap, parallel=parallel
        )

    def ask_chunked(
        self,
        question: str,
        chunks: Any,
        *,
        max_tokens: int | None = None,
        chunk_size: int | None = None,
        overlap: int = 0,
        parallel: bool = True,
    ) -> list[Any]:
        """Ask about each piece of a long text.

        As `ask_chunks`, but every chunk is cut to what one call can take.
        """
        size = chunk_size or self._piece
        return self.ask_chunks(
            question, chunks, max_tokens=max_tokens, chunk_size=size, overlap=overlap, parallel=parallel
        )

    def ask_chunks_first(
        self,
        question: str,
        chunks: Any,
        *,
        max_tokens: int | None = None,
        chunk_size: int | None = None,
        overlap: int = 0,
    ) -> str | None:
        """Ask about one chunk after the other; return the first reply that is an answer, or `None`."""
        task = f"{question}\n{_IF_MISSING} {_ALONE}"
        replies = (
            self._queries.llm_query(piece, task, max_tokens=max_tokens)
            for piece in self._cut(chunks, chunk_size, overlap)
        )
        return self.pick_first_answer(replies)

    def pick_first_answer(self, replies: Iterable[Any]) -> str | None:
        """Return the first reply that is an answer, or `None`.

        An answer is one line of at most 80 characters, without fences and thoughts, and not NO_ANSWER. At a limit on
        sub-calls nothing more is asked for.
        """
        for reply in replies:
            if isinstance(reply, SubcallFailure) and reply.kind == "limit":
                return None
            if reply and isinstance(reply, str) and _is_answer(reply.strip()):
                return reply.strip()
        return None

    def _cut(self, chunks: Any, size: int | None, overlap: int) -> list[str]:
        return pieces(chunks, size or self._piece, overlap, whole=size is None)


def _is_answer(text: str) -> bool:
    if not text or len(text) > _LONGEST or len(text.splitlines()) > 1:
        return False
    return _NO_ANSWER not in text.upper() and "```" not in text and "<think" not in text and "</think" not in text
