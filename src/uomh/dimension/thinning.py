"""One neighbour search serves every part of a set.

Let N(x) be the neighbours of x in the whole set, nearest first. For any part P that holds x, the
neighbours of x inside P are the members of N(x) that belong to P, in the same order: the k nearest
in P are the first k of them. A list of K neighbours therefore answers for every part in which x
has k fellows among its K nearest (about k/p of them are needed where P holds a share p), exactly
and without a distance computed. The few points that run short are searched inside their part.

Partitions are given as labels, so 199 random partitions cost 199 gathers of labels by neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.dimension.mle import inverse_dimension
from uomh.errors import UomhError
from uomh.neighbours import Neighbours, nearest_neighbours

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]

_BLOCK = 2048  # rows at a time: the labels of their neighbours stay in the cache


class NeighbourLists:
    """The neighbour lists of a set of distinct points or not, ready to be thinned to its parts.

    Args:
        found: neighbours of all points of the set, from a search within it; its indices are
            positions in the set (0 to m-1).
        points: (m, ...) the points, to search inside a part for those whose lists are too short;
            None makes that an error.
    """

    def __init__(self, found: Neighbours, points: Any = None) -> None:
        self.m, self.width = found.distances.shape
        self.points = points
        self.nearest = found.indices[:, 0].copy()
        self._indices = found.indices.astype(np.int32)
        with np.errstate(divide="ignore"):
            self._logs = np.log(found.distances, dtype=np.float64).astype(np.float32)
        copies = found.distances <= 0
        self._copies = int(copies.sum(axis=1).max())
        if self._copies:  # a copy of x says nothing about the dimension: no part holds position m
            self._indices[copies] = self.m

    def inverse_dimensions(self, labels: Ints, ks: Sequence[int]) -> Floats:
        """Inverse dimension at every point, from its nearest neighbours within its own part.

        Args:
            labels: (m,) the part of each point, 0 or more; -1 leaves a point out altogether.
            ks: numbers of neighbours at positive distance, each at least 2.

        Returns:
            (m, len(ks)) inverse dimensions (normaliser k-1); NaN for points left out.

        Raises:
            UomhError: a part is too small, or a point runs short and there are no points to
                search in.
        """
        most = max(ks)
        result = np.full((self.m, len(ks)), np.nan)
        kind: Any = np.int8 if labels.max() < 127 else np.int32  # bytes stay in the cache
        extended: Ints = np.append(labels, -2).astype(kind)
        rows = np.flatnonzero(labels >= 0).astype(np.int64)
        for width in self._widths(labels[rows], most):
            short: list[NDArray[np.int64]] = []
            for block in _blocks(rows):
                enough, logs = self._thinned(block, extended, width, most)
                result[block[enough]] = inverse_from_logs(logs, ks)
                short.append(block[~enough])
            rows = np.concatenate(short) if short else rows
        for part in np.unique(labels[rows]):
            members, asked = np.flatnonzero(labels == part), rows[labels[rows] == part]
            result[asked] = self._searched(members, asked, ks)
        return result

    def _widths(self, labels: Ints, k: int) -> list[int]:
        """How many columns to read: enough for most points first, then the whole list."""
        if not labels.size:
            return []
        share = float(np.mean(np.bincount(labels)[labels])) / self.m
        typical = math.ceil((k + 3 * math.sqrt(k * (1 - share))) / share)
        if k > share * self.width:  # most would run short: search inside the parts at once
            return []
        return [typical, self.width] if typical < self.width else [self.width]

    def _thinned(
        self, rows: NDArray[np.int64], labels: Ints, width: int, k: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Which rows have k fellows among their first neighbours, and the logs of these k."""
        consecutive = rows[-1] - rows[0] == len(rows) - 1
        select = slice(rows[0], rows[-1] + 1) if consecutive else rows
        same = labels[self._indices[select, :width]] == labels[rows, None]
        counts = same.view(np.int8).sum(axis=1, dtype=np.int64)
        starts = np.cumsum(counts) - counts
        enough = counts >= k
        picked = np.flatnonzero(same)[starts[enough, None] + np.arange(k)]
        columns = picked - np.flatnonzero(enough)[:, None] * width
        return enough, self._logs[rows[enough, None], columns]

    def _searched(self, members: Ints, asked: Ints, ks: Sequence[int]) -> Floats:
        """Inverse dimensions of a few members of a part, by a search inside it."""
        if self.points is None:
            raise UomhError(
                f"the neighbour lists are too short: {len(asked)} of {len(members)} points of a "
                f"group have fewer than {max(ks)} neighbours of their own group in a list of "
                f"{self.width}; give longer lists, or the points as well"
            )
        inside, wanted = self.points[members], max(ks) + self._copies
        if len(asked) > len(members) // 4:
            found = nearest_neighbours(inside, min(wanted, len(members) - 1), duplicates="keep")
            distances = found.distances[np.searchsorted(members, asked)]
        else:  # a query that is itself a member comes back first, at distance 0, and is skipped
            found = nearest_neighbours(
                inside, min(wanted + 1, len(members)), self.points[asked], duplicates="keep"
            )
            distances = found.distances
        return np.stack([inverse_dimension(distances, k) for k in ks], axis=1)


def shortened(found: Neighbours, k: int) -> Neighbours:
    """The k nearest of every list, copied, so that the longer lists can be let go."""
    return replace(
        found, distances=found.distances[:, :k].copy(), indices=found.indices[:, :k].copy()
    )


def restricted(found: Neighbours, members: Ints) -> Neighbours:
    """Neighbours of the members among themselves, out of lists of the whole set.

    Args:
        found: lists of all points, indices being positions in the set.
        members: ascending positions of the part's points.

    Returns:
        Lists as long as the shortest of them, indices being positions in ``members``.

    Raises:
        UomhError: a member has fewer than two fellows in its list.
    """
    position = np.full(len(found), -1, dtype=np.int64)
    position[members] = np.arange(len(members))
    indices = position[found.indices[members]]
    width = int((indices >= 0).sum(axis=1).min())
    if width < 2:
        raise UomhError(
            f"in lists of {found.k} neighbours some points have fewer than 2 of their own group; "
            "give longer lists, or the points as well"
        )
    columns = np.argsort(indices < 0, axis=1, kind="stable")[:, :width]
    return Neighbours(
        np.take_along_axis(found.distances[members], columns, axis=1),
        np.take_along_axis(indices, columns, axis=1),
        np.arange(len(members)),
    )


def inverse_from_logs(logs: NDArray[np.floating], ks: Sequence[int]) -> Floats:
    """(m, len(ks)) inverse dimensions from (m, >= max k) logarithms of ascending distances."""
    sums = np.cumsum(logs, axis=1, dtype=np.float64)
    parts = [logs[:, k - 1] - sums[:, k - 2] / (k - 1) for k in ks]
    return np.maximum(np.stack(parts, axis=1), 0.0)


def part_means(values: Floats, labels: Ints, parts: int) -> Floats:
    """(parts, columns) means of (m, columns) values over the points of each part."""
    kept = labels >= 0
    sizes = np.bincount(labels[kept], minlength=parts)
    sums = [np.bincount(labels[kept], column[kept], minlength=parts) for column in values.T]
    return np.stack(sums, axis=1) / sizes[:, None]


def random_parts(m: int, parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Labels of a random partition of m points into parts of equal size (to within one)."""
    return rng.permutation(np.arange(m) % parts)


def _blocks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]
