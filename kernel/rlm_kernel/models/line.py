"""The line of calls in front of one endpoint: who is let in next.

1. A call that has to be alone comes before all others, waits until none is in flight, and lets none in until it is
   over.
2. Between runs: the one that waits longest since it last had a turn, so that runs take turns, however many calls each
   has. A step of priority counts as 30 s.
3. Within a run: the lower priority number. 30 s of waiting make up for one step, so that no call waits forever.
4. Among equals: the earlier deadline, then the earlier call.

A call's place among those of its run is fixed when it comes, so each run has a plain heap. Calls that were given up
stay in it, marked, until they are at its head. Each pass of the event loop lets in one call: a crowd let in together
would be prepared together, and its first request would leave only when its last one is ready.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass, field

__all__ = ["Line", "Queue", "Turn"]

_AGING = 30.0


@dataclass(eq=False, slots=True)
class Turn:
    """A call in line.

    Attributes:
        priority: 1 (first) to 5 (last).
        since: when it came, in seconds.
        exclusive: it has to be alone.
        come: done once the call is let in, cancelled if it was given up.

    """

    priority: int
    since: float
    exclusive: bool
    come: asyncio.Future[None]


@dataclass(eq=False, slots=True)
class Queue:
    """The calls of one run.

    Attributes:
        limit: of them in flight at once.
        active: in flight now.
        served: when the last one was let in, in seconds, …
        number: … and as which of all calls.
        heap: those that wait, by aged priority, deadline and number.

    """

    limit: int
    active: int = 0
    served: float = -math.inf
    number: int = 0
    heap: list[tuple[int, float, int, Turn]] = field(default_factory=list)

    def head(self) -> Turn | None:
        """Return the first call that still waits."""
        while self.heap and self.heap[0][-1].come.done():
            heapq.heappop(self.heap)
        return self.heap[0][-1] if self.heap else None

    def place(self, turn: Turn) -> tuple[float, int]:
        """Return where this run, with `turn` at its head, stands among the runs: the lowest is next."""
        return _AGING * turn.priority + max(self.served, turn.since), self.number


class Line:
    """All queues of one endpoint.

    Attributes:
        capacity: calls that the server works on at once, `None` if it does not say.
        active: calls in flight.

    """

    def __init__(self) -> None:
        self.capacity: int | None = None
        self.active = 0
        self._alone = False
        self._pausing = False
        self._first: deque[tuple[Queue, Turn]] = deque()
        self._queues: dict[Queue, None] = {}
        self._joined = itertools.count()
        self._admitted = itertools.count()

    @property
    def empty(self) -> bool:
        """Whether no call is in flight and none waits."""
        return self._next() is None and not (self.active or self._first or self._queues)

    def join(self, queue: Queue, turn: Turn, deadline: float | None) -> None:
        """Put a call in line; it may be let in at once."""
        if turn.exclusive:
            self._first.append((queue, turn))
        else:
            band = turn.priority + int(turn.since // _AGING)
            until = math.inf if deadline is None else deadline
            heapq.heappush(queue.heap, (band, until, next(self._joined), turn))
            self._queues[queue] = None
        self._admit()

    def give_up(self, queue: Queue, turn: Turn) -> None:
        """Take a call out of the line, even if it has just been let in."""
        if turn.come.done() and not turn.come.cancelled():
            self.leave(queue)
        else:
            turn.come.cancel()
            self._admit()

    def leave(self, queue: Queue) -> None:
        """Note that a call of `queue` is over."""
        self.active -= 1
        queue.active -= 1
        self._alone = False
        self._admit()

    def _admit(self) -> None:
        """Let in the next call if there is room for it, and the one after it when the loop comes round."""
        if self._pausing or (found := self._next()) is None:
            return
        queue, turn = found
        self.active += 1
        queue.active += 1
        loop = asyncio.get_running_loop()
        queue.served, queue.number = loop.time(), next(self._admitted)
        self._alone = turn.exclusive
        turn.come.set_result(None)
        self._pausing = True
        loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._pausing = False
        self._admit()

    def _next(self) -> tuple[Queue, Turn] | None:
        while self._first and self._first[0][1].come.done():
            self._first.popleft()
        if self._first or self._alone:
            return self._first[0] if self._first and not self.active else None
        heads = [(queue, turn) for queue in list(self._queues) if (turn := self._head(queue)) is not None]
        if self.capacity is not None and self.active >= self.capacity:
            return None
        open_ = [(queue, turn) for queue, turn in heads if queue.active < queue.limit]
        return min(open_, key=lambda entry: entry[0].place(entry[1])) if open_ else None

    def _head(self, queue: Queue) -> Turn | None:
        """Return the queue's head; a queue in which nobody waits is dropped."""
        turn = queue.head()
        if turn is None:
            del self._queues[queue]
        return turn
