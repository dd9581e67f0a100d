"""Keep the memory that tensors free for the tensors that follow.

The C library of Linux gives large blocks back to the system the moment they are freed, and fetches
them anew, page by page and filled with zeros, for the next tensor of that size. A training step
frees and asks for the same blocks again and again.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt(3): above which size a block is a mapping of its own, which is given back
# when freed; and how many free bytes at the end of the heap are kept.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 2**31 - 1
_USUAL_MMAP = 32 * 2**20
"""where glibc's own rule, which follows the blocks that a program frees, ends; the most that
older versions can be told"""


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Reuse freed blocks in this block, up to 2 GiB; at its end they go back to the system.

    It has no effect where the C library is not glibc.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    _limits(libc, _LARGEST, _LARGEST)
    try:
        yield
    finally:
        _limits(libc, _USUAL_MMAP, 2 * _USUAL_MMAP)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
        known = hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim")
    except (OSError, TypeError):  # Windows has no such handle
        return None
    return libc if known else None


def _limits(libc: ctypes.CDLL, mmap: int, trim: int) -> None:
    if not libc.mallopt(_MMAP_THRESHOLD, mmap):
        libc.mallopt(_MMAP_THRESHOLD, _USUAL_MMAP)
    libc.mallopt(_TRIM_THRESHOLD, trim)
