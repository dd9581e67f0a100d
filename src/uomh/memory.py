"""Keep the memory that tensors free for the tensors that follow.

The C library of Linux gives large blocks back to the system the moment they are freed, and fetches
them anew, page by page and filled with zeros, for the next tensor of that size. A training step
frees and asks for the same blocks again and again.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

OWN_PROCESS = "UOMH_OWN_PROCESS"
"""environment variable by which a worker of a run is told that its process is ours alone"""
allowed = os.environ.get(OWN_PROCESS) == "1"
"""whether `keeping_freed_memory` may change the allocator"""

# Parameters of mallopt(3): above which size a block is a mapping of its own, which is given back
# when freed; and how many free bytes at the end of the heap are kept.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 2**31 - 1
_USUAL_MMAP = 32 * 2**20
"""where glibc's own rule, which follows the blocks that a program frees, ends; the most that
older versions can be told"""


def allow() -> None:
    """Say that this process is ours alone, as the command line does."""
    global allowed  # one allocator, one word for it
    allowed = True


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Reuse freed blocks in this block, up to 2 GiB; at its end they go back to the system.

    It has no effect where the C library is not glibc, nor before `allow`: the allocator belongs to
    the whole program, and its settings cannot be asked for to be put back.
    """
    libc = _glibc() if allowed else None
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
