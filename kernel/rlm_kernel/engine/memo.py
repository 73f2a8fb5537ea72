"""Texts that are made once per key and shared by all who ask for them, the latest few of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from weakref import WeakValueDictionary

__all__ = ["Memo"]


class Memo:
    """A bounded memory; of those who ask for the same key at once, one makes the text and the others wait for it.

    Args:
        size: texts to remember.

    """

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._texts: OrderedDict[Hashable, str] = OrderedDict()
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._texts

    def __len__(self) -> int:
        return len(self._texts)

    async def get(self, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        """Return the text of `key`, from `make` if it is not known; what `make` raises is raised and not remembered."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if key not in self._texts:
                self._texts[key] = await make()
            self._texts.move_to_end(key)
            text = self._texts[key]
        while len(self._texts) > self._size:
            self._texts.popitem(last=False)
        return text
