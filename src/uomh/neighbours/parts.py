"""Neighbours within the parts of a partition, for one partition after the other of the same set.

What belongs to the points is prepared once (`whole` for bytes, otherwise the columns of `bounds`
with all coordinates), so that a part costs its own table of distances and nothing to plan. Small
parts share what follows the products: a block of up to a thousand points, of one part or of many,
is narrowed down to the k nearest at once.

Bytes have exact tables. Elsewhere an entry g is a lower bound that falls short of the square by at
most twice the margin of `bounds`; so the k-th smallest g of a row and that shortfall reach as far
as its k-th neighbour, and what lies within is measured by differences in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.neighbours.bands import CACHE_BYTES
from uomh.neighbours.bounds import Sketch, as_rows, is_rough, lower_bounds
from uomh.neighbours.core import Points
from uomh.neighbours.exact import TINY
from uomh.neighbours.measure import Candidates, pack
from uomh.neighbours.whole import FARTHEST, TABLE, ByteRows, WholeCandidates, applies, pack_whole

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCK = 1024
"""points that are asked about at once"""
MEMBERS = 8 * BLOCK
"""points among which they are searched, unless one part has more"""
HIDDEN = 1e-2
"""share of the norms that margins may reach before float64 takes the place of float32"""
_CPU = torch.device("cpu")


class Parts:
    """A set whose parts are searched.

    Args:
        X: (n, ...) finite points.
    """

    def __init__(self, X: Any) -> None:
        points = Points(X)
        largest = points.largest()
        # Squares of such small numbers would vanish: search in other units.
        self._exponent = -math.frexp(largest)[1] if 0 < largest < TINY else 0
        points = points.scaled(self._exponent) if self._exponent else points
        self._table: _Bytes | _Floats = (
            _Bytes(points) if applies(points, points, _CPU) else _Floats(points)
        )

    def nearest(self, labels: NDArray[Any], asked: Rows, k: int) -> tuple[Floats, Rows]:
        """Distances (e, k) and rows (e, k) of the k nearest fellows of some points.

        Of equal distances the lower row comes first, as everywhere.

        Args:
            labels: (n,) the part of each point, 0 or more; -1 for none.
            asked: (e,) rows of points that have a part of more than k points.
            k: how many.
        """
        distances, found = np.empty((len(asked), k)), np.empty((len(asked), k), dtype=np.int64)
        for places, blocks in _blocks(labels, asked):
            squared, near = self._table.nearest(asked[places], blocks, k)
            distances[places] = np.ldexp(np.sqrt(squared), -self._exponent)
            found[places] = near
        return distances, found


def _blocks(labels: NDArray[Any], asked: Rows) -> Iterator[tuple[Rows, list[tuple[int, Rows]]]]:
    """Places in `asked`, by part and at most `BLOCK` together; how many of each part, its rows."""
    labels = short_numbers(labels)
    order = np.argsort(labels, kind="stable")
    wanted = np.argsort(labels[asked], kind="stable")
    parts, counts = np.unique(labels[asked], return_counts=True)
    starts = np.searchsorted(labels, parts, sorter=order)
    ends = np.searchsorted(labels, parts, side="right", sorter=order)
    blocks: list[tuple[int, Rows]] = []
    first = last = held = 0
    for count, start, end in zip(counts.tolist(), starts.tolist(), ends.tolist(), strict=True):
        most = max(1, min(BLOCK, TABLE // (end - start)))
        for done in range(0, count, most):
            size = min(count - done, most)
            if blocks and (last + size - first > BLOCK or held + end - start > MEMBERS):
                yield wanted[first:last], blocks
                blocks, first, held = [], last, 0
            blocks.append((size, order[start:end]))
            last, held = last + size, held + end - start
    if blocks:
        yield wanted[first:last], blocks


def short_numbers(labels: NDArray[Any]) -> NDArray[Any]:
    """The same labels in 16 bits where they fit, by which they are sorted ten times as fast."""
    return labels.astype(np.int16) if labels.max() < 1 << 15 else labels


class _Bytes:
    """Tables of squared distances of bytes."""

    def __init__(self, points: Points) -> None:
        fits = points.n * points.dim <= CACHE_BYTES
        self.points, self.all = points, ByteRows.of(points[:]) if fits else None

    def nearest(self, asked: Rows, blocks: list[tuple[int, Rows]], k: int) -> tuple[Floats, Rows]:
        width = max(len(members) for _, members in blocks)
        table = np.full((len(asked), width), FARTHEST, dtype=np.int32)
        first = np.empty(len(asked), dtype=np.int64)  # where the members of each row's part begin
        everyone = np.concatenate([members for _, members in blocks])
        left, right = self._rows(asked), self._rows(everyone)
        start = before = 0
        for count, members in blocks:
            rows, columns = slice(start, start + count), slice(before, before + len(members))
            values = left[rows].squared(right[columns]).numpy()
            values[asked[rows, None] == members] = FARTHEST
            table[rows, : len(members)], first[rows] = values, before
            start, before = rows.stop, columns.stop
        reach = np.partition(table, k - 1, axis=1)[:, k - 1]
        row, place = np.nonzero(table <= reach[:, None])
        candidates = WholeCandidates(torch.arange(len(asked)), k)
        listed = row, everyone[first[row] + place], table[row, place]
        candidates.add(pack_whole(*(torch.from_numpy(values) for values in listed)))
        return candidates.nearest(k)

    def _rows(self, rows: Rows) -> ByteRows:
        if self.all is not None:
            return self.all[torch.from_numpy(rows)]
        return ByteRows.of(self.points.take(rows))


class _Floats:
    """Tables of lower bounds from all coordinates, and what they cannot rule out measured."""

    def __init__(self, points: Points) -> None:
        self.points = points
        norm = 2 * math.sqrt(points.dim) * points.largest()
        sample = points.take(np.random.default_rng(0).permutation(points.n)[:BLOCK]).double()
        centre = sample.mean(0)
        scale = 2.0 ** -math.frexp(norm)[1] if norm else 1.0
        single = Sketch(centre, scale, None, torch.float32)
        norms = (sample - centre).square_().sum(1)
        nearest = torch.cdist(sample, sample).fill_diagonal_(torch.inf).amin(1).square_()
        clear = single.kappa * norms.median() <= HIDDEN * nearest.median() and not is_rough(_CPU)
        self.sketch = single if clear else Sketch(centre, scale, None, torch.float64)
        width = (points.dim + 3) * self.sketch.dtype.itemsize
        self.all = self._computed(points) if points.n * width <= CACHE_BYTES else None

    def _computed(self, points: Points) -> Tensor:
        return torch.cat([self.sketch.columns(block) for _, block in points.blocks()])

    def _columns(self, rows: Rows) -> Tensor:
        if self.all is not None:
            return self.all.index_select(0, torch.from_numpy(rows))
        return self._computed(self.points.only(rows))

    def nearest(self, asked: Rows, blocks: list[tuple[int, Rows]], k: int) -> tuple[Floats, Rows]:
        candidates = Candidates(
            self.points, self.points, torch.from_numpy(asked), k, self.sketch.scale**-2
        )
        lefts = self._columns(asked)
        rights = self._columns(np.concatenate([members for _, members in blocks]))
        start = before = 0
        for count, members in blocks:
            rows = slice(start, start + count)
            left, right = lefts[rows], rights[before : before + len(members)]
            out = torch.empty(count, len(members), dtype=self.sketch.dtype)
            table = lower_bounds(as_rows(left), right, out)
            table[torch.from_numpy(asked[rows, None] == members)] = torch.nan
            norms, most = _norms(left), _norms(right).max()
            short = 2.01 * self.sketch.kappa * (norms + most) + 1e-30
            reach = table.topk(k, largest=False).values[:, -1].double() + short
            row, column = torch.where(table <= (reach * (1 + 1e-6))[:, None])
            columns = torch.from_numpy(members)[column]
            candidates.add(pack(row + start, columns, table[row, column]))
            start, before = start + count, before + len(members)
        return candidates.nearest(k)


def _norms(columns: Tensor) -> Tensor:
    norms: Tensor = columns[:, :-2].double().square().sum(1)
    return norms
