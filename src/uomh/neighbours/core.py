"""What a neighbour search takes and gives: points in blocks, distinct rows, and the result.

A set of points may be an array in memory, a memory-mapped file larger than memory, or a torch
tensor; `Points` shows each of them as n rows of D numbers and hands out blocks, so that nothing
above it holds a converted copy of the whole set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.errors import UomhError

Duplicates = Literal["drop", "keep", "error"]

BLOCK_BYTES = 1 << 26


@dataclass(frozen=True)
class Neighbours:
    """The k nearest neighbours of m points, nearest first.

    Every index, in `rows` and in `indices`, is a row of the array that was searched, so that
    ``labels[found.indices]`` are the neighbours' labels. Among equal distances the lower index
    comes first.

    Attributes:
        distances: Euclidean distances, float64 (m, k), ascending along each row.
        indices: The neighbours, int64 (m, k). Dropped duplicates never appear.
        rows: The points that were asked about, int64 (m,): row i of the result belongs to
            ``X[rows[i]]`` in a search within X (without the dropped duplicates), to
            ``queries[rows[i]]``, that is ``queries[i]``, when there are queries.
        duplicates: How many rows of X equal an earlier row.
        recall: 1.0 for an exact search; for an approximate one the share of true neighbours
            found, measured on a sample.
    """

    distances: NDArray[np.float64]
    indices: NDArray[np.int64]
    rows: NDArray[np.int64]
    duplicates: int = 0
    recall: float = 1.0

    @property
    def k(self) -> int:
        """The number of neighbours of each point."""
        return int(self.distances.shape[1])

    def __len__(self) -> int:
        return len(self.rows)


class Points:
    """n points of D coordinates, read in blocks from an array, a memory map or a tensor.

    Args:
        X: n rows of any trailing shape, which is flattened; numbers of any real type.
        name: What errors call it.

    Raises:
        UomhError: X is not an array of at least one row of numbers.
    """

    def __init__(self, X: Any, name: str = "X") -> None:
        if isinstance(X, torch.Tensor):
            X = X.detach().cpu()
            X = (X.float() if X.dtype == torch.bfloat16 else X).numpy()
        array = X if isinstance(X, np.ndarray) else np.asarray(X)
        if array.ndim < 2 or 0 in array.shape:
            raise UomhError(
                f"{name} must hold one point per row (at least one row and one column); "
                f"it has shape {array.shape}"
            )
        if array.dtype.kind not in "buif":
            raise UomhError(f"{name} must hold real numbers; it holds {array.dtype}")
        self.array = array
        self.name = name
        self.n: int = array.shape[0]
        self.dim = int(np.prod(array.shape[1:]))

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[Any]:
        """The chosen rows, flattened, in the type they are stored in."""
        block = np.asarray(self.array[rows])
        return block.reshape(len(block), self.dim)

    def blocks(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Consecutive rows, as (slice, rows), in blocks of bounded memory."""
        step = max(1, BLOCK_BYTES // (8 * self.dim))
        for start in range(0, self.n, step):
            rows = slice(start, min(start + step, self.n))
            yield rows, self[rows]

    def require_finite(self) -> None:
        """Raise UomhError where a coordinate is NaN or infinite."""
        if self.array.dtype.kind != "f":
            return
        for rows, block in self.blocks():
            bad = ~np.isfinite(block).all(axis=1)
            if bad.any():
                first = rows.start + int(bad.argmax())
                raise UomhError(
                    f"{self.name} has a NaN or infinite value in row {first}; "
                    "remove or repair such rows first"
                )


def distinct(X: Any) -> NDArray[np.int64]:
    """The rows of X at which a point appears for the first time, ascending.

    Rows are compared by a 64-bit hash in one pass over blocks; rows of equal hash are then
    compared in full, so the answer is exact.

    Args:
        X: (n, ...) array, memory map or tensor.

    Returns:
        int64 (m,), m <= n: ``X[distinct(X)]`` has no two equal rows.

    >>> distinct(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))
    array([0, 1])
    """
    points = X if isinstance(X, Points) else Points(X)
    hashes = _hashes(points)
    _, group, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    keep = np.ones(points.n, dtype=bool)
    shared = np.flatnonzero(sizes[group] > 1)
    shared = shared[np.argsort(group[shared], kind="stable")]
    for rows in np.split(shared, np.flatnonzero(np.diff(group[shared])) + 1):
        while len(rows) > 1:
            equal = _equal_to_first(points, rows)
            keep[rows[equal][1:]] = False
            rows = rows[~equal]
    return np.flatnonzero(keep)


def _hashes(points: Points) -> NDArray[np.uint64]:
    """A multilinear hash of each row's bytes modulo 2^64; equal rows have equal hashes."""
    padded = -(-points.dim * points.array.dtype.itemsize // 8)
    odd = np.random.default_rng(0).integers(0, 1 << 63, size=padded, dtype=np.uint64) * 2 + 1
    hashes = np.empty(points.n, dtype=np.uint64)
    for rows, block in points.blocks():
        # Adding zero turns -0.0, which equals 0.0 but has other bytes, into 0.0.
        same = np.ascontiguousarray(block + 0.0 if block.dtype.kind == "f" else block)
        data = same.astype(block.dtype, copy=False).view(np.uint8).reshape(len(block), -1)
        words = np.zeros((len(block), padded * 8), dtype=np.uint8)
        words[:, : data.shape[1]] = data
        hashes[rows] = words.view(np.uint64) @ odd
    return hashes


def _equal_to_first(points: Points, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    step = max(1, BLOCK_BYTES // (8 * points.dim))
    first = points[rows[:1]]
    parts = [(points[rows[i : i + step]] == first).all(axis=1) for i in range(0, len(rows), step)]
    return np.concatenate(parts)
