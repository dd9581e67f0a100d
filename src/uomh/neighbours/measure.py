"""Exact squared distances of listed pairs, and the k nearest of them for each point.

Differences are taken before squares are summed, so that near-duplicates keep their digits. Bytes
are faster: their differences and squares are whole numbers, which float32 sums without error below
2^24; the rare larger sum is taken again in float64.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.neighbours.core import Points

Rows = NDArray[np.int64]

CHUNK = 1 << 19  # numbers in a working set that stays in the cache
LISTED_PAIRS = 1 << 21
EXACT_IN_FLOAT32 = 2.0**24


def squared_distances(a: Points, b: Points, i: Tensor, j: Tensor) -> Tensor:
    """Squared distances float64 (p,) between ``a[i]`` and ``b[j]``, int64 (p,) each."""
    byte = a.dtype == b.dtype == torch.uint8
    kind = torch.float32 if byte else torch.float64
    squared = torch.empty(len(i), dtype=torch.float64)
    step = max(1, CHUNK // a.dim)
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        difference = a.take(i[part]).to(kind)
        difference -= b.take(j[part])
        squared[part] = difference.mul_(difference).sum(1)
    if byte:
        (large,) = torch.where(squared >= EXACT_IN_FLOAT32)
        for start in range(0, len(large), step):
            again = large[start : start + step]
            difference = a.take(i[again]).double() - b.take(j[again])
            squared[again] = difference.mul_(difference).sum(1)
    return squared


class Candidates:
    """The pairs that may be neighbours of some points, narrowed down to the k nearest.

    Args:
        points: The set that is searched.
        asked: The set that holds the points in question.
        rows: Which rows of `asked` those are, int64 (b,).
        k: How many neighbours to keep.
        unit: The squared length that bounds count as 1, in squared units of the points.
        within: Whether `asked` is `points`, so that a pair of equal rows is no pair.
    """

    def __init__(
        self, points: Points, asked: Points, rows: Rows, k: int, unit: float, within: bool
    ) -> None:
        self.points, self.asked, self.rows, self.k = points, asked, torch.from_numpy(rows), k
        self.unit, self.within = unit, within
        self.squared = torch.full((len(rows), k), torch.inf, dtype=torch.float64)
        self.found = torch.full((len(rows), k), -1)
        self.listed: list[tuple[Tensor, Tensor, Tensor]] = []
        self.length = 0

    def add(self, row: Tensor, column: Tensor, low: Tensor) -> None:
        """List pairs: positions in `rows`, rows of `points`, lower bounds; all of length p."""
        self.listed.append((row, column, low))
        self.length += len(row)
        if self.length > LISTED_PAIRS:
            self._settle()

    def nearest(self) -> tuple[NDArray[np.float64], Rows]:
        """Squared distances (b, k) and rows of `points` (b, k); inf and -1 where too few."""
        self._settle()
        return self.squared.numpy(), self.found.numpy()

    def _settle(self) -> None:
        """Measure what is listed as far as it can matter, and keep the k nearest of each point."""
        row, column, low = (torch.cat(part) for part in zip(*self.listed, strict=True))
        self.listed, self.length = [], 0
        if self.within:
            other = self.rows[row] != column
            row, column, low = row[other], column[other], low[other]

        # Least bounds first, point by point. Bits of positive floats sort as the floats do.
        bits = low.float().clamp_(min=0).view(torch.int32).long()
        order = torch.sort((row << 32) | bits).indices
        row, column, low = row[order], column[order], low[order].double()
        low = low * (self.unit * (1 - 1e-6))
        counts = torch.bincount(row, minlength=len(self.rows))
        place = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row]

        limit = self.squared[:, -1].clone()
        early = (place < self.k) & (low <= limit[row])
        squared = torch.full_like(low, torch.inf)
        squared[early] = self._measure(row[early], column[early])
        enough = torch.bincount(row[early], minlength=len(self.rows)) == self.k
        first = torch.zeros_like(limit).scatter_reduce_(0, row[early], squared[early], "amax")
        limit = torch.where(enough, torch.minimum(limit, first), limit)
        late = (place >= self.k) & (low <= limit[row])
        squared[late] = self._measure(row[late], column[late])
        self._keep(row, column, squared, early | late)

    def _measure(self, row: Tensor, column: Tensor) -> Tensor:
        return squared_distances(self.asked, self.points, self.rows[row], column)

    def _keep(self, row: Tensor, column: Tensor, squared: Tensor, measured: Tensor) -> None:
        """Merge measured pairs into the k nearest: by distance, then by row of `points`."""
        old_row, old_place = torch.where(self.found >= 0)
        row = torch.cat([row[measured], old_row])
        column = torch.cat([column[measured], self.found[old_row, old_place]])
        squared = torch.cat([squared[measured], self.squared[old_row, old_place]])
        # Sort by row, then distance, then column: stable sorts, the last key first.
        order = torch.sort(column).indices
        order = order[torch.sort(squared[order], stable=True).indices]
        order = order[torch.sort(row[order], stable=True).indices]
        row, column, squared = row[order], column[order], squared[order]
        counts = torch.bincount(row, minlength=len(self.rows))
        place = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row]
        best = place < self.k
        self.squared[row[best], place[best]] = squared[best]
        self.found[row[best], place[best]] = column[best]
