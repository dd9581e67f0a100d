"""The decoded form of a source: shuffled, memory-mapped arrays in one folder, written once.

A source is a set of `Rows` for its splits. They are written block by block into ``.npy`` files in
the order of the fixed shuffle, so that every later split, limit or validation set is a slice, and
memory stays bounded by a block. The folder appears under its name only when it is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.data.core import Split, fixed_order
from uomh.errors import UomhError

Array = NDArray[Any]
Block = tuple[Array, NDArray[np.int64] | None]

LAYOUT = 1
"""Number of the layout of a folder; a new one makes old folders be written anew."""


@dataclass(frozen=True)
class Rows:
    """The rows of one split of a source.

    Attributes:
        n: how many.
        blocks: a function that yields them in order as blocks of (x, y).
    """

    n: int
    blocks: Callable[[], Iterator[Block]]

    @classmethod
    def of(cls, x: Array, y: Array | None) -> Rows:
        """Rows of arrays already in memory."""
        labels = None if y is None else np.asarray(y, dtype=np.int64)
        return cls(len(x), lambda: iter([(x, labels)]))


@dataclass(frozen=True)
class Source:
    """A data set as it is read: rows of ``train`` and maybe ``test``, class names, grey levels."""

    train: Rows
    test: Rows | None
    classes: tuple[str, ...]
    levels: int | None


@dataclass(frozen=True)
class Decoded:
    """A source in the cache; ``test`` is None where the source has no such split."""

    train: Split
    test: Split | None
    classes: tuple[str, ...]
    levels: int | None
    fingerprint: str


def cache_root() -> Path:
    """Where decoded data are kept: ``$UOMH_CACHE``, else ``~/.cache/uomh``."""
    return Path(os.environ.get("UOMH_CACHE", Path.home() / ".cache" / "uomh"))


def decoded(name: str, key: str, source: Callable[[], AbstractContextManager[Source]]) -> Decoded:
    """The decoded form of a source, from the cache or written to it now.

    Args:
        name: a readable name for the folder.
        key: what identifies the source's content and the way it is decoded.
        source: opens the source; called only where the cache has no such key.

    Raises:
        UomhError: the cache cannot be written.
    """
    digest = hashlib.blake2b(f"{LAYOUT} {key}".encode(), digest_size=8).hexdigest()
    folder = cache_root() / f"{''.join(c if c.isalnum() else '-' for c in name)}-{digest}"
    if not (folder / "meta.json").is_file():
        try:
            with source() as read:
                _write(read, folder)
        except OSError as error:
            raise UomhError(
                f"cannot write the decoded data to {str(folder)!r} ({error.strerror}); "
                "set UOMH_CACHE to a folder that can be written"
            ) from error
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return Decoded(
        train=_open(folder, "train"),
        test=_open(folder, "test") if (folder / "test_x.npy").is_file() else None,
        classes=tuple(meta["classes"]),
        levels=meta["levels"],
        fingerprint=meta["fingerprint"],
    )


def _open(folder: Path, split: str) -> Split:
    # Copy-on-write: torch wants writable memory, and nothing may reach the file.
    x = torch.from_numpy(np.load(folder / f"{split}_x.npy", mmap_mode="c"))
    labels = folder / f"{split}_y.npy"
    return Split(x, torch.from_numpy(np.load(labels)) if labels.is_file() else None)


def _write(source: Source, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, rows in (("train", source.train), ("test", source.test)):
            if rows is not None:
                _scatter(rows, partial, name)
        meta = {
            "classes": source.classes,
            "levels": source.levels,
            "fingerprint": _fingerprint(partial),
        }
        (partial / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        with contextlib.suppress(OSError):  # another process was first: its folder is the same
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _scatter(rows: Rows, folder: Path, name: str) -> None:
    """Write rows in the fixed order."""
    order = fixed_order(rows.n)
    place = np.empty_like(order)
    place[order] = np.arange(rows.n)
    target: Array | None = None
    labels: NDArray[np.int64] | None = None
    row = 0
    for x, y in rows.blocks():
        if target is None:
            shape = (rows.n, *x.shape[1:])
            target = np.lib.format.open_memmap(
                folder / f"{name}_x.npy", mode="w+", dtype=x.dtype, shape=shape
            )
            labels = None if y is None else np.empty(rows.n, dtype=np.int64)
        where = place[row : row + len(x)]
        row += len(x)
        target[where] = x
        if labels is not None and y is not None:
            labels[where] = y
    if labels is not None:
        np.save(folder / f"{name}_y.npy", labels)


def _fingerprint(folder: Path) -> str:
    """Digest of the decoded content, the same wherever the source came from."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.glob("*.npy")):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while chunk := file.read(1 << 22):
                digest.update(chunk)
    return digest.hexdigest()
