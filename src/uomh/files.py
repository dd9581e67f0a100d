"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from uomh.errors import UomhError

WAIT_SECONDS = 60.0
"""for another process to end its writing, which takes seconds"""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it takes the place of ``path`` when the block ends well.

    Whoever reads, or is killed, finds the old file or the new one. What a killed process leaves
    behind begins with a dot and the name of the file.
    """
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())  # on the disk before it has its name
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)  # a full disk does not say where, and the other name is gone
        raise


def is_leftover(name: str) -> bool:
    """Whether a name is that of a temporary file of `replacing`.

    >>> is_leftover(".config.json-0a1b2c3d"), is_leftover(".config.json")
    (True, False)
    """
    return re.fullmatch(r"\..+-[0-9a-f]{8}", name) is not None


def tidy(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder; its only writer may do so."""
    for path in folder.glob(".*-*"):
        if is_leftover(path.name):
            path.unlink(missing_ok=True)


def writable(folder: Path, option: str = "--out") -> None:
    """Make a folder and see, before any work, that files can be written to it.

    Raises:
        UomhError: they cannot; choose another ``option``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UomhError(
            f"cannot write to {str(folder)!r} ({error.strerror}); choose another {option}"
        ) from None


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """A block in which no other process writes results to a folder; it is made, and tidied first.

    Raises:
        UomhError: another process goes on writing there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=WAIT_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise UomhError(
            f"another process is writing to {str(folder)!r}; wait until it has ended, or choose "
            "another folder"
        ) from None
    try:
        for place in (folder, *filter(Path.is_dir, folder.iterdir())):
            tidy(place)
        yield
    finally:
        lock.release()


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
