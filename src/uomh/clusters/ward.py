"""Ward's hierarchy, exactly, in memory that grows as the number of points.

Ward (1963) merges, again and again, the two clusters whose union raises the sum of squares about
the means least. For clusters A and B that rise is

    w(A, B) = |A||B| / (|A|+|B|) ||mean(A) - mean(B)||^2,

and the height of their merge is sqrt(2 w), the distance itself for two points.

*Rounds.* w is reducible: if A and B are nearest to each other, w(C, A+B) >= min(w(C, A), w(C, B))
for every other C. So all pairs that are nearest to each other can be merged in one round, in any
order, without a change to the hierarchy (Murtagh 1983); and a cluster whose nearest was not merged
keeps it, as what was merged came no nearer. Only clusters that were merged or lost their nearest
look for a new one. Sorted by height, the merges of all rounds are the hierarchy.

*Search.* One matrix product of a few coordinates bounds all distances from below, as in the
neighbour search (`uomh.neighbours.bounds`, which bounds means of points as it does points). The
cluster of least bound is measured, by the difference of means in float64, and then whatever has a
bound below that.

*Ties.* Distances of bytes are whole numbers and tie often. Rises are rounded to 40 binary digits,
so that equal ones are equal in whatever order they were summed, and of equally near clusters the
one whose first point comes first is the nearest. Copies of a point are merged before all else.
Should ties leave no pair nearest to each other, the least rise of all is merged.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.clusters.tree import Tree
from uomh.neighbours import distinct, nearest_neighbours
from uomh.neighbours.bounds import as_rows, is_rough, lower_bounds, make_sketch
from uomh.neighbours.core import Points
from uomh.parallel.progress import Progress

TABLE = 1 << 22
"""bounds at once"""
PAIR_BYTES = 1 << 22
SAMPLE = 640
DIGITS = 40

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def ward(x: NDArray[Any], progress: Progress | None = None) -> Tree:
    """The hierarchy of n points (n, D), finite bytes or floats.

    Args:
        x: the points.
        progress: is told of the stage ``merges``.

    Examples:
        >>> tree = ward(np.array([[0.0], [1.0], [5.0]]))
        >>> tree.edges.tolist(), tree.heights.round(3).tolist()
        ([[0, 1], [0, 2]], [1.0, 5.196])
    """
    rows = distinct(x)
    copies = np.setdiff1d(np.arange(len(x)), rows)
    sizes = np.ones(len(rows))
    edges = np.empty((0, 2), dtype=np.int64)
    if len(copies):
        of = nearest_neighbours(x[rows], 1, x[copies]).indices[:, 0]
        np.add.at(sizes, of, 1)
        edges = np.stack([rows[of], copies], axis=1)
    merges, rises = np.empty((0, 2), np.int64), np.empty(0)
    if len(rows) > 1:
        merges, rises = _Clusters(x[rows], sizes).merged(progress)
    order = np.argsort(rises, kind="stable")
    return Tree(
        edges=np.concatenate([edges, rows[merges[order]]]),
        heights=np.concatenate([np.zeros(len(copies)), np.sqrt(2 * rises[order])]),
    )


class _Clusters:
    """Clusters in slots; the slot of a cluster is that of its first point."""

    def __init__(self, x: NDArray[Any], sizes: Floats) -> None:
        points = Points(x)
        n, norm = points.n, 2 * math.sqrt(points.dim) * points.largest()
        self.means = x.astype(np.float64)
        self.sizes = sizes
        self.alive = np.arange(n)
        self.nearest = np.empty(n, dtype=np.int64)
        self.rise = np.empty(n)
        self.height = np.zeros(n)
        self.sketch = make_sketch(
            points,
            points,
            torch.from_numpy(np.random.default_rng(0).permutation(n)[:SAMPLE]),
            2 / n,
            2.0 ** -math.frexp(norm)[1] if norm else 1.0,
            is_rough(torch.device("cpu")),
        )
        self.columns = torch.cat([self.sketch.columns(block) for _, block in points.blocks()])

    def merged(self, progress: Progress | None) -> tuple[Rows, Floats]:
        """All merges as slots (n - 1, 2), children before parents, and their rises."""
        merges, rises = [], []
        total = len(self.alive) - 1
        lost = self.alive
        while len(self.alive) > 1:
            self._search(lost)
            a, b = self._mutual()
            merges.append(np.stack([a, b], axis=1))
            rises.append(self._merge(a, b))
            gone = np.zeros(len(self.sizes), dtype=bool)
            gone[a] = gone[b] = True
            lost = self.alive[gone[self.alive] | gone[self.nearest[self.alive]]]
            if progress is not None:
                progress.stage("merges", total + 1 - len(self.alive), total)
        return np.concatenate(merges), np.concatenate(rises)

    def _mutual(self) -> tuple[Rows, Rows]:
        """The pairs that are nearest to each other, the lower slot first."""
        near = self.nearest[self.alive]
        a = self.alive[(self.nearest[near] == self.alive) & (self.alive < near)]
        if not len(a):
            a = self.alive[[self.rise[self.alive].argmin()]]
        b = self.nearest[a]
        return np.minimum(a, b), np.maximum(a, b)

    def _merge(self, a: Rows, b: Rows) -> Floats:
        """Put clusters b into a; the rises, which rounding may not take below their children's."""
        rise = np.maximum(self.rise[a], np.maximum(self.height[a], self.height[b]))
        size_a, size_b = self.sizes[a, None], self.sizes[b, None]
        self.means[a] = (size_a * self.means[a] + size_b * self.means[b]) / (size_a + size_b)
        self.sizes[a] += self.sizes[b]
        self.height[a] = rise
        self.columns[torch.from_numpy(a)] = self.sketch.columns(torch.from_numpy(self.means[a]))
        self.alive = np.setdiff1d(self.alive, b, assume_unique=True)
        return rise

    def _search(self, rows: Rows) -> None:
        """Find the nearest of these clusters among all."""
        alive = self.alive
        columns = self.columns[torch.from_numpy(alive)]
        inverse = torch.from_numpy(1 / self.sizes[alive]).to(columns.dtype)
        place = torch.from_numpy(np.searchsorted(alive, rows))
        step = max(1, TABLE // len(alive))
        memory = torch.empty(2, min(step, len(rows)) * len(alive), dtype=columns.dtype)
        for start in range(0, len(rows), step):
            these, own = rows[start : start + step], place[start : start + step]
            shape = len(these), len(alive)
            table, weight = memory[:, : math.prod(shape)].view(2, *shape)
            lower_bounds(as_rows(columns[own]), columns, table)
            table /= torch.add(inverse[own, None], inverse, out=weight)
            table[torch.arange(len(these)), own] = torch.inf
            guess = self._rise(these, alive[table.argmin(dim=1).numpy()])
            # Bounds may exceed what they bound by a few roundings; see `uomh.neighbours.bounds`.
            limit = torch.from_numpy(guess * self.sketch.scale**2 * (1 + 1e-5) + 1e-35)
            row, column = torch.where(table <= limit.to(table.dtype)[:, None])
            of, slot = row.numpy(), alive[column.numpy()]
            rise = self._rise(these[of], slot)
            order = np.lexsort((slot, rise, of))
            best = order[np.unique(of[order], return_index=True)[1]]
            self.nearest[these], self.rise[these] = slot[best], rise[best]

    def _rise(self, a: Rows, b: Rows) -> Floats:
        """The rise of the sum of squares by merging clusters a and b, to 40 binary digits."""
        squared = np.empty(len(a))
        step = max(1, PAIR_BYTES // (8 * self.means.shape[1]))
        for start in range(0, len(a), step):
            part = slice(start, start + step)
            difference = self.means[a[part]]
            difference -= self.means[b[part]]
            squared[part] = np.einsum("ij,ij->i", difference, difference)
        size_a, size_b = self.sizes[a], self.sizes[b]
        mantissa, exponent = np.frexp(squared * (size_a * size_b / (size_a + size_b)))
        rounded: Floats = np.ldexp(np.round(np.ldexp(mantissa, DIGITS)), exponent - DIGITS)
        return rounded
