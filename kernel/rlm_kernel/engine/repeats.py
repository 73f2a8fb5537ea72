"""Turns that lead nowhere: the same code with the same result again, or a few turns in a circle.

Code is the same if only its layout and comments differ. The same code with another result is progress: a cell may
well take the next piece each time. A failure that comes again counts double, for it will not heal by itself; but the
model is always told once before the run ends.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence

from ..branches.result import CellResult
from .syntax import normalized

__all__ = ["Repeats"]

_CIRCLES = (1, 2, 3)
"""Lengths of the circles that are noticed, in turns; 1 is the same turn again."""
_AGAIN = (
    "You have run this same code {times} times, with the same result: once more will not change it. Do something else, "
    "or answer from what you have."
)
_IN_CIRCLES = (
    "Your last turns repeat the ones before them, {times} times by now, with the same results. Do something else, or "
    "answer from what you have."
)
_FAILED = (
    "This same code has failed {times} times in the same way. Change it where the error points, or go about it in a "
    "simpler way."
)


class Repeats:
    """Watches the turns of one trajectory.

    Args:
        limit: turns with the same code and result after which the trajectory is `stuck`; 0 for never, and no notes.

    Attributes:
        count: how often the latest turn has come in a row, or its circle.
        stuck: whether that has reached the limit.

    """

    def __init__(self, limit: int) -> None:
        self._limit = max(limit, 2) if limit else 0
        self._turns: deque[str] = deque(maxlen=(self._limit + 1) * max(_CIRCLES))
        self.count = 0
        self.stuck = False

    def note(self, blocks: Sequence[str], results: Sequence[CellResult]) -> str:
        """Take note of a turn's code and what came of it; return what to tell the model, empty if all is well.

        A turn without code is passed over.
        """
        if not self._limit or not blocks:
            return ""
        self._turns.append(_fingerprint(blocks, results))
        self.count, circle = max((self._came(length), -length) for length in _CIRCLES)
        failed = bool(results) and results[-1].outcome != "ok"
        weight = 2 * self.count - 1 if failed else self.count
        self.stuck = weight >= self._limit and self.count >= min(self._limit, 3)
        if self.count < 2:
            return ""
        text = _FAILED if failed and circle == -1 else _AGAIN if circle == -1 else _IN_CIRCLES
        return text.replace("{times}", str(self.count))

    def _came(self, length: int) -> int:
        """Return how many times the last `length` turns have come in a row."""
        turns = list(self._turns)
        same = 0
        while same + length < len(turns) and turns[-1 - same] == turns[-1 - same - length]:
            same += 1
        return 1 + same // length


def _fingerprint(blocks: Sequence[str], results: Sequence[CellResult]) -> str:
    parts = [normalized(code) for code in blocks]
    for result in results:
        error = f"{result.error['type']}: {result.error['message']}" if result.error else ""
        parts += [result.outcome, result.stdout, result.stderr, result.value_text, error]
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
