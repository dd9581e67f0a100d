"""Exact nearest neighbours by bounds that few pairs survive (of bytes by whole numbers: `whole`).

1. *Guess how far to look.* The k-th neighbour lies about as far as the r-th in a random
   sixteenth of the set; r is chosen so that this is seldom too near.
2. *Rule pairs out.* One matrix product of a few principal coordinates bounds a block of
   distances from below (`bounds`). In a search within a set each block serves its rows and its
   columns; what is found for the columns waits for their turn while memory allows.
3. *Measure the rest.* Survivors are measured by differences in float64 (`measure`): first the
   1.5 k of least bound, whose k-th distance rules out most of the others, then those that remain.
4. *Certify.* A point whose k-th measured distance is within the guess has all its neighbours;
   any other is searched again as far as its k-th measured distance, which is then enough, or
   farther than before where fewer than k were found.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.devices import checked_device, widest_float
from uomh.errors import UomhError
from uomh.neighbours.bands import CACHE_BYTES, Deeper, Found, Search
from uomh.neighbours.bounds import as_estimates, as_rows, is_rough, make_sketch
from uomh.neighbours.core import BLOCK_BYTES, Points
from uomh.neighbours.measure import Candidates, pack
from uomh.neighbours.tables import Tables
from uomh.neighbours.whole import WholeSearch, applies, search_directly, searched_directly
from uomh.parallel.progress import Progress

PLAN = 640
TINY = 1e-90  # where all coordinates are smaller, squares lose digits, and then vanish
VANISHING = 1e-150  # distances whose square float64 cannot hold with all its digits


def search(
    points: Points,
    k: int,
    queries: Points | None,
    largest: float,
    *,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distances (m, k) and rows (m, k) of the k nearest points, of these or of the queries.

    Args:
        points: The set that is searched; at least k of them besides the point itself.
        k: The number of neighbours.
        queries: Whose neighbours are wanted; None for those of the points themselves.
        largest: The largest absolute coordinate of either.
        device: Where bounds are computed.
        progress: is told of the stage `neighbours`, in blocks.

    Raises:
        UomhError: Two points are so near that the square of their distance vanishes in float64.
    """
    if 0 < largest < TINY:  # squares would vanish: search in other units
        exponent = -math.frexp(largest)[1]
        distances, found = search(
            points.scaled(exponent),
            k,
            None if queries is None else queries.scaled(exponent),
            math.ldexp(largest, exponent),
            device=device,
            progress=progress,
        )
        return np.ldexp(distances, -exponent), found
    device = checked_device(device)
    if applies(points, queries or points, device) and searched_directly(points, queries):
        return search_directly(points, k, queries)
    return _in_bands(points, k, queries, largest, device, progress)[0]


def search_deeper(
    points: Points,
    k: int,
    deeper: Deeper,
    largest: float,
    *,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
) -> tuple[Found, Found]:
    """Distances and rows of the k nearest of each point, and of more of some points, in one pass.

    Args:
        points: The set that is searched.
        k: The number of neighbours.
        deeper: Of which points more are wanted, and how many.
        largest: The largest absolute coordinate.
        device: Where bounds are computed.
        progress: is told of the stage `neighbours`, in blocks.

    Returns:
        What `search` finds of all points, and of the deeper ones in their order.

    Raises:
        UomhError: As `search`.
    """
    if 0 < largest < TINY:
        both = (search(points, width, None, largest, device=device) for width in (k, deeper.k))
        found, (distances, rows) = both
        return found, (distances[deeper.rows], rows[deeper.rows])
    return _in_bands(points, k, None, largest, checked_device(device), progress, deeper)


def _in_bands(
    points: Points,
    k: int,
    queries: Points | None,
    largest: float,
    device: torch.device,
    progress: Progress | None,
    deeper: Deeper | None = None,
) -> tuple[Found, Found]:
    asked = queries or points
    if applies(points, asked, device):
        return WholeSearch(points, k, queries, progress, deeper).run()
    found, deep = BoundSearch(points, k, queries, largest, device, progress, deeper).run()
    _refuse_vanished(*found, points, asked)  # the nearest of deeper rows are among these
    return found, deep


def _refuse_vanished(
    distances: NDArray[np.float64], found: NDArray[np.int64], points: Points, asked: Points
) -> None:
    """Raise where points that differ are nearer than squares in float64 can tell."""
    row, place = np.nonzero(distances < VANISHING)
    step = max(1, BLOCK_BYTES // (8 * points.dim))
    for start in range(0, len(row), step):
        part = slice(start, start + step)
        near = points.take(found[row[part], place[part]])
        if (asked.take(row[part]) != near).any():
            raise UomhError(
                f"{points.name} has points nearer than {VANISHING:g} to one another beside "
                "coordinates far larger; leave such points out, or round them to be equal"
            )


class BoundSearch(Search):
    """A search by lower bounds from few coordinates; see `bounds`."""

    excluded = math.nan
    farthest = 64.0

    def __init__(
        self,
        points: Points,
        k: int,
        queries: Points | None,
        largest: float,
        device: torch.device,
        progress: Progress | None,
        deeper: Deeper | None = None,
    ) -> None:
        super().__init__(points, k, queries, progress, deeper)
        rough = is_rough(device)
        norm = 2 * math.sqrt(points.dim) * largest
        self.sketch = make_sketch(
            points,
            self.asked,
            self.subset[:PLAN],
            self.ranks[0] / len(self.subset),
            2.0 ** -math.frexp(norm)[1] if norm else 1.0,
            rough,
        )
        self.unit = self.sketch.scale**2
        # In float64 it is the processor that computes, where the device cannot.
        if rough or self.sketch.dtype.itemsize > widest_float(device).itemsize:
            device = torch.device("cpu")
        width = 3 + (points.dim if self.sketch.basis is None else self.sketch.basis.shape[1])
        fits = points.n * width * self.sketch.dtype.itemsize <= CACHE_BYTES
        self.tables = Tables(self.sketch.dtype, device)
        self.cache = self._all_columns(width) if fits else None

    def _all_columns(self, width: int) -> Tensor:
        columns = torch.empty(
            self.points.n, width, dtype=self.sketch.dtype, device=self.tables.device
        )
        for rows, block in self.points.blocks():
            columns[rows] = self.sketch.columns(block).to(self.tables.device)
        return columns

    def _columns_of(self, points: Points, rows: Tensor) -> Tensor:
        if points is self.points and self.cache is not None:
            return self.cache[rows.to(self.tables.device)]
        return self.sketch.columns(points.take(rows)).to(self.tables.device)

    def _estimates(self) -> Tensor:
        return as_estimates(self._columns_of(self.points, self.subset))

    def _ranked(self, table: Tensor, left: Tensor, ranks: list[int]) -> NDArray[np.float64]:
        near = table.topk(max(ranks), largest=False).values.clamp_(min=0)
        slack = self.sketch.kappa * left[:, :-2].square().sum(1)  # -2 z: four times the norm
        both = torch.stack([near[:, rank - 1] + slack for rank in ranks])
        return both.cpu().numpy() * (1 + 1e-5)

    def _left(self, rows: Tensor) -> Tensor:
        return as_rows(self._columns_of(self.asked, rows))

    def _right(self, band: slice) -> Tensor:
        if self.cache is not None:
            return self.cache[band]
        return self.sketch.columns(self.points[band]).to(self.tables.device)

    def _table(self, left: Tensor, right: Tensor) -> Tensor:
        return self.tables.product(left, right)

    def _limits(self, reach: NDArray[np.float64]) -> Tensor:
        up = 1 + 8 * torch.finfo(self.sketch.dtype).eps
        return torch.as_tensor(reach * up).to(self.sketch.dtype).to(self.tables.device)

    def _pack(self, row: Tensor, column: Tensor, low: Tensor) -> Tensor:
        return pack(row, column, low)

    def _candidates(self, rows: Tensor) -> Candidates:
        wanted = self.wanted[rows.numpy()]
        return Candidates(self.points, self.asked, rows, self.most, 1 / self.unit, wanted)
