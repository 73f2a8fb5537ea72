"""A conversation as strict servers take it: the templates of many open models want turns that alternate.

Nothing of what is said is lost: messages are joined by a blank line, and a system message goes to the first user's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from operator import itemgetter

from ..trajectory.records import Message

__all__ = ["alternates", "folded", "merged"]

_GAP = "\n\n"


def merged(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with those of the same role in a row made one."""
    return [
        Message(role=role, content=_GAP.join(message["content"] for message in run))
        for role, run in groupby(messages, key=itemgetter("role"))
    ]


def folded(messages: Sequence[Message]) -> list[Message]:
    """Return the messages without a system role: what it says opens the user's first message."""
    roles = {"system": "user"}
    return merged([Message(role=roles.get(m["role"], m["role"]), content=m["content"]) for m in messages])


def alternates(messages: Sequence[Message]) -> bool:
    """Tell whether no two messages in a row have the same role."""
    return all(before["role"] != after["role"] for before, after in pairwise(messages))
