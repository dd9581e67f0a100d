"""Exact squared distances of bytes, as one product of whole numbers.

With b = x - 128 a byte is a signed one, distances stay what they are, and

    |x - y|^2 = |b_x|^2 + |b_y|^2 - 2 b_x.b_y

is a whole number below 2^31 for fewer than 2^15 coordinates. Processors multiply signed bytes and
add the products up in 32 bits without any rounding, about four times as fast as they multiply
float32 numbers. So for bytes there is nothing to bound and nothing to measure again: the table is
the answer, and all coordinates cost less than the few that a bound needs in float32.

Torch has this product for processors under a name of its own, and older processors add pairs of
products up in 16 bits, which may not hold them; so `is_exact` tries both whether it is right and
whether it is quick, once, and the search does without it (`exact`, `bounds`) where it is not. The
answer is the same either way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.neighbours.bands import CACHE_BYTES, Deeper, Search
from uomh.neighbours.core import Points
from uomh.neighbours.measure import place_in_row
from uomh.neighbours.tables import Tables
from uomh.parallel.progress import Progress

Rows = NDArray[np.int64]

COORDINATES = range(2, 1 << 15)
"""so many that sums of squares stay below 2^31; of a single one torch's product is wrong"""
COLUMN_BITS, VALUE_BITS = 22, 31
"""of a packed pair: 10 bits are left for its row"""
FARTHEST = torch.iinfo(torch.int32).max
"""in place of a distance that does not count"""
LISTED_PAIRS = 1 << 21
NORM_ROWS = 32
SLOWER = 4
"""times a float32 product: more than a busy machine shows, and less than plain loops over bytes"""
FEW = 16
"""stretches of a row for each of its nearest that are looked for"""
TABLE = 1 << 22
"""entries of a table that is searched by itself"""
DIRECT_ROWS = 2048
"""points so few are a single table, and looking where to look would take longer"""


@dataclass(frozen=True)
class ByteRows:
    """Rows of bytes, ready to be multiplied.

    Attributes:
        values: the bytes less 128, int8 (n, D).
        norms: their squared lengths, int32 (n,).
    """

    values: Tensor
    norms: Tensor

    @classmethod
    def of(cls, block: Tensor) -> ByteRows:
        """Of points uint8 (n, D)."""
        values = (block ^ 128).contiguous().view(torch.int8)
        # Squares of bytes are summed quickest as the diagonal of small products.
        parts = values.split(NORM_ROWS)
        return cls(values, torch.cat([_product(part, part).diagonal() for part in parts]))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | Tensor) -> ByteRows:
        if isinstance(rows, slice):
            return ByteRows(self.values[rows], self.norms[rows])
        # Copies whole rows, where indexing copies byte by byte.
        return ByteRows(self.values.index_select(0, rows), self.norms.index_select(0, rows))

    def squared(self, other: ByteRows, out: Tensor | None = None) -> Tensor:
        """Squared distances to other rows, int32 (n, m), in `out` if given."""
        table = _product(self.values, other.values, out)
        return torch.add(self.norms[:, None], table, alpha=-2, out=table).add_(other.norms)


def _product(left: Tensor, right: Tensor, out: Tensor | None = None) -> Tensor:
    if out is None:
        out = torch.empty(len(left), len(right), dtype=torch.int32)
    product: Tensor = torch._int_mm(left, right.T, out=out)
    return product


def applies(points: Points, asked: Points, device: torch.device) -> bool:
    """Whether the distances between these sets are whole numbers that are computed here."""
    return (
        points.dtype == asked.dtype == torch.uint8
        and points.dim in COORDINATES
        and points.n < 1 << COLUMN_BITS
        and device.type == "cpu"
        and is_exact()
    )


@cache
def is_exact() -> bool:
    """Whether products of signed bytes are right, and not far slower than those of floats."""
    rng = np.random.default_rng(0)
    values = rng.integers(-128, 128, (2, 128, 1000), dtype=np.int8)
    values[:, :32], values[:, 32:64] = -128, 127  # the largest sums that there are
    left, right = torch.from_numpy(values)
    try:
        found = _product(left, right).numpy()
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    if (found != values[0].astype(np.int64) @ values[1].astype(np.int64).T).any():
        return False
    floats = left.float(), right.float()
    slowest = SLOWER * _quickest(lambda: torch.mm(floats[0], floats[1].T))
    return _quickest(lambda: _product(left, right)) <= slowest


def _quickest(function: Callable[[], object]) -> float:
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def pack_whole(row: Tensor, column: Tensor, squared: Tensor) -> Tensor:
    """Pairs as one int64 each, which sort by row, then by squared distance, then by column.

    Args:
        row: Below 2^10.
        column: Below 2^22.
        squared: Below 2^31.
    """
    return (row << VALUE_BITS + COLUMN_BITS) | (squared.long() << COLUMN_BITS) | column


class WholeCandidates:
    """Pairs of known distance, narrowed down to the nearest of each row.

    Args:
        rows: Which of the points asked about these are, int64 (b,), b at most 1024.
        wanted: How many of each to keep, int64 (b,), or one number for all.
    """

    def __init__(self, rows: Tensor, wanted: Rows | int) -> None:
        self.rows = rows.numpy()
        self.wanted = np.broadcast_to(wanted, len(rows))
        self.listed: list[Tensor] = []
        self.length = 0
        self._best: tuple[Rows, Rows, Rows] | None = None

    def add(self, pairs: Tensor) -> None:
        """List pairs as `pack_whole` gives them, each pair once."""
        self._best = None
        self.listed.append(pairs)
        self.length += len(pairs)
        if self.length > 2 * LISTED_PAIRS:
            self.settle()

    def settle(self) -> None:
        """Keep the nearest of each row."""
        pairs = torch.cat(self.listed).numpy() if self.listed else np.zeros(0, np.int64)
        pairs.sort()
        row = pairs >> VALUE_BITS + COLUMN_BITS
        place = place_in_row(row, len(self.rows))
        best = place < self.wanted[row]
        pairs, row, place = pairs[best], row[best], place[best]
        self.listed, self.length = [torch.from_numpy(pairs)], len(pairs)
        self._best = pairs, row, place

    def nearest(self, k: int, at: Rows | None = None) -> tuple[NDArray[np.float64], Rows]:
        """Squared distances and columns, (b, k) each; inf and -1 where there are too few.

        Args:
            k: How many, at most those that are wanted.
            at: Positions in `rows`; None for all.
        """
        if self._best is None:
            self.settle()
        assert self._best is not None
        at = np.arange(len(self.rows)) if at is None else at
        position = np.full(len(self.rows), -1)
        position[at] = np.arange(len(at))
        pairs, row, place = self._best
        kept = (place < k) & (position[row] >= 0)
        pairs, row, place = pairs[kept], position[row[kept]], place[kept]
        squared, found = np.full((len(at), k), np.inf), np.full((len(at), k), -1)
        squared[row, place] = (pairs >> COLUMN_BITS) & ((1 << VALUE_BITS) - 1)
        found[row, place] = pairs & ((1 << COLUMN_BITS) - 1)
        return squared, found


class WholeSearch(Search):
    """A search in tables of the squared distances themselves."""

    excluded = FARTHEST
    farthest = FARTHEST

    def __init__(
        self,
        points: Points,
        k: int,
        queries: Points | None,
        progress: Progress | None,
        deeper: Deeper | None = None,
    ) -> None:
        super().__init__(points, k, queries, progress, deeper)
        self.tables = Tables(torch.int32, torch.device("cpu"))
        self.cache = ByteRows.of(points[:]) if points.n * points.dim <= CACHE_BYTES else None

    def _estimates(self) -> ByteRows:
        if self.cache is not None:
            return self.cache[self.subset]
        return ByteRows.of(self.points.take(self.subset))

    def _ranked(self, table: Tensor, left: ByteRows, ranks: list[int]) -> NDArray[np.float64]:
        # Few of the nearest share one of many stretches of a row, and the least of each are fewer.
        stretches = FEW * max(ranks)
        length = table.shape[1] // stretches
        if length > 1:
            least = table[:, : length * stretches].view(len(table), length, stretches).amin(1)
            table = torch.cat([least, table[:, length * stretches :]], dim=1)
        places = [rank - 1 for rank in ranks]
        return np.partition(table.numpy(), sorted(set(places)), axis=1)[:, places].T

    def _left(self, rows: Tensor) -> ByteRows:
        if self.within and self.cache is not None:
            return self.cache[rows]
        return ByteRows.of(self.asked.take(rows))

    def _right(self, band: slice) -> ByteRows:
        if self.cache is not None:
            return self.cache[band]
        return ByteRows.of(self.points[band])

    def _table(self, left: ByteRows, right: ByteRows) -> Tensor:
        return left.squared(right, self.tables.block(len(left), len(right)))

    def _limits(self, reach: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(np.minimum(reach, FARTHEST - 1).astype(np.int32))

    def _pack(self, row: Tensor, column: Tensor, low: Tensor) -> Tensor:
        return pack_whole(row, column, low)

    def _candidates(self, rows: Tensor) -> WholeCandidates:
        return WholeCandidates(rows, self.wanted[rows.numpy()])


def searched_directly(points: Points, queries: Points | None) -> bool:
    """Whether a search is so small that the whole table is the quickest way."""
    if queries is None:
        return points.n <= DIRECT_ROWS
    return queries.n * points.n <= 2 * TABLE


def search_directly(
    points: Points, k: int, queries: Points | None
) -> tuple[NDArray[np.float64], Rows]:
    """Distances (m, k) and rows (m, k) of the k nearest, out of the table of all."""
    right = ByteRows.of(points[:])
    left = right if queries is None else ByteRows.of(queries[:])
    squared, found = np.empty((len(left), k)), np.empty((len(left), k), dtype=np.int64)
    step = min(1024, max(1, TABLE // len(right)))
    for start in range(0, len(left), step):
        rows = slice(start, min(start + step, len(left)))
        table = left[rows].squared(right)
        if queries is None:
            table.diagonal(start)[: len(table)] = FARTHEST
        squared[rows], found[rows] = nearest_in_table(table, k)
    return np.sqrt(squared), found


def nearest_in_table(table: Tensor, k: int) -> tuple[NDArray[np.float64], Rows]:
    """The k smallest of each row of a table of squared distances, and their columns.

    Of equal ones the first columns are taken. At most 1024 rows.

    >>> nearest_in_table(torch.tensor([[9, 4, 4, 1]], dtype=torch.int32), 2)
    (array([[1., 4.]]), array([[3, 1]]))
    """
    values = table.numpy()
    reach = np.partition(values, k - 1, axis=1)[:, k - 1]
    row, column = torch.where(table <= torch.from_numpy(reach)[:, None])
    candidates = WholeCandidates(torch.arange(len(table)), k)
    candidates.add(pack_whole(row, column, table[row, column]))
    return candidates.nearest(k)
