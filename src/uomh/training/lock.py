"""A run's folder has one writer at a time.

The system frees the lock of a process that died. Who holds it stands beside the lock, for whoever
is refused: an older filelock empties the file that it locks.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from uomh.errors import UomhError
from uomh.files import is_leftover, tidy

LOCK, OWNER = ".lock", ".lock.json"
ATTEMPT_SECONDS, ATTEMPTS = 0.02, 50
"""between two attempts at a held lock whose holder is not yet known, and how many there are"""

_held = threading.local()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Be the only one that writes to a run's folder in this block, and tidy it first.

    The folder is made where there is none. Blocks of one thread may nest. Workers that train parts
    do so under the lock of the process that sent them.

    Raises:
        UomhError: another process or thread writes there; the folder holds something else than a
            run, or cannot be written.
    """
    folders: set[Path] = _held.__dict__.setdefault("folders", set())
    place = folder.absolute()
    if place in folders:
        yield
        return
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _see_that_it_is_ours(folder)
        _acquire(lock, folder)
        (folder / OWNER).write_text(json.dumps(_me()), encoding="utf-8")
        tidy(folder)
    except OSError as error:
        lock.release()
        raise UomhError(
            f"cannot write the run to {str(folder)!r} ({error.strerror}); choose another --run-dir"
        ) from None
    folders.add(place)
    try:
        yield
    finally:
        folders.remove(place)
        (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def _see_that_it_is_ours(folder: Path) -> None:
    """Refuse a folder that holds files, but no run; before anything is written to it."""
    names = {path.name for path in folder.iterdir()}
    others = {name for name in names - {LOCK, OWNER} if not is_leftover(name)}
    if others and "config.json" not in names:
        raise UomhError(f"{str(folder)!r} is not empty and holds no run; choose another --run-dir")


def _me() -> dict[str, str | int]:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _acquire(lock: FileLock, folder: Path) -> None:
    """Take the lock, or refuse by the name of its holder.

    What is read at the first attempt may be of a process that died, or not be there yet. A holder
    that ends between two attempts leaves the lock to us.
    """
    owner = None
    for attempt in range(ATTEMPTS):
        try:
            lock.acquire()
            return
        except Timeout:
            owner = _read_owner(folder)
        if owner and attempt:
            break
        time.sleep(ATTEMPT_SECONDS)
    raise UomhError(
        f"{str(folder)!r} is being written by {owner or 'another process'}; wait until it has "
        "ended, or choose another folder"
    )


def _read_owner(folder: Path) -> str | None:
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # not yet written whole, or ended
        return None
