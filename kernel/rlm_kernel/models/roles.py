"""Who is asked for what: the models of a run by role, and how each is sampled.

root        the trajectory of the run
sub         sub-calls, children, the engineer's notes
verifier    verdicts on sub-calls and answers; else the sub model
judge       comparisons of candidates; else the verifier
memory      what is learned from runs; else the sub model
"""

from __future__ import annotations

from typing import Any

from ..errors import OptionError
from ..settings import Settings
from .address import Endpoint
from .where import Where

__all__ = ["Roles", "sampling"]

_ROOT = frozenset({"root", "direct", "compaction", "final"})
"""What a call can be for, at depth 0, that the root model answers."""


class Roles:
    """The models of one run, as references.

    Args:
        settings: those of the run.
        home: its own endpoint.

    """

    def __init__(self, settings: Settings, home: Endpoint) -> None:
        verifier = settings.verifier_model or home.sub_model
        self._models = {
            "root": home.model,
            "sub": home.sub_model,
            "verifier": verifier,
            "judge": settings.judge_model or verifier,
            "memory": settings.memory_model or home.sub_model,
        }

    def model(self, role: str) -> str:
        """Return the model of `role`.

        Raises:
            OptionError: there is no such role.

        """
        if role not in self._models:
            raise OptionError(f"there is no role {role!r}", f"the roles are {', '.join(self._models)}")
        return self._models[role]


def sampling(settings: Settings, where: Where) -> tuple[float | None, dict[str, Any]]:
    """Return the temperature and the further fields of a request made at `where`.

    The seed differs from candidate to candidate, or all would be the same.
    """
    root = where.role in _ROOT and where.depth == 0
    temperature, extra = settings.temperature, settings.extra_body
    if not root:
        temperature = temperature if settings.sub_temperature is None else settings.sub_temperature
        extra = extra if settings.sub_extra_body is None else settings.sub_extra_body
    seed = {} if settings.seed is None else {"seed": settings.seed + where.candidate}
    return temperature, {**seed, **(extra or {})}
