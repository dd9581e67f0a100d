"""What one group shows by itself: its dimension by k, with interval, band, dispersion and scale.

*Thinned.* The group is cut at random into 4, and into 16, equal parts; the estimate at n/4 is 1
over the mean inverse dimension of all its points, each among its own part, over some cuts. As
the parts are disjoint and every point is used, the relative error is about that of the estimate at
full size (a part has a quarter of the points, and there are four), so the relative interval of the
full size is kept.

*Dispersion.* On one homogeneous manifold (k-1) d / d(x) is Gamma(k-1), so the pointwise inverse
dimensions have variance 1 / (d^2 (k-1)); the ratio of their variance to that is 1 there, and more
where the group mixes dimensions, noise levels, boundaries or densities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from uomh.dimension import halves
from uomh.dimension.calibration import calibrated_band
from uomh.dimension.intervals import intervals
from uomh.dimension.mle import harmonic_dimension, inverse_dimension
from uomh.dimension.result import Coarse, Estimate, Group, GroupAtScale, GroupEstimate, Radius
from uomh.dimension.thinning import NeighbourLists, random_parts, shortened
from uomh.errors import UomhError
from uomh.neighbours import Neighbours

THINNED = ((4, 4), (16, 1))  # parts, and how many cuts into them
_LADDER = (2, 3, 5, 10, 20, 50, 100)


def list_length(ks: Sequence[int], n: int) -> int:
    """Neighbours to search among n points: enough for halves, and for most points of quarters."""
    return min(n - 1, max(100, 8 * max(ks)))


def estimates(found: Neighbours, ks: Sequence[int], seed: int) -> dict[int, Estimate]:
    """The dimension at every k, with the interval of the estimator's mean."""
    dimensions = {k: harmonic_dimension(found.distances, k) for k in ks}
    try:
        spread = intervals(shortened(found, halves.list_length(max(ks), len(found))), ks, seed=seed)
    except UomhError:  # lists that were given to us may be too short to thin to halves
        spread = dict.fromkeys(ks, halves.UNKNOWN)
    return {k: Estimate(dimensions[k], *spread[k]) for k in ks}


def widened(low: float, high: float, n: int, k: int) -> tuple[float, float]:
    """The calibrated band of all estimates from low to high; (0, inf) where nothing is known."""
    if low <= 0 or math.isinf(high):
        return halves.UNKNOWN
    return calibrated_band(low, n, k)[0], calibrated_band(high, n, k)[1]


def measured(
    label: str,
    found: Neighbours,
    lists: NeighbourLists,
    ks: Sequence[int],
    *,
    duplicates: int,
    size_matched: Sequence[float],
    seed: int,
) -> Group:
    """A group's numbers from the neighbours of its n points among themselves.

    Args:
        label: the group's name.
        found: neighbours within the group.
        lists: the same neighbours, for thinning.
        ks: numbers of neighbours.
        duplicates: how many copies were dropped.
        size_matched: by k, the mean estimate on random subsets of the whole of this size.
        seed: of the random cuts.
    """
    n = len(found)
    by_k = {}
    for (k, e), matched in zip(estimates(found, ks, seed).items(), size_matched, strict=True):
        inverse = inverse_dimension(found.distances, k)
        by_k[k] = GroupEstimate(
            dimension=e.dimension,
            low=e.low,
            high=e.high,
            calibrated=calibrated_band(e.dimension, n, k),
            size_matched=matched,
            dispersion=float(inverse.var() * (k - 1) / inverse.mean() ** 2),
        )
    return Group(label, n, duplicates, by_k, _thinned(by_k, lists, seed), _ladder(found))


def _thinned(
    by_k: dict[int, GroupEstimate], lists: NeighbourLists, seed: int
) -> tuple[Coarse, ...]:
    levels = []
    for parts, times in THINNED:
        n = lists.m // parts
        ks = [k for k in by_k if n >= 2 * (k + 1)]
        if not ks:
            break
        rng = np.random.default_rng((seed, parts))
        try:
            cuts = [
                lists.inverse_dimensions(random_parts(lists.m, parts, rng), ks)
                for _ in range(times)
            ]
        except UomhError:  # only neighbours were given, and the lists do not reach this far
            break
        dimensions = (1 / np.mean(cuts, axis=(0, 1))).tolist()
        at_scale = [_at_scale(by_k[k], d, n, k) for k, d in zip(ks, dimensions, strict=True)]
        levels.append(Coarse(n, dict(zip(ks, at_scale, strict=True))))
    return tuple(levels)


def _at_scale(full: GroupEstimate, dimension: float, n: int, k: int) -> GroupAtScale:
    low, high = (dimension * end / full.dimension for end in (full.low, full.high))
    return GroupAtScale(dimension, low, high, calibrated_band(dimension, n, k))


def _ladder(found: Neighbours) -> tuple[Radius, ...]:
    reach = min(found.k, len(found) // 4)
    ladder = []
    for k in (k for k in _LADDER if k <= reach):
        try:
            dimension = harmonic_dimension(found.distances, k)
        except UomhError:  # kept copies leave some points fewer than k, or all are equally far
            continue
        ladder.append(Radius(k, float(np.median(found.distances[:, k - 1])), dimension))
    return tuple(ladder)
