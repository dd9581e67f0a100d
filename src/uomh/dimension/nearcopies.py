"""Near-copies: points so near to another that they tell of how the data were made, not of a shape.

A point jittered, recompressed or exported twice has a neighbour at a distance that has nothing to
do with the manifold. The estimate takes logarithms of ratios of distances, so each such pair pulls
the dimension towards zero however small the jitter is.

*The typical nearest distance* must not be that of the near-copies themselves: where every point
has one, the median nearest distance is the jitter. So let R(x) be the distance to the K-th
neighbour, K = 50 or what the lists allow, which up to K - 1 near-copies leave alone; the nearest
neighbour farther than ``tolerance`` R(x) is the first that is none, and the typical distance T is
the median over x of the distance to it.

*Near* is then below ``tolerance`` times T, and times R(x) K^(-1/d), the nearest distance that R(x)
leads one to expect. The second bound spares groups much smaller than the rest, whose points are all
near to one another and no copies.

*By chance.* Where mass grows as r^d and T is the median nearest distance, a share
1 - 2^-(tolerance^d) of the points has a nearer neighbour than ``tolerance`` T: 7 in 10,000 for a
curve, none to speak of from d = 2 on. Here d is that of the median radii of neighbours K/2 and K,
which near-copies leave alone too, and at least 1. Uneven densities give more; so what is said of
near-copies is said beyond ten times that share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.neighbours import Neighbours, nearest_neighbours

RANK = 50
BEYOND_CHANCE = 10


@dataclass(frozen=True)
class NearCopies:
    """How many points have a neighbour that is nearly the same point.

    Attributes:
        points: how many have one.
        n: among how many.
        expected: how many would by chance.
        tolerance: of the typical nearest distance, below which a neighbour is a near-copy.
        distance: median over these points of the distance to the nearest; NaN where there are none.
    """

    points: int
    n: int
    expected: float
    tolerance: float
    distance: float

    @property
    def beyond_chance(self) -> bool:
        """Whether there are more of them than chance may account for."""
        return self.points > BEYOND_CHANCE * self.expected

    def sentence(self, without: str = "") -> str:
        """What they are and what to do; empty where chance may account for them.

        Args:
            without: what the estimates are without them, in words.
        """
        if not self.beyond_chance:
            return ""
        return (
            f"{self.points:,} of {self.n:,} points have a neighbour nearer than "
            f"{self.tolerance:g} of the typical nearest distance ({self.expected:.2g} would by "
            f"chance), at {self.distance:.3g} in the median, and each pulls the dimension down"
            f"{without and f' ({without})'}; leave such near-copies out with "
            "near_duplicates='drop' (--near-duplicates drop)."
        )


def near_copies(found: Neighbours, tolerance: float) -> NearCopies:
    """Count the points that have a near-copy.

    Args:
        found: neighbours of all points of a set among themselves; copies (distance 0) are none.
        tolerance: share of the typical nearest distance, between 0 and 1.
    """
    return _counted(found, *_limits(found, tolerance), tolerance)


def near_copies_as_copies(found: Neighbours, tolerance: float) -> Neighbours:
    """The lists with near-copies at distance 0: no neighbours to any estimator.

    Args:
        found: neighbours of all points of a set among themselves.
        tolerance: share of the typical nearest distance, between 0 and 1.
    """
    near = _near(found, _limits(found, tolerance)[0])
    return replace(found, distances=np.where(near, 0, found.distances))


def without_near_copies(
    points: NDArray[Any], tolerance: float, device: Any
) -> tuple[NDArray[np.int64], NearCopies]:
    """Rows of which no two are near-copies (of several the first stays), and what there was.

    Args:
        points: (n, D) points, n at least 2; exact copies are left alone.
        tolerance: share of the typical nearest distance, between 0 and 1.
        device: where to search.
    """
    rows, before = np.arange(len(points)), None
    while True:
        k = min(2 * RANK, len(rows) - 1)
        found = nearest_neighbours(points[rows], k, duplicates="keep", device=device)
        limit, dimension = _limits(found, tolerance)
        before = before or _counted(found, limit, dimension, tolerance)
        here, place = np.nonzero(_near(found, limit))
        if not len(here):
            return rows, before
        there = found.indices[here, place]
        keep = np.ones(len(rows), dtype=bool)
        first, second = np.minimum(here, there), np.maximum(here, there)
        order = np.lexsort((second, first))
        for a, b in zip(first[order].tolist(), second[order].tolist(), strict=True):
            if keep[a]:
                keep[b] = False
        rows = rows[keep]  # the lists may have been too short to show all: look again


def _near(found: Neighbours, limit: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (found.distances > 0) & (found.distances < limit[:, None])


def _counted(
    found: Neighbours, limit: NDArray[np.float64], dimension: float, tolerance: float
) -> NearCopies:
    share = -math.expm1(-math.log(2) * tolerance**dimension)
    near = _near(found, limit)
    have = near.any(axis=1)
    nearest = np.where(near, found.distances, np.inf)[have].min(axis=1)
    return NearCopies(
        int(have.sum()),
        len(found),
        len(found) * share,
        tolerance,
        float(np.median(nearest)) if len(nearest) else math.nan,
    )


def _limits(found: Neighbours, tolerance: float) -> tuple[NDArray[np.float64], float]:
    """Below which distance a neighbour of each point is a near-copy, and the rough dimension."""
    distances = found.distances
    rank = min(RANK, distances.shape[1] - 1)
    if rank < 1:
        return np.zeros(len(found)), 1.0
    reach = distances[:, rank]
    apart = distances > tolerance * reach[:, None]
    first = np.take_along_axis(distances, apart.argmax(axis=1)[:, None], axis=1)[:, 0]
    typical = np.median(first)
    with np.errstate(divide="ignore", invalid="ignore"):  # kept copies are at distance 0
        growth = np.log(np.median(reach)) - np.log(np.median(distances[:, rank // 2]))
    dimension = max(1.0, math.log((rank + 1) / (rank // 2 + 1)) / growth) if growth > 0 else 1.0
    expected = reach * (rank + 1) ** (-1 / dimension)
    return tolerance * np.minimum(typical, expected), dimension
