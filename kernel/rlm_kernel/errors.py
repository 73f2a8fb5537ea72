"""Every error this project raises on purpose; names are stable, each carries the way out.

    RLMError
    ├── OptionError          an option or its value is wrong (knows the column to point at)
    ├── ContextError         the context expression cannot be used
    ├── QuestionError        there is no question
    ├── ModelError           the model's side of a call failed
    │   ├── ModelUnreachable     no server answers at the base URL
    │   ├── ModelAuthError       the key is missing or refused (401, 403)
    │   ├── ModelBusy            the server has no room for the call (408, 409, 429, 5xx), or its turn came too late
    │   ├── ModelNotFound        the server does not know the model (404)
    │   ├── ModelRejected        the server refuses the request itself (400, 413, 422)
    │   │   └── ModelOverflow        the prompt does not fit the model's window
    │   └── ModelReplyError      the answer is not a chat completion
    ├── BranchError          the branch's side failed
    │   ├── ForkUnavailable      this process cannot be forked now, and why
    │   ├── BranchDied           the branch is gone and cannot be rolled back
    │   └── ProtocolError        a frame that no runner of ours would send
    ├── SubcallError         raised inside a cell: a sub-call failed
    ├── LimitReached         a call was not made, or cut short, because a limit of the run is reached
    ├── JournalError         a journal cannot be read
    ├── RecordingError       a recorded reply cannot be read or written
    │   └── DivergenceError      a strict replay asks for something that was not recorded
    └── KeepError            a name cannot be brought back

In a notebook an `RLMError` is shown as two short lines, never as a traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .trajectory.run import Run

__all__ = [
    "BranchDied",
    "BranchError",
    "ContextError",
    "DivergenceError",
    "ForkUnavailable",
    "JournalError",
    "KeepError",
    "LimitReached",
    "ModelAuthError",
    "ModelBusy",
    "ModelError",
    "ModelNotFound",
    "ModelOverflow",
    "ModelRejected",
    "ModelReplyError",
    "ModelUnreachable",
    "OptionError",
    "ProtocolError",
    "QuestionError",
    "RLMError",
    "RecordingError",
    "SubcallError",
]


class RLMError(Exception):
    """Base of all errors of this project: one sentence of what is wrong, one of what to do.

    Args:
        message: what is wrong, one sentence.
        hint: what the reader can do about it; may be empty.

    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.run: Run | None = None
        """The run that failed with this error, where there was one."""

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint))

    def _render_traceback_(self) -> list[str]:
        """Show two short lines instead of a traceback (the hook IPython's `showtraceback` asks for)."""
        return [f"{type(self).__name__}: {self}"]


class OptionError(RLMError):
    """An option, or its value, is wrong.

    Args:
        message: what is wrong.
        hint: the nearest valid thing.
        line: the magic's line as typed, without `%%rlm`; empty when the option came from Python.
        column: offset in `line`, in characters, that a caret should point at.

    """

    def __init__(self, message: str, hint: str = "", *, line: str = "", column: int = 0) -> None:
        super().__init__(message, hint)
        self.line = line
        self.column = column

    def __str__(self) -> str:
        if not self.line:
            return super().__str__()
        caret = f"\n    {self.line}\n    {' ' * self.column}^"
        return f"{self.message}{caret}" + (f"\nhint: {self.hint}" if self.hint else "")


class ContextError(RLMError):
    """The context expression fails, or its value cannot be read more than once."""


class QuestionError(RLMError):
    """There is no question to answer."""


class ModelError(RLMError):
    """A model call failed, for good once it is raised to the caller of a run.

    Attributes:
        transient: the same call may well succeed a little later.
        crowded: other calls took the room; alone, this one might have it.
        retry_after: seconds for which the server wants to be left alone; `None` if it does not say.

    """

    transient = False
    crowded = False
    retry_after: float | None = None


class ModelUnreachable(ModelError):
    """No server answers at the base URL, or it stopped answering.

    Attributes:
        answered: a connection came about; if not, other calls will fare no better.

    """

    answered = True


class ModelAuthError(ModelError):
    """The server refuses the key (401 or 403), or there is none."""


class ModelBusy(ModelError):
    """The server has no room for the call now (408, 409, 429, 5xx), or the call's turn came too late."""


class ModelNotFound(ModelError):
    """The server does not know the model, or the base URL is not an API root (404)."""


class ModelRejected(ModelError):
    """The server refuses this request (400, 413, 422) and would refuse it again."""


class ModelOverflow(ModelRejected):
    """The prompt does not fit the model's window, whatever the length of the reply.

    Args:
        message: what is wrong.
        hint: what to do about it.
        window: tokens that the server says it can take, prompt and reply together; `None` if it does not say.

    """

    def __init__(self, message: str, hint: str = "", window: int | None = None) -> None:
        super().__init__(message, hint)
        self.window = window

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint, self.window))


class ModelReplyError(ModelError):
    """The server's answer is not a chat completion."""


class BranchError(RLMError):
    """A branch could not do what was asked."""


class ForkUnavailable(BranchError):
    """This process cannot be forked safely now; the message says why."""


class BranchDied(BranchError):
    """The branch is gone and there is no checkpoint to go back to."""


class ProtocolError(BranchError):
    """The other end of a branch's socket sent something that is not a frame."""


class SubcallError(RLMError):
    """Raised inside a cell: the sub-call could not be answered."""


class LimitReached(RLMError):
    """A call was not made, or was cut short, because a limit of the run is reached; the message says which."""


class JournalError(RLMError):
    """A journal is missing or cannot be read."""


class RecordingError(RLMError):
    """A recorded reply cannot be read, or a new one not be written."""


class DivergenceError(RecordingError):
    """A strict replay asks for something that was not recorded; the message says where in the run, and what differs.

    Args:
        message: what differs.
        hint: what to do about it.
        diff: all of the first message that differs, as a unified diff; empty if something else does.

    """

    def __init__(self, message: str, hint: str = "", diff: str = "") -> None:
        super().__init__(message, hint)
        self.diff = diff

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint, self.diff))


class KeepError(RLMError):
    """A name cannot be brought back from a branch."""
