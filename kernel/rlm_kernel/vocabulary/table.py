"""Every word that cells find, in one table: how it is called, what it does, where it comes from.

The fixed ones are variables of the session, and put back when a cell overwrites them. All others live in `builtins`, so
that a variable of the same name, the user's or the model's, simply wins. The prompt shows only a few of them; models
that learnt another dialect find its words all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["CORE", "FIXED_NAMES", "WORDS", "Word", "reference"]


@dataclass(frozen=True)
class Word:
    """One word.

    Attributes:
        name: as in code; `_N` at the end stands for a number.
        signature: the parameters with their parentheses; empty for a value.
        doc: what it does, one line.
        dialect: the family it belongs to: `core`, `final`, `submit`, `documents`, `paging` or `search`.
        fixed: a variable of the session, put back when it is overwritten.

    """

    name: str
    signature: str
    doc: str
    dialect: str
    fixed: bool = False


_ASK = "(question, chunks, *, max_tokens=None, chunk_size=None, overlap=0"

WORDS = (
    # The core: arXiv 2512.24601 §3
    Word("context", "", "The value that the question is about.", "core", fixed=True),
    Word("answer", "", 'The answer: a dict; set answer["content"], and answer["ready"] = True.', "core", fixed=True),
    Word(
        "llm_query",
        "(prompt, task=None, *, model=None, max_tokens=None, context=None, reduce=None, schema=None, images=None)",
        "Ask the sub model; return its reply as text, or as what `schema` describes.",
        "core",
        fixed=True,
    ),
    Word(
        "llm_query_batched",
        "(prompts, task=None, *, model=None, max_tokens=None, context=None, contexts=None, reduce=None, schema=None, "
        "images=None)",
        "Ask the sub model many questions at once; return the replies in order.",
        "core",
        fixed=True,
    ),
    Word(
        "rlm_query",
        "(prompt, context=None, *, schema=None, max_iterations=None)",
        "Give a question about `context` (else this session's) to a child that works as you do; return its answer.",
        "core",
        fixed=True,
    ),
    Word(
        "rlm_query_batched",
        "(prompts, contexts=None, *, schema=None, max_iterations=None)",
        "Give questions to children that work side by side; return the answers in order.",
        "core",
        fixed=True,
    ),
    Word("SHOW_VARS", "()", "Return the variables by name, with their types.", "core", fixed=True),
    Word("budget", "()", "Return what is left of the run's limits, and what was used.", "core"),
    Word("history", "", "The whole conversation so far, as a list of messages.", "core"),
    Word("history_N", "", "The conversation of an earlier question.", "core"),
    Word("context_N", "", "The contexts of all questions, the oldest first.", "core"),
    # Answers
    Word("FINAL", "(value)", "Answer with a value, of any type.", "final", fixed=True),
    Word("FINAL_VAR", "(variable)", "Answer with a variable, given by its name or as it is.", "final", fixed=True),
    Word("FINAL_TEXT", "(text)", "Answer with a text; anything else is refused.", "final"),
    Word("SUBMIT", "(*values, **fields)", "Answer with a value, or with its fields.", "submit", fixed=True),
    # The context as text and documents
    Word("CONTEXT", "", "The same as `context`.", "documents"),
    Word("P", "", "The context where it is text, all documents joined; else the same as `context`.", "documents"),
    Word("FILES", "", "The documents of the context, name → text.", "documents"),
    Word("ctx", "", "The context as text and documents: text, documents, slice, find, chunk, page, …", "documents"),
    Word("peek", "(n=2000, value=None)", "Return the first `n` characters of the context, or of a value.", "documents"),
    Word("tail", "(n=2000, value=None)", "Return the last `n` characters of the context, or of a value.", "documents"),
    Word("lenP", "()", "Return the length of the context as text, in characters.", "documents"),
    Word(
        "extract_after",
        "(marker, max_len=128, value=None)",
        "Return the first word after a marker, or `None`.",
        "documents",
    ),
    Word(
        "llm_query_batch",
        "(chunks, question=None, *, model=None, max_tokens=None, chunk_size=None, overlap=0, parallel=True)",
        "Ask the sub model about each chunk; return the replies in order.",
        "documents",
    ),
    Word(
        "llm_batch",
        "(prompts, *, model=None, max_tokens=None)",
        "Ask the sub model many questions at once; return the replies in order.",
        "documents",
    ),
    Word("ask", "(question, text, *, max_tokens=None)", "Ask the sub model about a text.", "documents"),
    Word("ask_chunk", "(question, text, *, max_tokens=None)", "Ask the sub model about a text.", "documents"),
    Word("ask_chunked", f"{_ASK}, parallel=True)", "Ask about each piece of a long text.", "documents"),
    Word("ask_chunks", f"{_ASK}, parallel=True)", "Ask about each chunk; return the replies in order.", "documents"),
    Word(
        "ask_chunks_first",
        f"{_ASK})",
        "Ask about one chunk after the other; return the first reply that is an answer, or `None`.",
        "documents",
    ),
    Word("pick_first_answer", "(replies)", "Return the first reply that is an answer, or `None`.", "documents"),
    # Looking at what is long
    Word("page", "(value=None, number=1, size=4000)", "Return a page of a long text; it is shown in full.", "paging"),
    Word("memory_status", "()", "Return the sizes of the variables: characters of text, bytes of the rest.", "paging"),
    Word("forget", "(*names)", "Delete variables; say which, and which had to stay.", "paging"),
    Word(
        "find",
        "(pattern, value=None, *, regex=False, max_matches=20, case_sensitive=True, flags=0)",
        "Return where a pattern is, as (start, end, text).",
        "search",
    ),
    Word(
        "grep",
        "(pattern, value=None, context_lines=0, *, ignore_case=False, max_matches=50)",
        "Return the lines that a regular expression matches: line, start, text.",
        "search",
    ),
    Word("chunk", "(value=None, size=None, overlap=0, by='chars')", "Cut a text into a list of pieces.", "search"),
    Word("select", "(ranges, value=None, by='chars')", "Return the parts (start, end) of a text.", "search"),
    Word("search", "(query, k=5, value=None)", "Return the passages that fit best: text, score, start, end.", "search"),
)
"""All words, in the order of a reference."""

FIXED_NAMES = tuple(sorted(word.name for word in WORDS if word.fixed))
"""The words that are variables of the session, sorted."""

CORE = tuple(word.name for word in WORDS if word.dialect == "core")
"""The words that a prompt may well show."""


def reference(names: Iterable[str] = CORE) -> str:
    """Return one line for each of the words, for a prompt or a help text; a name that is no word is a `KeyError`."""
    words = {word.name: word for word in WORDS}
    return "\n".join(f"- `{name}{words[name].signature}`: {words[name].doc}" for name in names)
