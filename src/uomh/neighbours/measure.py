"""Exact squared distances of listed pairs, and the k nearest of them for each point.

Differences are taken before squares are summed, so that near-duplicates keep their digits. Bytes
are faster: their differences and squares are whole numbers, which float32 sums without error below
2^24; the rare larger sum is taken again in float64. Everything here is done by one thread, in
memory that stays in its cache; threads share the bands of a search (`exact`), not each short
operation, at whose ends they would wait for each other.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.neighbours.core import Points

Rows = NDArray[np.int64]

CHUNK_BYTES = 1 << 20  # of a thread's working set
LISTED_PAIRS = 1 << 21
ROW_SHIFT, COLUMN_BITS, LOST_BITS = 53, 30, 8
EXACT_IN_FLOAT32 = 2.0**24


def squared_distances(a: Points, b: Points, i: Rows, j: Rows) -> NDArray[np.float64]:
    """Squared distances float64 (p,) between ``a[i]`` and ``b[j]``, int64 (p,) each."""
    squared = np.empty(len(i))
    byte = a.dtype == b.dtype == torch.uint8
    kind = np.float32 if byte else np.float64
    step = max(1, min(len(i), CHUNK_BYTES // (kind().itemsize * a.dim)))
    p_all, q_all, r_all = a.empty(step), b.empty(step), b.empty(step)
    all_ = np.empty((step, a.dim), kind)
    for start in range(0, len(i), step):
        part = slice(start, min(start + step, len(i)))
        size = part.stop - start
        p, q, difference = p_all[:size], q_all[:size], all_[:size]
        a.read(i[part], p)
        b.read(j[part], q)
        if byte:
            low = np.minimum(p, q, out=r_all[:size])
            np.maximum(p, q, out=p)
            p -= low
            np.copyto(difference, p)
        else:
            np.copyto(difference, p)
            difference -= q
        squared[part] = np.einsum("ij,ij->i", difference, difference)
        if byte and (large := np.flatnonzero(squared[part] >= EXACT_IN_FLOAT32)).size:
            exact = difference[large].astype(np.float64)
            squared[start + large] = np.einsum("ij,ij->i", exact, exact)
    return squared


def pack(row: Tensor, column: Tensor, low: Tensor) -> Tensor:
    """Pairs as one int64 each, which sort by row, then by lower bound, then by column.

    The bits of a positive float sort as the float does; dropping the last eight rounds it down by
    less than one part in 30,000, which leaves it a lower bound.

    Args:
        row: Below 2^10.
        column: Below 2^30.
        low: Lower bounds, of which the negative ones count as zero.
    """
    bits = low.float().clamp_(min=0).view(torch.int32) >> LOST_BITS
    return (row << ROW_SHIFT) | (bits.long() << COLUMN_BITS) | column


def unpack(pairs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Row int64, column int64 and lower bound float32 of packed pairs."""
    bits = ((pairs >> COLUMN_BITS) & ((1 << (ROW_SHIFT - COLUMN_BITS)) - 1)) << LOST_BITS
    return pairs >> ROW_SHIFT, pairs & ((1 << COLUMN_BITS) - 1), bits.int().view(torch.float32)


class Candidates:
    """The pairs that may be neighbours of some points, narrowed down to the k nearest.

    Args:
        points: The set that is searched.
        asked: The set that holds the points in question.
        rows: Which rows of `asked` those are, int64 (b,), b at most 1024.
        k: How many neighbours to keep at most.
        unit: The squared length that bounds count as 1, in squared units of the points.
        wanted: How many of each point to keep, int64 (b,). None: k.
    """

    def __init__(
        self,
        points: Points,
        asked: Points,
        rows: Tensor,
        k: int,
        unit: float,
        wanted: Rows | None = None,
    ) -> None:
        self.points, self.asked, self.rows, self.k = points, asked, rows.numpy(), k
        self.wanted = np.full(len(rows), k) if wanted is None else wanted
        self.unit = unit
        self.squared = np.full((len(rows), k), np.inf)
        self.found = np.full((len(rows), k), -1)
        self.listed: list[Tensor] = []
        self.length = 0

    def add(self, pairs: Tensor) -> None:
        """List packed pairs of positions in `rows` and rows of `points`, each pair once."""
        self.listed.append(pairs)
        self.length += len(pairs)
        if self.length > LISTED_PAIRS:
            self.settle()

    def nearest(self, k: int, at: Rows | None = None) -> tuple[NDArray[np.float64], Rows]:
        """Squared distances and rows of `points`, (b, k) each; inf and -1 where too few.

        Args:
            k: How many, at most those that are wanted.
            at: Positions in `rows`; None for all.
        """
        self.settle()
        near = np.s_[:, :k] if at is None else np.s_[at, :k]
        return self.squared[near], self.found[near]

    def settle(self) -> None:
        """Measure what is listed as far as it can matter, and keep the nearest of each point."""
        if not self.listed:
            return
        pairs = np.concatenate([each.numpy() for each in self.listed])
        pairs.sort()
        row, column, low = (each.numpy() for each in unpack(torch.from_numpy(pairs)))
        self.listed, self.length = [], 0
        # A bound may exceed the distance by 2^-22 of it; see `bounds`.
        below = low * np.float64(self.unit * (1 - 1e-6))
        early = place_in_row(row, len(self.rows)) < (self.wanted + (self.wanted + 1) // 2)[row]
        last = np.arange(len(self.rows)), self.wanted - 1
        for turn in (early, ~early):
            near = turn & (below <= self.squared[last][row])
            self._measure(row[near], column[near])

    def _measure(self, row: Rows, column: Rows) -> None:
        squared = squared_distances(self.asked, self.points, self.rows[row], column)
        self._keep(row, column, squared)

    def _keep(self, row: Rows, column: Rows, squared: NDArray[np.float64]) -> None:
        """Merge measured pairs into the k nearest: by distance, then by row of `points`."""
        old_row, old_place = np.nonzero(self.found >= 0)
        row = np.concatenate([row, old_row])
        column = np.concatenate([column, self.found[old_row, old_place]])
        squared = np.concatenate([squared, self.squared[old_row, old_place]])
        order = _ordered(row, squared, column)
        row, column, squared = row[order], column[order], squared[order]
        place = place_in_row(row, len(self.rows))
        best = place < self.wanted[row]
        self.squared[row[best], place[best]] = squared[best]
        self.found[row[best], place[best]] = column[best]


def _ordered(row: Rows, squared: NDArray[np.float64], column: Rows) -> Rows:
    """The order by row, then squared distance, then column.

    One key holds the row and all but the last bits of the distance, whose bits sort as positive
    floats do; a sort of whole numbers is fast. What ties on the key is sorted again in full.
    """
    key = (row << ROW_SHIFT) | (squared.view(np.int64) >> (64 - ROW_SHIFT))
    order: Rows = np.argsort(key)
    ranked = key[order]
    same = np.flatnonzero(ranked[1:] == ranked[:-1])
    if same.size:
        tied = np.union1d(same, same + 1)
        among = order[tied]
        order[tied] = among[np.lexsort((column[among], squared[among], key[among]))]
    return order


def place_in_row(row: Rows, n: int) -> Rows:
    """The position of each entry among those of its row; rows ascend."""
    counts = np.bincount(row, minlength=n)
    return np.arange(len(row)) - (counts.cumsum() - counts)[row]
