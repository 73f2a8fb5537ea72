"""What cannot leave the process it lives in, why, and where in a variable it was found.

Pickling alone is a bad judge of that: dill makes a *new* lock out of a lock and a new handle out of a file, which look
right and are not. So these are refused by type, wherever in a variable they turn up.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

__all__ = ["path_to", "refusal"]

_LOCK = "a lock belongs to the process that made it"
_CODE = "a coroutine belongs to the branch that started it; await it there"
_CONNECTION = "a connection belongs to the process that opened it"
_FILE = "an open file belongs to the process that opened it"
_GENERATOR = "a generator can be read only once, and lives in the branch; keep list(...) of it"
_POOL = "its workers end with the branch"
_PROCESS = "a process ends with the branch that started it"
_TASK = "a task runs in the branch's event loop; keep its result"
_THREAD = "a thread ends with the branch that started it"

_REASONS = {
    "_asyncio.Future": _TASK,
    "_asyncio.Task": _TASK,
    "_io._IOBase": _FILE,
    "_multiprocessing.SemLock": _LOCK,
    "_queue.SimpleQueue": "a queue's locks belong to the process that made them; keep a list",
    "_socket.socket": _CONNECTION,
    "_thread.RLock": _LOCK,
    "_thread._local": "thread-local data belong to the threads of the branch",
    "_thread.lock": _LOCK,
    "asyncio.events.AbstractEventLoop": "an event loop belongs to the process that runs it",
    "asyncio.futures.Future": _TASK,
    "builtins.async_generator": _GENERATOR,
    "builtins.coroutine": _CODE,
    "builtins.frame": "a frame is a moment of the branch's own run",
    "builtins.generator": _GENERATOR,
    "builtins.traceback": "a traceback is a moment of the branch's own run; keep its text",
    "concurrent.futures._base.Executor": _POOL,
    "concurrent.futures._base.Future": _TASK,
    "http.client.HTTPConnection": _CONNECTION,
    "mmap.mmap": "a memory map belongs to the process that opened it; keep its bytes",
    "multiprocessing.connection._ConnectionBase": _CONNECTION,
    "multiprocessing.pool.Pool": _POOL,
    "multiprocessing.process.BaseProcess": _PROCESS,
    "multiprocessing.queues.Queue": "a queue between processes ends with the branch; keep a list",
    "multiprocessing.shared_memory.SharedMemory": "shared memory belongs to the process that made it; keep a copy",
    "multiprocessing.synchronize.SemLock": _LOCK,
    "queue.Queue": "a queue's locks belong to the process that made them; keep a list",
    "select.epoll": _CONNECTION,
    "sqlite3.Connection": _CONNECTION,
    "sqlite3.Cursor": "a cursor belongs to its connection, which stays in the branch; keep fetchall()",
    "subprocess.Popen": _PROCESS,
    "tempfile.TemporaryDirectory": "a temporary folder belongs to the process that made it",
    "tempfile._TemporaryFileWrapper": _FILE,
    "threading.Barrier": _LOCK,
    "threading.Condition": _LOCK,
    "threading.Event": _LOCK,
    "threading.Semaphore": _LOCK,
    "threading.Thread": _THREAD,
    "weakref.ReferenceType": "a weak reference does not keep its object; keep the object",
}
"""By the full name of a class or of one it is derived from, so that nothing has to be imported to tell."""

_IN_MEMORY = {"_io.BytesIO", "_io.StringIO"}
_DATABASE = (("cursor", "commit", "rollback"), ("execute", "fetchone", "fetchall"))
"""What PEP 249 demands of connections and cursors; drivers share no base class."""

_LOOKED_AT = 20_000


def refusal(value: object) -> str:
    """Return why an object cannot be brought into another process; empty if nothing is known against it."""
    kind: Any = type(value)
    return _refusal_of(kind)


@lru_cache(maxsize=4096)
def _refusal_of(kind: Any) -> str:
    names = [f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__]
    if not _IN_MEMORY.isdisjoint(names):
        return ""
    for name in names:
        if name in _REASONS:
            return _REASONS[name]
    is_database = any(all(callable(getattr(kind, method, None)) for method in methods) for methods in _DATABASE)
    return _CONNECTION if is_database else ""


def path_to(target: object, root: object) -> str:
    """Return how to reach `target` from `root`, for example `["model"]._lock`; empty if it is not found soon."""
    waiting: deque[tuple[str, object]] = deque([("", root)])
    seen: dict[int, object] = {}
    while waiting and len(seen) < _LOOKED_AT:
        path, value = waiting.popleft()
        if value is target:
            return path
        if id(value) not in seen:
            seen[id(value)] = value
            waiting.extend((path + step, part) for step, part in _parts(value))
    return ""


def _parts(value: Any) -> Iterable[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((f"[{key!r}]" if isinstance(key, (str, int)) else "[…]", part) for key, part in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{index}]", part) for index, part in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from (("{…}", part) for part in value)
    elif isinstance(value, types.FunctionType):
        cells = value.__closure__ or ()
        named = zip(value.__code__.co_freevars, cells, strict=True)
        yield from ((f".<{name}>", cell.cell_contents) for name, cell in named if _is_full(cell))
    if not isinstance(value, type):
        yield from ((f".{name}", part) for name, part in getattr(value, "__dict__", {}).items())


def _is_full(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 (raises where there is nothing)
    except ValueError:
        return False
    return True
