"""Exact nearest neighbours by bounds that few pairs survive.

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
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.devices import checked_device, widest_float
from uomh.errors import UomhError
from uomh.neighbours.bounds import as_estimates, as_rows, is_rough, lower_bounds, make_sketch
from uomh.neighbours.core import BLOCK_BYTES, Points
from uomh.neighbours.measure import Candidates, pack
from uomh.parallel.progress import Progress

BAND = 1024
SUBSET = (768, 16384)
PLAN = 640
SHARE = 16
CACHE_BYTES = 1 << 29
WAITING_PAIRS = 1 << 25
MISS, RARE_MISS = 0.05, 1e-4
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
    distances, found = _Search(points, k, queries, largest, device, progress).run()
    _refuse_vanished(distances, found, points, queries or points)
    return distances, found


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


class _Search:
    def __init__(
        self,
        points: Points,
        k: int,
        queries: Points | None,
        largest: float,
        device: str | torch.device | None,
        progress: Progress | None,
    ) -> None:
        self.points, self.asked, self.k = points, queries or points, k
        self.within = queries is None
        self.device = checked_device(device)
        rough = is_rough(self.device)
        self.progress = progress
        size = min(points.n, max(SUBSET[0], min(points.n // SHARE, SUBSET[1])))
        order = np.random.default_rng(0).permutation(points.n)[:size]
        self.subset = torch.from_numpy(order)
        most = size - self.within
        self.ranks = [min(_rank(k, size / points.n, miss), most) for miss in (MISS, RARE_MISS)]
        norm = 2 * math.sqrt(points.dim) * largest
        self.sketch = make_sketch(
            points,
            self.asked,
            self.subset[:PLAN],
            self.ranks[0] / size,
            2.0 ** -math.frexp(norm)[1] if norm else 1.0,
            rough,
        )
        # In float64 it is the processor that computes, where the device cannot.
        if rough or self.sketch.dtype.itemsize > widest_float(self.device).itemsize:
            self.device = torch.device("cpu")
        self.bands = [slice(a, min(a + BAND, points.n)) for a in range(0, points.n, BAND)]
        width = 3 + (points.dim if self.sketch.basis is None else self.sketch.basis.shape[1])
        fits = points.n * width * self.sketch.dtype.itemsize <= CACHE_BYTES
        self.tables = Tables(self.sketch.dtype, self.device)
        self.cache = self._all_columns(width) if fits else None

    def _all_columns(self, width: int) -> Tensor:
        columns = torch.empty(self.points.n, width, dtype=self.sketch.dtype, device=self.device)
        for rows, block in self.points.blocks():
            columns[rows] = self.sketch.columns(block).to(self.device)
        return columns

    def _columns(self, band: slice) -> Tensor:
        if self.cache is not None:
            return self.cache[band]
        return self.sketch.columns(self.points[band]).to(self.device)

    def run(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Search all bands, then once more where a guess fell short."""
        n = self.asked.n
        squared = np.full((n, self.k), np.inf)
        found = np.full((n, self.k), -1, dtype=np.int64)
        reach, farther = self._guess()
        rows = np.arange(n)
        bands = self._within(reach) if self.within else self._onto(rows, reach, self.progress)
        while len(rows):
            for candidates in _settled(bands):
                squared[candidates.rows], found[candidates.rows] = candidates.nearest()
            last = squared[rows, -1] * self.sketch.scale**2
            bad = rows[~(last <= reach[rows])]
            # Where k were measured the k-th is a certain reach; elsewhere look further.
            last = squared[bad, -1] * self.sketch.scale**2
            reach[bad] = np.where(np.isfinite(last), last * (1 + 1e-12), farther[bad])
            farther = 4 * farther + 1e-30
            farther[farther > 64] = np.inf
            rows = bad
            bands = self._onto(rows, reach, None)
        return np.sqrt(squared), found

    def _guess(self) -> NDArray[np.float64]:
        """Squared distances (2, m), in scaled units, that should hold k neighbours of each point.

        The first is seldom too small, the second almost never.
        """
        right = as_estimates(self._columns_of(self.points, self.subset))
        place = torch.full((self.points.n,), -1, device=self.device)
        subset = self.subset.to(self.device)
        place[subset] = torch.arange(len(subset), device=self.device)
        slack = 4 * self.sketch.kappa
        reach = np.empty((2, self.asked.n))
        step = max(1, BAND**2 // len(self.subset))
        for start in range(0, self.asked.n, step):
            rows = torch.arange(start, min(start + step, self.asked.n))
            columns = self._columns_of(self.asked, rows)
            table = self.tables.product(as_rows(columns), right)
            if self.within:
                mine = place[rows.to(self.device)]
                (inside,) = torch.where(mine >= 0)
                table[inside, mine[inside]] = torch.inf
            near = table.topk(self.ranks[1], largest=False).values.clamp_(min=0)
            norms = columns[:, :-2].square().sum(1)
            for i, rank in enumerate(self.ranks):
                reach[i, rows.numpy()] = (near[:, rank - 1] + slack * norms).cpu().numpy()
        return reach * (1 + 1e-5)

    def _columns_of(self, points: Points, rows: Tensor) -> Tensor:
        if points is self.points and self.cache is not None:
            return self.cache[rows.to(self.device)]
        return self.sketch.columns(points.take(rows)).to(self.device)

    def _thresholds(self, reach: NDArray[np.float64]) -> Tensor:
        """Reaches as the bounds' type, rounded up."""
        up = 1 + 8 * torch.finfo(self.sketch.dtype).eps
        return torch.as_tensor(reach * up).to(self.sketch.dtype).to(self.device)

    def _candidates(self, rows: Tensor) -> Candidates:
        return Candidates(self.points, self.asked, rows, self.k, self.sketch.scale**-2)

    def _onto(
        self, rows: NDArray[np.int64], reach: NDArray[np.float64], progress: Progress | None
    ) -> Iterator[Candidates]:
        """Search the whole set for some of the points asked about, a band of them at a time."""
        parts = [torch.from_numpy(rows[a : a + BAND]) for a in range(0, len(rows), BAND)]
        for i, part in enumerate(parts):
            left = as_rows(self._columns_of(self.asked, part))
            limit = self._thresholds(reach[part.numpy()])[:, None]
            candidates = self._candidates(part)
            for j, band in enumerate(self.bands):
                bounds = self.tables.product(left, self._columns(band))
                if self.within:
                    (mine,) = torch.where((part >= band.start) & (part < band.stop))
                    same = part[mine] - band.start
                    bounds[mine.to(self.device), same.to(self.device)] = torch.nan
                row, column, low = self.tables.below(bounds, limit)
                candidates.add(pack(row, column + band.start, low))
                if progress is not None:
                    progress.stage(
                        "neighbours", i * len(self.bands) + j + 1, len(parts) * len(self.bands)
                    )
            yield candidates

    def _within(self, reach: NDArray[np.float64]) -> Iterator[Candidates]:
        """Search the set for all its own points, using each block for its rows and columns."""
        limits = self._thresholds(reach)
        host = limits.cpu()
        waiting: dict[int, list[Tensor]] = {}
        unserved: dict[int, list[slice]] = {}
        held, done, total = 0, 0, len(self.bands) * (len(self.bands) + 1) // 2
        for i, band in enumerate(self.bands):
            candidates = self._candidates(torch.arange(band.start, band.stop))
            left, mine = as_rows(self._columns(band)), limits[band, None]
            for pairs in waiting.pop(i, []):
                candidates.add(pairs)
                held -= len(pairs)
            for other in unserved.pop(i, []):
                bounds = self.tables.product(left, self._columns(other))
                row, column, low = self.tables.below(bounds, mine)
                candidates.add(pack(row, column + other.start, low))
            for j, other in enumerate(self.bands[i:], start=i):
                bounds = self.tables.product(left, self._columns(other))
                if j == i:
                    bounds.fill_diagonal_(torch.nan)
                either = self.tables.larger(mine, limits[None, other])
                row, column, low = self.tables.below(bounds, either)
                pairs = pack(row, column + other.start, low)
                candidates.add(pairs[low <= host[band][row]])
                if j > i:
                    pairs = pack(column, row + band.start, low)[low <= host[other][column]]
                    if held + len(pairs) <= WAITING_PAIRS:
                        waiting.setdefault(j, []).append(pairs)
                        held += len(pairs)
                    else:
                        unserved.setdefault(j, []).append(band)
                done += 1
                if self.progress is not None:
                    self.progress.stage("neighbours", done, total)
            yield candidates


def _rank(k: int, share: float, miss: float) -> int:
    """The neighbour in a random share of a set that lies within the k-th of the set that rarely."""
    if share == 1:
        return k + math.isqrt(k) + 1
    from scipy.stats import binom  # half a second to import, which training does without

    return int(binom.isf(miss, k, share)) + 1


def _settled(bands: Iterator[Candidates]) -> Iterator[Candidates]:
    """The same, each with its nearest measured while the products of later ones are computed."""
    workers = torch.get_num_threads()
    waiting: deque[tuple[Future[object], Candidates]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for candidates in bands:
            waiting.append((pool.submit(candidates.nearest), candidates))
            while len(waiting) > workers:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)


def _first(waiting: deque[tuple[Future[object], Candidates]]) -> Candidates:
    measured, candidates = waiting.popleft()
    measured.result()
    return candidates


class Tables:
    """Blocks of bounds in memory that is used again: fresh pages would cost as much as the sums."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self._bounds, self._limits = torch.empty(2, BAND**2, dtype=dtype, device=device)
        self._mask = torch.empty(BAND**2, dtype=torch.bool, device=device)

    def product(self, left: Tensor, right: Tensor) -> Tensor:
        """``left @ right.T``, valid until the next call."""
        shape = len(left), len(right)
        return lower_bounds(left, right, self._bounds[: math.prod(shape)].view(shape))

    def larger(self, a: Tensor, b: Tensor) -> Tensor:
        """The larger of a (n, 1) and b (1, m), valid until the next call."""
        shape = len(a), b.shape[1]
        return torch.maximum(a, b, out=self._limits[: math.prod(shape)].view(shape))

    def below(self, bounds: Tensor, limits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where bounds are within their limits: row, column and bound, on the processor."""
        mask = self._mask[: bounds.numel()]
        torch.le(bounds, limits, out=mask.view(bounds.shape))
        if len(mask) % 8:
            (flat,) = torch.where(mask)
        else:
            # Hits are rare: find the eight-byte words that hold some before looking at bytes.
            (words,) = torch.where(mask.view(torch.int64))
            word, byte = torch.where(mask.view(-1, 8)[words])
            flat = words[word] * 8 + byte
        low = bounds.flatten()[flat].cpu()
        flat = flat.cpu()
        return flat // bounds.shape[1], flat % bounds.shape[1], low
