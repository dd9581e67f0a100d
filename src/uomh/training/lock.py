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
OWNER_SECONDS, OWNER_ATTEMPTS = 0.1, 10
"""between two looks at who holds the lock, and how many there are"""

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
        lock.acquire()
        (folder / OWNER).write_text(json.dumps(_me()), encoding="utf-8")
        tidy(folder)
    except Timeout:
        raise UomhError(
            f"{str(folder)!r} is being written by {_owner(folder)}; wait until it has ended, or "
            "choose another folder"
        ) from None
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


def _owner(folder: Path) -> str:
    """Who holds the lock, as far as that is known."""
    found = None
    for attempt in range(OWNER_ATTEMPTS):
        # What is read at once may be of a dead process, what is read later be gone with its end.
        found = _read_owner(folder) or found
        if found and attempt:
            return found
        time.sleep(OWNER_SECONDS)
    return found or "another process"


def _read_owner(folder: Path) -> str | None:
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # not yet written whole, or ended
        return None
