"""``mle`` as the instrument of ``verify``.

Its estimate is a mean over points: each point needs its own list only, every k is read off one
list, many partitions are looked at together (``partitions``), and a calibration exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from uomh.dimension.anchored import Anchors
from uomh.dimension.calibration import calibrated_band
from uomh.dimension.core import Coordinates
from uomh.dimension.lists import NeighbourLists
from uomh.dimension.mle import MLE, harmonic_dimension, inverse_dimension
from uomh.dimension.partitions import (
    fits,
    in_blocks,
    inverse_in_parts,
    side_by_side,
    split_variances,
)
from uomh.dimension.statistic import Statistic
from uomh.dimension.thinning import UNKNOWN, Interval, around, list_length, members_of, shortened
from uomh.dimension.values import DimensionEstimate, Floats, Ints
from uomh.errors import UomhError
from uomh.neighbours import Neighbours

KS = (3, 10, 20)


class Harmonic(Statistic):
    """The harmonic mean of the inverse dimensions at the points, by maximum likelihood.

    ``values`` of its lists are the logarithms of the distances.
    """

    anchored = concurrent = True
    splits = 100

    def __init__(self, ks: Sequence[int] | None = None, seed: int = 0) -> None:
        super().__init__(MLE, KS if ks is None else ks, seed)
        self.uncalibrated = ""

    def lists(
        self, found: Neighbours, points: Coordinates | None, anchors: Anchors | None = None
    ) -> NeighbourLists:
        """The lists of a set, or of its anchors, with the logarithms of the distances."""
        with np.errstate(divide="ignore"):  # of a copy's, which is in no part
            logs = np.log(found.distances, dtype=np.float64).astype(np.float32)
        return NeighbourLists(found, points, logs, anchors)

    def estimates(
        self, found: Neighbours, points: Coordinates | None
    ) -> dict[int, DimensionEstimate]:
        """The dimension of a set at every k, with its interval, from the same halves."""
        n = len(found)
        known = [k for k in self.ks if len(members_of(found)) // 2 > k]
        result = {k: DimensionEstimate(self.dimension(found, points, k), *UNKNOWN) for k in self.ks}
        if not known:
            return result
        lists, times = shortened(found, list_length(max(self.ks), found.k + 1)), self.splits
        try:
            variances = split_variances(lists, known, self.seed, times)
        except UomhError:  # lists that were given to us may be too short to thin to halves
            return result
        for k, variance in zip(known, variances.tolist(), strict=True):
            ends = around(result[k].dimension, variance, n, k, splits=times)
            result[k] = DimensionEstimate(result[k].dimension, *ends)
        return result

    def seen(self, found: Neighbours) -> dict[int, float]:
        """All of the points, at every k."""
        del found
        return dict.fromkeys(self.ks, 1.0)

    def dimension(self, found: Neighbours, points: Coordinates | None, k: int) -> float:
        """The dimension of a set at any k from 2."""
        del points
        return harmonic_dimension(found.distances, k)

    def parts(self, lists: NeighbourLists, labels: Ints, ks: Sequence[int]) -> Floats:
        """The dimension of every part of a partition, (parts, ks)."""
        return 1 / part_means(self.inverse(lists, labels, ks), labels)

    def partitions(
        self, lists: NeighbourLists, partitions: Sequence[Ints], ks: Sequence[int]
    ) -> Floats:
        """The dimensions of the parts of each of some shuffles of the same labels."""
        most, labels = max(ks), partitions[0]
        widths = lists.widths(labels, most)
        if not widths or not fits(labels, most):
            return super().partitions(lists, partitions, ks)
        rows = lists.rows()
        rows = np.arange(lists.m) if rows is None else rows
        table = side_by_side(partitions)

        def inverse(block: slice) -> NDArray[np.float32]:
            near = block, slice(widths[0])
            mine = table[rows[block]]
            return inverse_in_parts(lists.indices[near], lists.values[near], mine, table, ks)

        blocks = in_blocks(inverse, len(rows), len(partitions), threads=1)
        values = np.concatenate(list(blocks), axis=1)
        return np.array(
            [
                self._parts_beyond(lists, partition, ks, rows, values[:, :, i])
                for i, partition in enumerate(partitions)
            ]
        )

    def _parts_beyond(
        self,
        lists: NeighbourLists,
        labels: Ints,
        ks: Sequence[int],
        rows: NDArray[np.int64],
        values: NDArray[np.float32],
    ) -> Floats:
        """The dimensions of parts, (parts, ks), where some inverse ones (ks, rows) are known."""
        known = np.zeros(lists.m, dtype=bool)
        known[rows] = ~np.isnan(values[list(ks).index(max(ks))])
        asked = np.zeros(lists.m, dtype=bool)
        asked[lists.asked(labels)] = True
        kept = (known & asked)[rows]
        at, near = labels[rows[kept]], values[:, kept]
        for some, found in self._inverse_pieces(lists, labels, ks, np.flatnonzero(asked & ~known)):
            at, near = np.concatenate([at, labels[some]]), np.hstack([near, found.T])
        sums = [np.bincount(at, column, labels.max() + 1) for column in near]
        return 1 / (np.stack(sums, axis=1) / np.bincount(at)[:, None])

    def inverse(self, lists: NeighbourLists, labels: Ints, ks: Sequence[int]) -> Floats:
        """Inverse dimension at the points from their fellows, (m, ks); NaN where not estimated."""
        result = np.full((lists.m, len(ks)), np.nan)
        for rows, values in self._inverse_pieces(lists, labels, ks):
            result[rows] = values
        return result

    def _inverse_pieces(
        self,
        lists: NeighbourLists,
        labels: Ints,
        ks: Sequence[int],
        rows: NDArray[np.int64] | None = None,
    ) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        """Points (e,) and their inverse dimensions (e, ks), no point twice; see `pieces`."""
        for some, fellows in lists.pieces(labels, max(ks), rows):
            if isinstance(fellows, Neighbours):
                found = [inverse_dimension(fellows.distances, k) for k in ks]
                yield some, np.stack(found, axis=1)
            else:
                yield some, inverse_from_logs(lists.values[lists.at(some)[:, None], fellows], ks)

    def band(self, estimate: float, n: int, k: int) -> Interval:
        """The true dimensions that would give an estimate; see ``uomh.dimension.calibration``."""
        return calibrated_band(estimate, n, k)

    def dispersion(self, found: Neighbours, k: int) -> float:
        """Variance of the inverse dimensions over that of one homogeneous manifold.

        There (k-1) d / d(x) is Gamma(k-1), so their variance is 1 / (d^2 (k-1)).
        """
        inverse = inverse_dimension(found.distances, k)
        return float(inverse.var() * (k - 1) / inverse.mean() ** 2)


def inverse_from_logs(logs: NDArray[np.floating], ks: Sequence[int]) -> Floats:
    """(m, len(ks)) inverse dimensions from (m, >= max k) logarithms of ascending distances."""
    sums = np.cumsum(logs, axis=1, dtype=np.float64)
    parts = [logs[:, k - 1] - sums[:, k - 2] / (k - 1) for k in ks]
    return np.maximum(np.stack(parts, axis=1), 0.0)


def part_means(values: Floats, labels: Ints) -> Floats:
    """(parts, columns) means of (m, columns) values over the points of each part; NaN is none."""
    there = ~np.isnan(values[:, 0])
    values, labels = values[there], labels[there]
    sums = [np.bincount(labels, column) for column in values.T]
    return np.stack(sums, axis=1) / np.bincount(labels)[:, None]
