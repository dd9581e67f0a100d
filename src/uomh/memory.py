"""What memory is free; and keep what tensors free for the tensors that follow.

The C library of Linux gives large blocks back to the system the moment they are freed, and fetches
them anew, page by page and filled with zeros, for the next tensor of that size. A training step
frees and asks for the same blocks again and again.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

CONTROL_GROUPS = Path("/sys/fs/cgroup")
"""where Linux shows what groups of processes may take"""

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


def free_memory(device: torch.device) -> float:
    """Bytes that a process may still take on a device; infinite where the system does not say.

    On the processor the least of what the machine has available, what the process's control group
    may take, and its own limits.
    """
    if device.type == "cuda":
        import torch  # the command line asks for its memory before it needs torch

        return float(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return math.inf
    machine = _numbers(Path("/proc/meminfo"))
    status = _numbers(Path("/proc/self/status"))
    rooms = [machine.get("MemAvailable", math.inf), *_rooms_of_groups()]
    if resource is not None:
        for limit, used in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
            soft, _ = resource.getrlimit(limit)
            if soft != resource.RLIM_INFINITY and used in status:
                rooms.append(soft - status[used])
    return max(0.0, min(rooms))


def _numbers(path: Path) -> dict[str, float]:
    """Sizes in bytes of a file of lines ``Name: 123 kB``; empty where there is no such file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    fields = [line.split() for line in lines if line.endswith(" kB")]
    return {name.rstrip(":"): 1024.0 * int(value) for name, value, _ in fields}


def _rooms_of_groups() -> list[float]:
    """What the process's control group and those around it may take still."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    # Version 2 has one line "0::/PATH"; version 1 one a controller, its files in a folder of it.
    names = {line.split(":", 2)[1]: line.split(":", 2)[2].lstrip("/") for line in lines}
    rooms = []
    if "" in names:
        group = CONTROL_GROUPS / names[""]
        rooms += [
            _room(folder, "memory.max", "memory.current", "inactive_file")
            for folder in (group, *group.parents)
            if folder.is_relative_to(CONTROL_GROUPS)
        ]
    if "memory" in names:
        for folder in (CONTROL_GROUPS / "memory", CONTROL_GROUPS / "memory" / names["memory"]):
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            rooms.append(_room(folder, *files))
    return rooms


def _room(folder: Path, limit: str, used: str, cached: str) -> float:
    """The limit less what is held, without the files that are kept in memory while there is room.

    Args:
        folder: of a control group.
        limit: name of the file that has the limit.
        used: of the file that has what is held.
        cached: of the line of ``memory.stat`` that says how much of that can be given up.
    """
    try:
        most, held = ((folder / name).read_text().strip() for name in (limit, used))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return math.inf
    return math.inf if most == "max" else float(most) - float(held) + float(stat.get(cached, 0))
