"""What a neighbour search takes and gives: points in blocks, distinct rows, and the result.

A set of points may be an array in memory, a memory-mapped file larger than memory, or a torch
tensor; `Points` shows each of them as n rows of D numbers and hands out the rows that are asked
for, so that nothing above it holds a converted copy of the whole set.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.errors import UomhError
from uomh.neighbours.arrays import as_rows, refuse_beyond_float64

Duplicates = Literal["drop", "keep", "error"]

BLOCK_BYTES = 1 << 21
LARGEST = 1e150  # the square of a distance between larger numbers overflows float64


@dataclass(frozen=True)
class Neighbours:
    """The k nearest neighbours of m points, nearest first.

    Every index, in `rows` and in `indices`, is a row of the array that was searched, so that
    ``labels[found.indices]`` are the neighbours' labels. Among equal distances the lower index
    comes first.

    Attributes:
        distances: Euclidean distances, float64 (m, k), ascending along each row.
        indices: The neighbours, int64 (m, k). Dropped duplicates never appear.
        rows: The points that were asked about, int64 (m,): in a search within X, result i belongs
            to ``X[rows[i]]``, and the dropped duplicates are missing; with queries it belongs to
            ``queries[i]`` and `rows` is 0 to m - 1.
        duplicates: How many rows of X equal an earlier row, whether dropped or kept.
        recall: 1.0 for an exact search; for an approximate one the share of the true neighbours
            that it found for a sample of the points.
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
    """n points of D coordinates, read row by row from an array, a memory map or a tensor.

    Args:
        X: n rows of any trailing shape, which is flattened; numbers of any real type.
        name: What errors call it.

    Attributes:
        array: all rows, (n, D), sharing the memory of X where it can.
        n: number of rows; after ``only``, of those rows.
        dim: D.

    Raises:
        UomhError: X is not an array of at least one row of real numbers (see ``arrays``).
    """

    def __init__(self, X: Any, name: str = "X") -> None:
        values = as_rows(X, name)
        self._values = values
        self.array: NDArray[Any] = values.numpy()
        self._rows: NDArray[np.int64] | None = None
        self.name = name
        self.n: int = values.shape[0]
        self.dim: int = values.shape[1]
        self.dtype = values.dtype

    def only(self, rows: NDArray[np.int64]) -> Points:
        """The set of these rows alone, not copied."""
        part = copy.copy(self)
        part._rows = rows if self._rows is None else self._rows[rows]
        part.n = len(rows)
        return part

    def __getitem__(self, rows: slice) -> Tensor:
        """Consecutive rows, (b, D), in the type they are stored in."""
        if self._rows is None:
            return self._values[rows]
        return self._values.index_select(0, torch.from_numpy(self._rows[rows]))

    def take(self, rows: NDArray[np.int64] | Tensor) -> Tensor:
        """The chosen rows, (len(rows), D), in the type they are stored in."""
        rows = np.asarray(rows)
        chosen = rows if self._rows is None else self._rows[rows]
        return self._values.index_select(0, torch.from_numpy(chosen))

    def empty(self, size: int) -> NDArray[Any]:
        """Room for that many rows."""
        return np.empty((size, self.dim), self.array.dtype)

    def read(self, rows: NDArray[np.int64], into: NDArray[Any]) -> None:
        """Copy the chosen rows into an array of `empty`."""
        chosen = rows if self._rows is None else self._rows[rows]
        # Rows are known to be in range; another mode would go through a copy.
        np.take(self.array, chosen, axis=0, out=into, mode="clip")

    def blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Consecutive rows, as (slice, rows), in blocks of bounded memory."""
        step = max(1, BLOCK_BYTES // (8 * self.dim))
        for start in range(0, self.n, step):
            rows = slice(start, min(start + step, self.n))
            yield rows, self[rows]

    def largest(self) -> float:
        """The largest absolute coordinate.

        Raises:
            UomhError: A coordinate is NaN, infinite or above 1e150, or a whole number above 2^53.
        """
        if self.dtype == torch.uint8:
            return 255.0
        largest = 0.0
        for rows, block in self.blocks():
            low, high = torch.aminmax(block)
            most = max(abs(float(low)), abs(float(high)))
            if not most <= LARGEST:
                bad = ~(block.double().abs() <= LARGEST).all(dim=1)
                raise UomhError(
                    f"{self.name} has a NaN, infinite or too large value in row "
                    f"{rows.start + int(bad.int().argmax())}; repair or remove such rows first"
                )
            largest = max(largest, most)
        if not self.dtype.is_floating_point:
            refuse_beyond_float64(largest, self.name)
        return largest

    def scaled(self, exponent: int) -> Points:
        """The same rows times 2^exponent, in float64: exact but for what overflows."""
        part = copy.copy(self)
        part.array = np.ldexp(self.array.astype(np.float64), exponent)
        part._values, part.dtype = torch.from_numpy(part.array), torch.float64
        return part


def distinct(X: Any) -> NDArray[np.int64]:
    """The rows of X at which a point appears for the first time, ascending.

    Rows are compared by a 64-bit hash in one pass over blocks; rows of equal hash are then
    compared in full, so the answer is exact.

    Args:
        X: (n, ...) array, memory map or tensor.

    Returns:
        int64 (m,), m <= n: ``X[distinct(X)]`` has no two equal rows.

    Examples:
        >>> distinct(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))
        array([0, 1])
    """
    points = X if isinstance(X, Points) else Points(X)
    _, group, sizes = np.unique(_hashes(points), return_inverse=True, return_counts=True)
    keep = np.ones(points.n, dtype=bool)
    shared = np.flatnonzero(sizes[group] > 1)
    shared = shared[np.argsort(group[shared], kind="stable")]
    for rows in np.split(shared, np.flatnonzero(np.diff(group[shared])) + 1):
        left = rows
        while len(left) > 1:
            equal = _equal_to_first(points, left)
            keep[left[equal][1:]] = False
            left = left[~equal]
    return np.flatnonzero(keep)


def _hashes(points: Points) -> NDArray[np.uint64]:
    """A multilinear hash of each row's bytes modulo 2^64; equal rows have equal hashes."""
    width = points.dim * points.dtype.itemsize
    words = -(-width // 8)
    odd = np.random.default_rng(0).integers(0, 1 << 63, size=words, dtype=np.uint64) * 2 + 1
    hashes = np.empty(points.n, dtype=np.uint64)
    for rows, block in points.blocks():
        # Adding zero turns -0.0, which equals 0.0 but has other bytes, into 0.0.
        plain = block + 0.0 if block.is_floating_point() else block
        data = plain.contiguous().view(torch.uint8).numpy()
        if width % 8:
            data = np.pad(data, ((0, 0), (0, 8 * words - width)))
        hashes[rows] = data.view(np.uint64) @ odd
    return hashes


def _equal_to_first(points: Points, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    step = max(1, BLOCK_BYTES // (8 * points.dim))
    first = points.take(rows[:1])
    parts = [
        (points.take(rows[i : i + step]) == first).all(dim=1).numpy()
        for i in range(0, len(rows), step)
    ]
    return np.concatenate(parts)
