"""What one group shows by itself: its dimension by k, with interval, band, dispersion and scale.

*Thinned.* The group is cut at random into 4, and into 16, equal parts; the estimate at n/4 is 1
over the mean inverse dimension of its parts (of all its points, for ``mle``), over some cuts. As
the parts are disjoint and every point is used, the relative error is about that of the estimate at
full size (a part has a quarter of the points, and there are four), so the relative interval of the
full size is kept.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from uomh.dimension.anchored import Anchors
from uomh.dimension.core import Coordinates
from uomh.dimension.lists import NeighbourLists
from uomh.dimension.statistic import Statistic
from uomh.dimension.thinning import random_parts
from uomh.dimension.values import Coarse, Group, GroupAtScale, GroupEstimate, Radius
from uomh.errors import UomhError
from uomh.neighbours import Neighbours

THINNED = ((4, 4), (16, 1))  # parts, and how many cuts into them
_LADDER = (2, 3, 5, 10, 20, 50, 100)


def measured_group(
    statistic: Statistic,
    label: str,
    found: Neighbours,
    points: Coordinates | None,
    duplicates: int,
    size_matched: Iterable[float],
    anchors: Anchors | None = None,
) -> Group:
    """A group's numbers from the neighbours of its n points, or its anchors, among themselves.

    Args:
        statistic: the instrument.
        label: the group's name.
        found: neighbours within the group.
        points: (n, D) its points, or None.
        duplicates: how many copies were dropped.
        size_matched: by k, one over the mean inverse estimate on random subsets of the whole of
            this size.
        anchors: of the group, whose neighbours these are; None for those of all points.
    """
    n = len(found) if anchors is None else len(anchors.order)
    estimates = statistic.estimates(found, points)
    by_k = {}
    for (k, e), matched in zip(estimates.items(), size_matched, strict=True):
        band, dispersion = statistic.band(e.dimension, n, k), statistic.dispersion(found, k)
        by_k[k] = GroupEstimate(e.dimension, e.low, e.high, band, float(matched), dispersion)
    coarse = _thinned(statistic, by_k, statistic.lists(found, points, anchors))
    return Group(label, n, duplicates, by_k, coarse, _ladder(statistic, found, points, n))


def _thinned(
    statistic: Statistic, by_k: dict[int, GroupEstimate], lists: NeighbourLists
) -> tuple[Coarse, ...]:
    levels = []
    for parts, times in THINNED:
        n = lists.m // parts
        ks = [k for k in by_k if statistic.allows(k, n)]
        if not ks:
            break
        rng = np.random.default_rng((statistic.seed, parts))
        cuts = [random_parts(lists.m, parts, rng) for _ in range(times)]
        try:
            dimensions = statistic.cuts(lists, cuts, ks).tolist()
        except UomhError:  # the lists that were given, or so few points, say nothing at this size
            break
        at_scale = {}
        for k, d in zip(ks, dimensions, strict=True):
            low, high = (d * end / by_k[k].dimension for end in (by_k[k].low, by_k[k].high))
            at_scale[k] = GroupAtScale(d, low, high, statistic.band(d, n, k))
        levels.append(Coarse(n, at_scale))
    return tuple(levels)


def _ladder(
    statistic: Statistic, found: Neighbours, points: Coordinates | None, n: int
) -> tuple[Radius, ...]:
    reach = min(found.k, n // 4)
    ladder = []
    for k in (k for k in _LADDER if k <= reach):
        try:
            dimension = statistic.dimension(found, points, k)
        except UomhError:  # too few neighbours that are no copies, all equally far, or no such k
            continue
        ladder.append(Radius(k, float(np.median(found.distances[:, k - 1])), dimension))
    return tuple(ladder)
