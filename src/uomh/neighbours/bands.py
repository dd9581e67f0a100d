"""A search in bands: blocks of a table of distances, or of bounds on them, and what survives.

Whatever the table holds, a search guesses how far to look from each point, lists the pairs that
the table cannot rule out, lets them be narrowed down to the k nearest, and looks again, farther,
from the points whose k-th nearest was not within the guess. In a search within a set each block
serves its rows and its columns; what is found for the columns waits for their turn while memory
allows.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.neighbours.core import Points
from uomh.neighbours.tables import BAND, Tables
from uomh.parallel.progress import Progress

SUBSET = (768, 16384)
SHARE = 16
CACHE_BYTES = 1 << 29
WAITING_PAIRS = 1 << 25
MISS, RARE_MISS = 0.05, 1e-4

Found = tuple[NDArray[np.float64], NDArray[np.int64]]
"""distances and rows of the nearest, (m, k) each"""


@dataclass(frozen=True)
class Deeper:
    """Points of which more neighbours are wanted than of the others.

    Attributes:
        rows: of the points asked about, int64 (a,).
        k: how many.
    """

    rows: NDArray[np.int64]
    k: int


class Candidates(Protocol):
    """Pairs that may be neighbours of the points of a band."""

    rows: NDArray[np.int64]

    def add(self, pairs: Tensor) -> None:
        """List packed pairs, each once."""

    def settle(self) -> None:
        """Find out which of the listed pairs are the nearest; what takes the time."""

    def nearest(self, k: int, at: NDArray[np.int64] | None = None) -> Found:
        """Squared distances and rows of the k nearest; inf and -1 where there are too few.

        Args:
            k: how many, no more than are wanted.
            at: of which of the points; None: all.
        """
        raise NotImplementedError


class Search(ABC):
    """A search for the k nearest points of each point asked about; subclasses give the table.

    Args:
        points: the set that is searched.
        k: the number of neighbours.
        queries: whose neighbours are wanted; None for those of the points themselves.
        progress: is told of the stage `neighbours`, in blocks.
        deeper: rows of which more neighbours are wanted, and how many; None for none.

    Attributes:
        excluded: what a table holds in place of a pair that does not count: within no limit, and
            after all others in order.
        unit: what squared distances are multiplied by to be entries of a table.
        farthest: no entry is larger.
        tables: memory of the tables.
        subset: rows of the points in random order, a share of them.
        ranks: the neighbour in the subset that lies farther than the k-th of all points, seldom
            and almost never not so; then the same two for deeper rows.
        wanted: (m,) how many neighbours of each point asked about are wanted.
        most: how many of deeper rows.
    """

    excluded: ClassVar[float]
    farthest: ClassVar[float]
    unit: float = 1.0
    tables: Tables

    def __init__(
        self,
        points: Points,
        k: int,
        queries: Points | None,
        progress: Progress | None,
        deeper: Deeper | None = None,
    ) -> None:
        self.points, self.asked, self.k = points, queries or points, k
        self.deeper = Deeper(np.zeros(0, dtype=np.int64), k) if deeper is None else deeper
        self.wanted = np.full(self.asked.n, k)
        self.wanted[self.deeper.rows] = self.most = self.deeper.k
        self.within = queries is None
        self.progress = progress
        size = min(points.n, max(SUBSET[0], min(points.n // SHARE, SUBSET[1])))
        order = np.random.default_rng(0).permutation(points.n)[:size]
        self.subset = torch.from_numpy(order)
        most = size - self.within
        self.ranks = [
            min(_rank(k, size / points.n, miss), most)
            for k in dict.fromkeys((k, self.most))
            for miss in (MISS, RARE_MISS)
        ]
        self.bands = [slice(a, min(a + BAND, points.n)) for a in range(0, points.n, BAND)]

    @abstractmethod
    def _right(self, band: slice) -> Any:
        """What a band of the points brings to a table, as its columns."""

    @abstractmethod
    def _left(self, rows: Tensor) -> Any:
        """What some of the points asked about bring, as its rows."""

    @abstractmethod
    def _table(self, left: Any, right: Any) -> Tensor:
        """A block of the table, valid until the next call."""

    @abstractmethod
    def _limits(self, reach: NDArray[np.float64]) -> Tensor:
        """How large the table may be for a pair within reach, in its type and on its device."""

    @abstractmethod
    def _pack(self, row: Tensor, column: Tensor, low: Tensor) -> Tensor:
        """Pairs and their entries in the table as the candidates take them."""

    @abstractmethod
    def _candidates(self, rows: Tensor) -> Candidates:
        """Of some of the points asked about, none as yet."""

    @abstractmethod
    def _estimates(self) -> Any:
        """What the subset brings to a table of estimated distances, as its columns."""

    @abstractmethod
    def _ranked(self, table: Tensor, left: Any, ranks: list[int]) -> NDArray[np.float64]:
        """Entries of these ranks in each row of such a table, (ranks, b), and what they may lack.

        They may be a little larger, which only makes the search look farther.
        """

    def run(self) -> tuple[Found, Found]:
        """Search all bands, then once more where a guess fell short.

        Returns:
            Distances and rows of the k nearest of each point asked about, and of the nearest of
            each deeper row, in the order of these.
        """
        n = self.asked.n
        squared, found = _nothing(n, self.k)
        deep_squared, deep_found = _nothing(len(self.deeper.rows), self.most)
        place = np.full(n, -1)
        place[self.deeper.rows] = np.arange(len(self.deeper.rows))
        farthest = np.full(n, np.inf)  # the last that is wanted of each
        reach, farther = self._guess()
        rows = np.arange(n)
        bands = self._within(reach) if self.within else self._onto(rows, reach, self.progress)
        while len(rows):
            for candidates in _settled(bands):
                these = candidates.rows
                squared[these], found[these] = candidates.nearest(self.k)
                farthest[these] = squared[these, -1]
                (deep,) = np.nonzero(place[these] >= 0)
                if len(deep):
                    at = place[these[deep]]
                    deep_squared[at], deep_found[at] = candidates.nearest(self.most, deep)
                    farthest[these[deep]] = deep_squared[at, -1]
            last = farthest[rows] * self.unit
            bad = rows[~(last <= reach[rows])]
            # Where k were measured the k-th is a certain reach; elsewhere look further.
            last = farthest[bad] * self.unit
            reach[bad] = np.where(np.isfinite(last), last * (1 + 1e-12), farther[bad])
            farther = 4 * farther + 1e-30
            farther[farther > self.farthest] = np.inf
            rows = bad
            bands = self._onto(rows, reach, None)
        return (np.sqrt(squared), found), (np.sqrt(deep_squared), deep_found)

    def _guess(self) -> NDArray[np.float64]:
        """Squared distances (2, m), as entries of the table, that should hold k neighbours.

        The first is seldom too small, the second almost never.
        """
        right, device = self._estimates(), self.tables.device
        place = torch.full((self.points.n,), -1, device=device)
        place[self.subset.to(device)] = torch.arange(len(self.subset), device=device)
        reach = np.empty((2, self.asked.n))
        step = max(1, BAND**2 // len(self.subset))
        for start in range(0, self.asked.n, step):
            rows = torch.arange(start, min(start + step, self.asked.n))
            left = self._left(rows)
            table = self._table(left, right)
            if self.within:
                mine = place[rows.to(device)]
                (inside,) = torch.where(mine >= 0)
                table[inside, mine[inside]] = self.excluded
            reach[:, rows.numpy()] = self._ranked(table, left, self.ranks[:2])
            (deep,) = np.nonzero(self.wanted[rows.numpy()] > self.k)
            if len(deep):
                some = torch.from_numpy(deep).to(device)
                reach[:, start + deep] = self._ranked(table[some], left[some], self.ranks[2:])
        return reach

    def _onto(
        self, rows: NDArray[np.int64], reach: NDArray[np.float64], progress: Progress | None
    ) -> Iterator[Candidates]:
        """Search the whole set for some of the points asked about, a band of them at a time."""
        parts = [torch.from_numpy(rows[a : a + BAND]) for a in range(0, len(rows), BAND)]
        for i, part in enumerate(parts):
            left = self._left(part)
            limit = self._limits(reach[part.numpy()])[:, None]
            candidates = self._candidates(part)
            for j, band in enumerate(self.bands):
                bounds = self._table(left, self._right(band))
                if self.within:
                    (mine,) = torch.where((part >= band.start) & (part < band.stop))
                    same = part[mine] - band.start
                    bounds[mine.to(self.tables.device), same.to(self.tables.device)] = self.excluded
                row, column, low = self.tables.below(bounds, limit)
                candidates.add(self._pack(row, column + band.start, low))
                if progress is not None:
                    progress.stage(
                        "neighbours", i * len(self.bands) + j + 1, len(parts) * len(self.bands)
                    )
            yield candidates

    def _within(self, reach: NDArray[np.float64]) -> Iterator[Candidates]:
        """Search the set for all its own points, using each block for its rows and columns."""
        limits = self._limits(reach)
        host = limits.cpu()
        waiting: dict[int, list[Tensor]] = {}
        unserved: dict[int, list[slice]] = {}
        held, done, total = 0, 0, len(self.bands) * (len(self.bands) + 1) // 2
        for i, band in enumerate(self.bands):
            rows = torch.arange(band.start, band.stop)
            candidates = self._candidates(rows)
            left, mine = self._left(rows), limits[band, None]
            for pairs in waiting.pop(i, []):
                candidates.add(pairs)
                held -= len(pairs)
            for other in unserved.pop(i, []):
                bounds = self._table(left, self._right(other))
                row, column, low = self.tables.below(bounds, mine)
                candidates.add(self._pack(row, column + other.start, low))
            for j, other in enumerate(self.bands[i:], start=i):
                bounds = self._table(left, self._right(other))
                if j == i:
                    bounds.fill_diagonal_(self.excluded)
                either = self.tables.larger(mine, limits[None, other])
                row, column, low = self.tables.below(bounds, either)
                pairs = self._pack(row, column + other.start, low)
                candidates.add(pairs[low <= host[band][row]])
                if j > i:
                    pairs = self._pack(column, row + band.start, low)[low <= host[other][column]]
                    if held + len(pairs) <= WAITING_PAIRS:
                        waiting.setdefault(j, []).append(pairs)
                        held += len(pairs)
                    else:
                        unserved.setdefault(j, []).append(band)
                done += 1
                if self.progress is not None:
                    self.progress.stage("neighbours", done, total)
            yield candidates


def _nothing(n: int, k: int) -> Found:
    return np.full((n, k), np.inf), np.full((n, k), -1, dtype=np.int64)


def _rank(k: int, share: float, miss: float) -> int:
    """The neighbour in a random share of a set that lies within the k-th of the set that rarely."""
    if share == 1:
        return k + math.isqrt(k) + 1
    from scipy.stats import binom  # half a second to import, which training does without

    return int(binom.isf(miss, k, share)) + 1


def _settled(bands: Iterator[Candidates]) -> Iterator[Candidates]:
    """The same, each settled while the products of later ones are computed."""
    workers = torch.get_num_threads()
    waiting: deque[tuple[Future[object], Candidates]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for candidates in bands:
            waiting.append((pool.submit(candidates.settle), candidates))
            while len(waiting) > workers:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)


def _first(waiting: deque[tuple[Future[object], Candidates]]) -> Candidates:
    measured, candidates = waiting.popleft()
    measured.result()
    return candidates
