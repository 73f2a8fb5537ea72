"""The embedded solver: no language model, but rules that answer documented question shapes by writing REPL code.

It sees exactly what a model would see, the chat messages, and it works as a model should: it looks first, computes
with code, asks sub-calls about pieces of text, checks their replies, and answers. `SHAPES` lists what it understands.
Every word of a question must be accounted for; a question with a word left over is declined, never guessed at.

    drill          a cell that runs away on purpose
    root           the turns of the root conversation; `SHAPES`
    conversation   the messages → question, card, what came of the cells so far
    cards          the card → what the value is, its columns and listed values
    words          tokens, plurals, the small words
    questions      a question about a table, word by word …
    columns        … which words name which column,
    values         … which are values of a column,
    filters        … which state other conditions on the rows,
    claims         … what claiming a word means,
    parts          … and all of them put together → `Query`
    table_code     a `Query` → cells
    texts          a question about text → `Task`
    items          what "list all …" can ask for
    text_code      a `Task` → cells
    pieces         the sub-call: prompt layout, and the rules that answer it
    transport      all of it behind OpenAI's HTTP interface
"""

from __future__ import annotations

from .root import SHAPES, reply

__all__ = ["SHAPES", "reply"]
