"""The messages of one trajectory: what is sent, what is new since the last request, and all that was ever said.

Messages are only added at the end, so that the server's prefix cache hits. There are two exceptions, both asked for by
settings: a failing turn can be left out, and a conversation near the window is replaced by a summary of it. `history`
in the session has everything in any case.
"""

from __future__ import annotations

from ..trajectory.records import Message

__all__ = ["Conversation"]

_OPENING = 2
_TURN = 2
_LEFT_OUT = "(An attempt that failed was left out here.)"
_SUMMED_UP = "The conversation so far was summed up, to make room:\n\n"


class Conversation:
    """One trajectory's messages.

    Args:
        system: the fixed prompt.
        opening: the first user message.

    Attributes:
        messages: what the next request sends.
        history: every message that was ever said.

    """

    def __init__(self, system: str, opening: str) -> None:
        self.messages = [Message(role="system", content=system), Message(role="user", content=opening)]
        self.history = list(self.messages)
        self._taken = 0
        self._sent = 0
        self._kept: int | None = None

    def open_with(self, opening: str) -> None:
        """Replace the first user message, before anything is sent."""
        self.messages[1] = self.history[1] = Message(role="user", content=opening)

    @property
    def characters(self) -> int:
        """The length of the next request, in characters."""
        return sum(len(message["content"]) for message in self.messages)

    def add(self, reply: str, told: str) -> None:
        """Add a turn: the model's reply, and what it is told about it."""
        turn = [Message(role="assistant", content=reply), Message(role="user", content=told)]
        self.messages += turn
        self.history += turn

    def add_failed(self, reply: str, told: str, note: str) -> None:
        """Add a failing turn as a note only; `history` has it whole."""
        self.messages += [Message(role="assistant", content=_LEFT_OUT), Message(role="user", content=note)]
        self.history += [Message(role="assistant", content=reply), Message(role="user", content=told)]

    def end(self, reply: str, asked: str = "") -> None:
        """Note the last reply, and what was `asked` for it if it was no turn like the others."""
        if asked:
            self.history.append(Message(role="user", content=asked))
        self.history.append(Message(role="assistant", content=reply))

    def compact(self, summary: str, told: str) -> None:
        """Replace everything after the opening by a summary, and go on with what is `told`."""
        replaced = [Message(role="assistant", content=_SUMMED_UP + summary), Message(role="user", content=told)]
        self._kept = _OPENING
        self.messages[_OPENING:] = replaced
        self.history += replaced

    def drop_middle(self, note: str) -> bool:
        """Leave out everything between the opening and the last turn, with a note; false if there is nothing there."""
        if len(self.messages) <= _OPENING + _TURN:
            return False
        *_, reply, told = self.messages
        self.messages[_OPENING:] = [reply, Message(role="user", content=f"{note}\n\n{told['content']}")]
        self._kept = _OPENING
        return True

    def news(self) -> tuple[int | None, list[Message]]:
        """Return what the next request has that the last had not: how many messages stay (`None`: all), and the new."""
        kept, self._kept = self._kept, None
        new = self.messages[self._sent if kept is None else kept :]
        self._sent = len(self.messages)
        return kept, new

    def take_said(self) -> list[Message]:
        """Return what was said since the last call, for the session's `history`."""
        said = self.history[self._taken :]
        self._taken = len(self.history)
        return said
