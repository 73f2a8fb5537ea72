"""Which memory was written since the latest fork: the kernel's own books, instead of a hash of every byte.

After a fork both processes map the same pages; a write gives the writer a page of its own. `/proc/self/pagemap` says of
each page whether this process alone maps it (bit 56) and whether it is backed by a file (bit 61), also to an ordinary
user. So a gigabyte is checked by reading two megabytes. What the books cannot tell is answered with `None`: memory that
is *shared* is written in place, and some systems keep the page map closed.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import sys
import sysconfig
from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["is_shared", "memory_at", "pointer_table", "shared_mappings", "whole_pages", "written_since_fork"]

_PAGE = mmap.PAGESIZE
_ENTRY = 8
_PAGES_PER_READ = 2**15
_ALONE, _FILE, _SWAPPED = 56, 61, 62

_SHARED = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) ...s", re.MULTILINE)
_KNOWN_LAYOUT = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
_WORD = ctypes.sizeof(ctypes.c_void_p)

_TABLES: dict[type, tuple[int, Callable[[Any], int]]] = {
    list: (3 * _WORD, lambda value: _WORD * len(value)),
    dict: (4 * _WORD, lambda value: value.__sizeof__() - dict.__basicsize__),
    set: (5 * _WORD, lambda value: value.__sizeof__() - set.__basicsize__),
}
"""Where a container's C struct points at the table of its items, and the table's size in bytes."""


def written_since_fork(address: int, size: int) -> bool | None:
    """Tell whether any whole page in `size` bytes at `address` was written since the latest fork; `None`: unknown.

    A page counts as written as long as no other process maps it, so ask while the forked process still lives. A page
    that is swapped out counts as written.
    """
    first, end = whole_pages(address, size)
    try:
        fd = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for page in range(first // _PAGE, end // _PAGE, _PAGES_PER_READ):
            wanted = _ENTRY * min(_PAGES_PER_READ, end // _PAGE - page)
            entries = os.pread(fd, wanted, page * _ENTRY)
            if len(entries) < wanted:
                return None
            if _any_written(entries):
                return True
    except OSError:
        return None
    finally:
        os.close(fd)
    return False


def _any_written(entries: bytes) -> bool:
    # All entries at once, as one long number: a loop over them would take longer than hashing the pages.
    bits, ones = int.from_bytes(entries, "little"), _ones(len(entries))
    if not bits & (ones << _ALONE | ones << _SWAPPED):
        return False
    alone, file, swapped = (bits >> bit & ones for bit in (_ALONE, _FILE, _SWAPPED))
    return bool(alone & ~file | swapped)


@cache
def _ones(size: int) -> int:
    return int.from_bytes(b"\1\0\0\0\0\0\0\0" * (size // _ENTRY), "little")


def whole_pages(address: int, size: int) -> tuple[int, int]:
    """Return (start, end) of the pages that lie wholly in the region; those at its edges also hold other things."""
    first, end = -(-address // _PAGE) * _PAGE, (address + size) // _PAGE * _PAGE
    return (first, end) if first < end else (address + size, address + size)


def shared_mappings() -> list[tuple[int, int]]:
    """Return (start, end) of the memory that other processes may write in place, in order.

    Raises:
        OSError: the system does not tell.

    """
    found = _SHARED.findall(Path("/proc/self/maps").read_bytes())
    return [(int(start, 16), int(end, 16)) for start, end in found]


def is_shared(address: int, mappings: list[tuple[int, int]]) -> bool:
    """Tell whether the address lies in one of the `shared_mappings`."""
    at = bisect_right(mappings, (address, sys.maxsize)) - 1
    return at >= 0 and address < mappings[at][1]


def memory_at(address: int, size: int) -> memoryview:
    """Return the bytes of this process at `address`; whoever owns them must stay alive."""
    return memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")


def pointer_table(value: object) -> tuple[int, int] | None:
    """Return (address, size) of the pointers to the items of a list, dict or set; `None` for anything else.

    Reading a container writes the reference counts of its items, but not this table; putting, replacing and taking
    items does.
    """
    if not _KNOWN_LAYOUT or type(value) not in _TABLES:
        return None
    offset, size = _TABLES[type(value)]
    return ctypes.c_void_p.from_address(id(value) + offset).value or 0, size(value)
