"""Which points lie within given distances of which others, in memory bounded by a block.

For two sets with a reach for each point, `near_pairs` lists every pair whose distance is within the
reach of either. As in the search for neighbours (`exact`) one matrix product bounds a block of
distances from below, and the pairs that it cannot rule out are measured by differences in float64.
Where the product is of all coordinates it bounds them from above as well: then only the pairs that
rounding leaves open are measured, so that pairs may be as many as there are (as when all samples
are one point in the middle of the data).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.neighbours.bands import CACHE_BYTES
from uomh.neighbours.bounds import (
    FLOAT_COST,
    LIST_COST,
    SAMPLE,
    Sketch,
    as_rows,
    is_rough,
    make_sketch,
)
from uomh.neighbours.core import Points
from uomh.neighbours.exact import PLAN, TINY
from uomh.neighbours.measure import squared_distances
from uomh.neighbours.tables import BAND, Tables
from uomh.parallel.progress import Progress

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Pairs = tuple[Rows, Rows, Floats]


def near_pairs(
    points: Points,
    asked: Points,
    reach: Floats,
    asked_reach: Floats,
    *,
    progress: Progress | None = None,
) -> Iterator[Pairs]:
    """Every pair of a point and a point asked about that lies within the reach of either.

    Args:
        points: n points of finite coordinates.
        asked: m points of the same dimension.
        reach: of each of the points, float64 (n,), not negative.
        asked_reach: of each point asked about, (m,).
        progress: is told of the stage `neighbours`, in blocks.

    Yields:
        Rows of ``points``, rows of ``asked`` and their distances, (p,) each, a block at a time.
        Whether a distance is within either reach is exact; the distance itself is exact unless
        that was clear from its bounds, and then good to float32.
    """
    largest = max(points.largest(), asked.largest())
    if 0 < largest < TINY:  # squares would vanish: search in other units
        exponent = -math.frexp(largest)[1]
        pairs = near_pairs(
            points.scaled(exponent),
            asked.scaled(exponent),
            np.ldexp(reach, exponent),
            np.ldexp(asked_reach, exponent),
            progress=progress,
        )
        for i, j, distances in pairs:
            yield i, j, np.ldexp(distances, -exponent)
        return
    sketch = _plan(points, asked, reach, asked_reach, largest)
    width = 3 + (points.dim if sketch.basis is None else sketch.basis.shape[1])
    bands = [slice(a, min(a + BAND, points.n)) for a in range(0, points.n, BAND)]
    fits = points.n * width * sketch.dtype.itemsize <= CACHE_BYTES
    kept = [sketch.columns(points[band]) for band in bands] if fits else None
    tables = Tables(sketch.dtype, torch.device("cpu"))
    done, total = 0, len(bands) * math.ceil(asked.n / BAND)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for start in range(0, asked.n, BAND):
            rows = slice(start, min(start + BAND, asked.n))
            columns = sketch.columns(asked[rows])
            left = as_rows(columns)
            mine = _Side(sketch, columns, asked_reach[rows])
            for index, band in enumerate(bands):
                right = kept[index] if kept else sketch.columns(points[band])
                other = _Side(sketch, right, reach[band])
                limits = tables.larger(mine.limits[:, None], other.limits[None])
                row, column, low = tables.below(tables.product(left, right), limits)
                distances = _distances(sketch, mine, other, row, column, low)
                i, j = column.numpy() + band.start, row.numpy() + rows.start
                _measure(points, asked, i, j, distances, pool)
                near = distances <= np.maximum(reach[i], asked_reach[j])
                yield i[near], j[near], distances[near]
                done += 1
                if progress is not None:
                    progress.stage("neighbours", done, total)


class _Side:
    """What a band of points brings to a block: reaches and norms, in scaled units.

    Attributes:
        limits: squared reaches, rounded up, in the bounds' type (b,).
        squared: squared reaches, float64 (b,).
        norms: squared norms, float64 (b,).
    """

    def __init__(self, sketch: Sketch, columns: Tensor, reach: Floats) -> None:
        self.squared = torch.from_numpy(np.square(reach * sketch.scale))
        up = 1 + 8 * torch.finfo(sketch.dtype).eps
        self.limits = (self.squared * up).to(sketch.dtype)
        self.norms = columns[:, :-2].double().square_().sum(1)


def _distances(
    sketch: Sketch, mine: _Side, other: _Side, row: Tensor, column: Tensor, low: Tensor
) -> Floats:
    """Distances where bounds say on which side of both reaches they are, NaN elsewhere, (p,)."""
    if sketch.basis is not None:
        return np.full(len(low), np.nan)
    # `bounds`: low is at most d^2 (1 + 4u), and falls short of it by twice this margin at most.
    margin = sketch.kappa * (mine.norms[row] + other.norms[column]) * 1.001 + 1e-35
    square = low.double() + margin
    clear = torch.ones(len(low), dtype=torch.bool)
    for reach in (mine.squared[row], other.squared[column]):
        clear &= (square - margin > reach * (1 + 1e-6)) | (square + margin < reach * (1 - 1e-6))
    distances = square.clamp_(min=0).sqrt_() / sketch.scale
    return distances.masked_fill_(~clear, torch.nan).numpy()


def _measure(
    points: Points, asked: Points, i: Rows, j: Rows, distances: Floats, pool: ThreadPoolExecutor
) -> None:
    """Put the exact distances of pairs where they are NaN."""
    (unknown,) = np.nonzero(np.isnan(distances))
    parts = np.array_split(unknown, torch.get_num_threads())
    measured = pool.map(lambda part: squared_distances(points, asked, i[part], j[part]), parts)
    distances[unknown] = np.sqrt(np.concatenate(list(measured)))


def _plan(
    points: Points, asked: Points, reach: Floats, asked_reach: Floats, largest: float
) -> Sketch:
    """The cheapest sketch; all coordinates where more pairs are near than are quickly measured."""
    rng = np.random.default_rng(0)
    some = rng.permutation(points.n)[:PLAN]
    ask = rng.permutation(asked.n)[:SAMPLE]
    norm = 2 * math.sqrt(points.dim) * largest
    scale = 2.0 ** -math.frexp(norm)[1] if norm else 1.0
    distances = torch.cdist(asked.take(ask).double() * scale, points.take(some).double() * scale)
    limits = np.maximum(asked_reach[ask, None], reach[some]) * scale
    share = float((distances.numpy() <= limits).mean())
    sketch = make_sketch(
        points, asked, torch.from_numpy(some), share, scale, is_rough(torch.device("cpu"))
    )
    if share * (LIST_COST + FLOAT_COST * points.dim) > points.dim:
        return replace(sketch, basis=None)
    return sketch
