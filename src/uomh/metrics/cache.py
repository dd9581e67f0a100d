"""What an evaluation computed, kept in a run's folder for the next.

Each resource is one file, written whole. Its name ends in a hash of all that it depends on, so that
nothing stale is ever read: what has changed is looked for under another name, and not found. The
files are bounded in size together; those that were used longest ago are dropped first. The folder
may be removed at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uomh.errors import UomhError
from uomh.files import replacing, tidy

LAYOUT = 1
"""number of the way in which resources are computed; a new one has them computed anew"""
LIMIT_GB = 2.0
"""size of a run's cache, where the environment variable does not say otherwise"""
VARIABLE = "UOMH_RUN_CACHE_GB"
"""environment variable: the size in units of 10^9 bytes; 0 keeps nothing"""

Arrays = Mapping[str, NDArray[np.generic]]


class Cache:
    """Arrays by what they depend on.

    Args:
        folder: made when the first is kept.
        limit: bytes in all; None: as the environment variable says, else `LIMIT_GB`.

    Raises:
        UomhError: the environment variable is no size.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder = folder
        self.limit = _limit() if limit is None else limit

    def get(self, kind: str, key: tuple[object, ...]) -> Arrays | None:
        """The arrays kept under a key; None where there are none, or the file is damaged."""
        path = self._path(kind, key)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                arrays = {name: kept[name] for name in kept.files}
            os.utime(path)  # used now
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None
        return arrays

    def has(self, kind: str, key: tuple[object, ...]) -> bool:
        """Whether arrays are kept under a key."""
        return self._path(kind, key).is_file()

    def put(self, kind: str, key: tuple[object, ...], arrays: Arrays) -> None:
        """Keep arrays, unless they are larger than the whole cache may be or the disk is full."""
        size = sum(array.nbytes for array in arrays.values())
        if size > self.limit or not self.limit:
            return
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time alone
            self.folder.mkdir(exist_ok=True)
            tidy(self.folder)
            self._make_room(size)
            with replacing(self._path(kind, key)) as temporary, temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)

    def _make_room(self, size: int) -> None:
        files = [(path, path.stat()) for path in self.folder.glob("*.npz")]
        total = size + sum(stat.st_size for _, stat in files)
        for path, stat in sorted(files, key=lambda file: file[1].st_mtime_ns):
            if total <= self.limit:
                break
            path.unlink(missing_ok=True)
            total -= stat.st_size

    def _path(self, kind: str, key: tuple[object, ...]) -> Path:
        text = repr((LAYOUT, kind, *key))
        return (
            self.folder / f"{kind}-{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}.npz"
        )


def _limit() -> int:
    text = os.environ.get(VARIABLE, str(LIMIT_GB))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < float("inf"):
        raise UomhError(f"{VARIABLE}={text!r} should be a number of gigabytes, such as 2, or 0")
    return int(gigabytes * 1e9)
