"""The one search that `verify` rests on: lists long enough for groups, halves and shuffles."""

from __future__ import annotations

import math

import numpy as np

from uomh.dimension.anchored import Anchors
from uomh.dimension.inputs import PreparedPoints
from uomh.dimension.nearcopies import RANK
from uomh.dimension.spread import Here
from uomh.dimension.statistic import Statistic
from uomh.dimension.thinning import list_length
from uomh.dimension.values import Ints
from uomh.neighbours import Neighbours

_WIDEST = 512  # neighbours of the whole search: serve parts down to 1/14 of the set at k = 20
_WIDEST_OF_FEW = 4096  # of a few points: parts down to 1/100
_ENTRIES = 1 << 26  # at most this many in all lists together (16 bytes each)


def searched(
    work: Here,
    data: PreparedPoints,
    statistic: Statistic,
    at: Anchors | None,
    of_shuffles: Anchors | None,
    *,
    copies: bool,
) -> tuple[Neighbours, Neighbours]:
    """The lists of all points, or anchors; and those that serve shuffled groups, longer ones.

    Args:
        work: where to search.
        data: the points and their groups.
        statistic: the instrument.
        at: anchors of everything; None for all points.
        of_shuffles: anchors of shuffled groups alone; None where these are at the same points.
        copies: whether points may have exact copies, which take places of a list.
    """
    assert data.points is not None
    m, k, sizes = len(data.points), statistic.width(), np.bincount(data.labels)
    least = statistic.list_length(m)
    if of_shuffles is None:
        width = max(least, _width(sizes, m, k, _WIDEST, m), 0 if at is None else _WIDEST)
        found = work.search(data.points, min(m - 1, width), None if at is None else at.whole())
        return found, found
    width = max(least, _width(sizes, m, k, _WIDEST_OF_FEW, of_shuffles.count))
    # Those of all points are thinned to halves, and show near-copies.
    few = least if copies else max(list_length(k, m), k + RANK)
    return work.search_deeper(data.points, few, of_shuffles.whole(), min(m - 1, width))


def _width(sizes: Ints, m: int, k: int, widest: int, rows: int) -> int:
    """Neighbours to search in the whole set so that lists thinned to any shuffled group suffice.

    The k-th fellow stands at place k/p on average in a list thinned to a share p of the set, with
    deviation sqrt(k (1 - p)) / p. Lists that most points would exhaust are not worth their search:
    groups so small are searched quickly by themselves, and set no length.

    Args:
        sizes: points of each group.
        m: of all.
        k: fellows that are wanted.
        widest: no list is longer.
        rows: how many points have a list.
    """
    served = sizes[k * m <= widest * sizes]
    if len(sizes) < 2 or not len(served):
        return 0
    share = float(served.min()) / m
    needed = (k + 5 * math.sqrt(k * (1 - share))) / share
    return min(math.ceil(needed), widest, _ENTRIES // rows)
