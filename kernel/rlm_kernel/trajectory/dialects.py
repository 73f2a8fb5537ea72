"""A run under the names that other RLM systems give its parts, for code that was written for them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .accounts import usage_by

if TYPE_CHECKING:
    from .records import Message
    from .run import Run

__all__ = ["Dialects"]


class Dialects:
    """The other names: `response`, `output`, `success`, `error`, `history`, `trace`, `stats`, `cost_summary()`."""

    @property
    def response(self: Run) -> str:  # type: ignore[misc]  # mixed into Run only
        """The answer as text (rlms, prehend)."""
        return self.text

    @property
    def output(self: Run) -> Any:  # type: ignore[misc]  # see above
        """The answer itself (rlm-runtime)."""
        return self.answer

    @property
    def success(self: Run) -> bool:  # type: ignore[misc]  # see above
        """Whether the answer was given, and not merely left when a limit came."""
        return self.status == "answered"

    @property
    def error(self: Run) -> str | None:  # type: ignore[misc]  # see above
        """Why there is no accepted answer, in words; `None` if there is one."""
        return None if self.status == "answered" else self.stop_reason

    @property
    def history(self: Run) -> list[Message]:  # type: ignore[misc]  # see above
        """Every message of the winner's conversation that was sent, in order, and every reply."""
        said: list[Message] = []
        reply = ""
        for turn in self.iterations:
            if reply and reply not in (message["content"] for message in turn.messages):
                said.append({"role": "assistant", "content": reply})  # a summary, or a note, took its place
            said += turn.messages
            reply = turn.text
        if reply:
            said.append({"role": "assistant", "content": reply})
        return said

    @property
    def trace(self: Run) -> dict[str, Any]:  # type: ignore[misc]  # see above
        """The winner's steps as plain data."""
        return asdict(self.chosen) if self.chosen else {}

    @property
    def stats(self: Run) -> dict[str, Any]:  # type: ignore[misc]  # see above
        """How much it took: iterations, calls, tokens, seconds."""
        used = self.usage
        return {
            "iterations": len(self.iterations),
            "llm_calls": used.calls,
            "sub_rlm_calls": len(self.subcalls),
            "input_tokens": used.prompt_tokens,
            "output_tokens": used.completion_tokens,
            "seconds": self.seconds,
        }

    def cost_summary(self: Run) -> dict[str, Any]:  # type: ignore[misc]  # see above
        """Return money in USD, `None` where it is unknown: in all, and for each model."""
        by_model = {str(model): used.cost for model, used in usage_by(self, "model").items()}
        return {"total_cost": self.usage.cost, "by_model": by_model}
