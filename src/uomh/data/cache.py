"""The decoded form of a source: shuffled, memory-mapped arrays in one folder, written once.

A source is a set of `Rows` for its splits. They are written block by block into ``.npy`` files in
the order of the fixed shuffle, so that every later split, limit or validation set is a slice, and
memory stays bounded by a block. Rows without a label are left out, and counted. The folder appears
under its name only when it is complete; one that was damaged since is written anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.data.core import Split, fixed_order
from uomh.data.labels import UNLABELLED
from uomh.errors import UomhError

Array = NDArray[Any]
Ints = NDArray[np.int64]

LAYOUT = 2
"""version of what a folder holds; raise it on a change, and older folders are written anew"""
CHUNK = 4096
"""rows that are copied at once"""
ABANDONED = 24 * 3600.0
"""seconds after which a folder that is still incomplete belongs to a process that was killed"""


class Block(NamedTuple):
    """Some rows of a split.

    Attributes:
        x: (B, ...) points.
        y: (B,) class numbers, or `UNLABELLED`; None where the source has no labels.
        rows: (B,) row of each in the split, ascending; None: the rows that come next. Needed where
            some rows are left out.
    """

    x: Array
    y: Ints | None = None
    rows: Ints | None = None


@dataclass(frozen=True)
class Rows:
    """The rows of one split of a source.

    Attributes:
        n: how many.
        blocks: a function that yields them in order, block by block; it may leave some out.
    """

    n: int
    blocks: Callable[[], Iterator[Block]]

    @classmethod
    def of(cls, x: Array, y: Array | None) -> Rows:
        """Rows of arrays already in memory."""
        labels = None if y is None else np.asarray(y, dtype=np.int64)
        return cls(len(x), lambda: iter([Block(x, labels)]))


@dataclass(frozen=True)
class Source:
    """A data set as it is read.

    Attributes:
        train: its training rows.
        test: its test rows; None where it has no such split.
        classes: names of the classes; empty without labels.
        levels: grey levels of images; None for vectors.
        notes: sentences on what was changed or left out; more may be added while blocks are read.
    """

    train: Rows
    test: Rows | None
    classes: tuple[str, ...]
    levels: int | None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Decoded:
    """A source in the cache; ``test`` is None where the source has no such split.

    Attributes:
        train: the training rows, in the fixed order.
        test: the test rows.
        classes: names of the classes.
        levels: grey levels of images, None for vectors.
        fingerprint: digest of the points and labels.
        notes: what was changed or left out.
        unlabelled: training rows left out because they have no label.
        source_rows: training rows of the source, with those that are left out.
    """

    train: Split
    test: Split | None
    classes: tuple[str, ...]
    levels: int | None
    fingerprint: str
    notes: tuple[str, ...] = ()
    unlabelled: int = 0
    source_rows: int = 0


def cache_root() -> Path:
    """Where decoded data are kept: ``$UOMH_CACHE``, else ``~/.cache/uomh``."""
    return Path(os.environ.get("UOMH_CACHE", Path.home() / ".cache" / "uomh"))


def decoded(name: str, key: str, source: Callable[[], AbstractContextManager[Source]]) -> Decoded:
    """The decoded form of a source, from the cache or written to it now.

    Args:
        name: a readable name for the folder.
        key: what identifies the source's content and the way it is decoded.
        source: opens the source; called only where the cache has no such key, or a damaged one.

    Raises:
        UomhError: the cache cannot be written, or no row is left.
    """
    digest = hashlib.blake2b(f"{LAYOUT} {key}".encode(), digest_size=8).hexdigest()
    folder = cache_root() / f"{''.join(c if c.isalnum() else '-' for c in name)[:64]}-{digest}"
    found = _read(folder)
    if found is None:
        try:
            with source() as read:
                _write(read, folder, name)
        except OSError as error:
            raise UomhError(
                f"cannot write the decoded data to {str(folder)!r} ({error.strerror}); "
                "set UOMH_CACHE to a folder that can be written"
            ) from error
        found = _read(folder)
    if found is None:
        raise UomhError(f"the decoded data in {str(folder)!r} cannot be read; remove that folder")
    return found


def _read(folder: Path) -> Decoded | None:
    """What a folder holds; None where it is not there, or damaged."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        return Decoded(
            train=_open(folder, "train", meta["labelled"]),
            test=_open(folder, "test", meta["labelled"]) if meta["tested"] else None,
            classes=tuple(meta["classes"]),
            levels=meta["levels"],
            fingerprint=meta["fingerprint"],
            notes=tuple(meta["notes"]),
            unlabelled=meta["unlabelled"],
            source_rows=meta["source_rows"],
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def _publish(partial: Path, folder: Path) -> None:
    """Give a complete folder its name, unless another process was first with the same content."""
    with contextlib.suppress(OSError):
        partial.rename(folder)
        return
    if _read(folder) is None:  # damaged
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            partial.rename(folder)


def left_out(count: int, what: str) -> str:
    """The note on rows without a label.

    >>> left_out(1, "test")
    '1 test row has no label and is left out'
    """
    rows, are = ("row has", "is") if count == 1 else ("rows have", "are")
    return f"{count:,} {what} {rows} no label and {are} left out"


def _open(folder: Path, split: str, labelled: bool) -> Split:
    # Copy-on-write: torch wants writable memory, and no write may reach the file.
    x = torch.from_numpy(np.load(folder / f"{split}_x.npy", mmap_mode="c"))
    rows = torch.from_numpy(np.load(folder / f"{split}_rows.npy"))
    y = torch.from_numpy(np.load(folder / f"{split}_y.npy")) if labelled else None
    if len(rows) != len(x) or (y is not None and len(y) != len(x)):
        raise ValueError("files of different length")
    return Split(x, y, rows)


def _write(source: Source, folder: Path, name: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}-*"):
        with contextlib.suppress(OSError):  # another process may be faster
            if left.stat().st_mtime < time.time() - ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        kept, unlabelled = _scatter(source.train, partial, "train")
        if not kept:
            raise UomhError(f"{name} has no training row{' with a label' if unlabelled else ''}")
        labelled = (partial / "train_y.npy").is_file()
        tested, unlabelled_tests = (
            (0, 0) if source.test is None else _scatter(source.test, partial, "test")
        )
        if tested and (partial / "test_y.npy").is_file() != labelled:
            raise UomhError(f"{name}: one of the training and test points has labels, one has none")
        notes = [*source.notes]
        counts = {"training": unlabelled, "test": unlabelled_tests}
        notes += [left_out(count, what) for what, count in counts.items() if count]
        meta = {
            "classes": source.classes,
            "levels": source.levels,
            "labelled": labelled,
            "tested": tested > 0,
            "notes": notes,
            "unlabelled": unlabelled,
            "source_rows": source.train.n,
            "fingerprint": _fingerprint(partial),
        }
        (partial / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        _publish(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _scatter(rows: Rows, folder: Path, name: str) -> tuple[int, int]:
    """Write rows in the fixed order; returns how many were written, and how many had no label."""
    order = fixed_order(rows.n)
    place = np.empty_like(order)
    place[order] = np.arange(rows.n)
    target: Array | None = None
    labels: Ints | None = None
    present = np.zeros(rows.n, dtype=bool)
    row = 0
    for x, y, at in rows.blocks():
        if target is None:
            shape = (rows.n, *x.shape[1:])
            target = np.lib.format.open_memmap(
                folder / f"{name}_x.npy", mode="w+", dtype=x.dtype, shape=shape
            )
            labels = None if y is None else np.full(rows.n, UNLABELLED)
        where = place[row : row + len(x)] if at is None else place[at]
        row = row + len(x) if at is None or not len(at) else int(at[-1]) + 1
        target[where] = x
        present[where] = True
        if labels is not None and y is not None:
            labels[where] = y
    keep = present if labels is None else present & (labels != UNLABELLED)
    counts = int(keep.sum()), int((present & ~keep).sum())
    path = folder / f"{name}_x.npy"
    if target is None or not counts[0]:
        path.unlink(missing_ok=True)
        return counts
    if not keep.all():
        _leave_out(target, keep, path)
    np.save(folder / f"{name}_rows.npy", order[keep])
    if labels is not None:
        np.save(folder / f"{name}_y.npy", labels[keep])
    return counts


def _leave_out(x: Array, keep: NDArray[np.bool_], path: Path) -> None:
    """Replace the file of x by one of the rows to keep."""
    short = path.with_name(f"{path.name}.short")
    rows = np.flatnonzero(keep)
    shape = (len(rows), *x.shape[1:])
    target = np.lib.format.open_memmap(short, mode="w+", dtype=x.dtype, shape=shape)
    for start in range(0, len(rows), CHUNK):
        target[start : start + CHUNK] = x[rows[start : start + CHUNK]]
    target.flush()
    short.replace(path)


def _fingerprint(folder: Path) -> str:
    """Digest of the decoded points and labels, the same wherever the source came from."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.glob("*_[xy].npy")):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while chunk := file.read(1 << 22):
                digest.update(chunk)
    return digest.hexdigest()
