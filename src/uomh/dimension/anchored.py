"""Anchors: the points at which ``verify`` estimates a set that is too large to do so at all.

Every set has anchors: the whole, each group, and each group of shuffled labels. All
points stand in one random order. The anchors of the whole are the first of it, as many as were
asked for; those of a part are its own among these, and further ones down to `LEAST` where it has so
many points. So what is measured of a labelling depends on the labels in the same way for the true
ones and for shuffled ones, and p-values stay exact. The variance of an estimate comes from disjoint
halves as ever, of the anchors and of the points that are their neighbours: it holds the anchors'
part too.

*Shuffled labels* are by far the most that is estimated, so of more than 20,000 points they are
estimated at 5,000 anchors even where all else is at all points, and so are the groups that they
are compared with and the random subsets of the whole: the statistic is the same function of true
and of shuffled labels, and its p-value is exact; only what is smaller than the spread at so many
points may remain unseen (differences of a few percent between ten groups).

*By default* all points are anchors while a search of all takes less than ten minutes by a nominal
cost, which is the same on every machine, so that the answer is: of two cores, a nanosecond for each
pair of points to look at its bound, and one for every 50 coordinates to compute it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.errors import UomhError
from uomh.neighbours.checks import whole_number
from uomh.neighbours.measure import place_in_row
from uomh.neighbours.parts import short_numbers

LEAST = 50
"""anchors of a group that has so many points"""
FEWEST = 1000
"""anchors of a whole set that can be asked for"""
DEFAULT = 50_000
NOMINAL_SECONDS = 600.0
SHUFFLED = 5_000
"""anchors of shuffled groups, of all together"""
LEAST_SHUFFLED = 5
"""anchors of a shuffled group: among so many groups each needs to be known less well"""
SPARED = 4
"""sets of at most so many times these points have all of them as anchors"""


@dataclass(frozen=True)
class Anchors:
    """The points at which sets are estimated.

    Attributes:
        count: anchors of the whole set.
        order: (m,) all points in random order.
        least: anchors of a part that has as many points.
    """

    count: int
    order: NDArray[np.int64]
    least: int = LEAST

    @classmethod
    def drawn(cls, m: int, count: int, seed: int) -> Anchors:
        """So many of m points."""
        return cls(count, np.random.default_rng((seed, m, count)).permutation(m))

    @classmethod
    def of_shuffles(cls, m: int, seed: int) -> Anchors | None:
        """Those of m points at which shuffled groups are estimated; None where all are."""
        if m <= SPARED * SHUFFLED:
            return None
        return replace(cls.drawn(m, SHUFFLED, seed), least=LEAST_SHUFFLED)

    def whole(self) -> NDArray[np.int64]:
        """Those of the whole set, ascending."""
        return np.sort(self.order[: self.count])

    def of(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        """Those of the parts of a partition, ascending.

        Args:
            labels: (m,) the part of each point, 0 or more; -1 for none.
        """
        mine = short_numbers(labels)[self.order]
        by_part = np.argsort(mine, kind="stable")[np.count_nonzero(mine < 0) :]
        parts, first = mine[by_part].astype(np.int64), mine[: self.count]
        wanted = np.bincount(first[first >= 0], minlength=int(parts[-1]) + 1)
        place = place_in_row(parts, len(wanted))
        return np.sort(self.order[by_part[place < np.maximum(wanted, self.least)[parts]]])

    def within(self, members: NDArray[np.int64]) -> Anchors | None:
        """Those of a group, by position among its members (ascending); None where all are."""
        position = np.full(len(self.order), -1)
        position[members] = np.arange(len(members))
        order = position[self.order]
        count = max(self.least, int(np.count_nonzero(order[: self.count] >= 0)))
        return None if count >= len(members) else Anchors(count, order[order >= 0])


def anchors_of(
    m: int, dim: int | None, asked: int | None, seed: int, *, always: bool = False
) -> Anchors | None:
    """The anchors of m points of so many coordinates; None where all points are anchors.

    Args:
        m: number of points.
        dim: their coordinates; None without points, whose neighbours are then known.
        asked: how many were asked for; None for the default.
        seed: of the draw.
        always: whether the estimator needs all points.

    Raises:
        UomhError: fewer than `FEWEST` were asked for, there are no points, or all are needed.
    """
    if asked is not None:
        count = whole_number(asked, "anchors")
        if count < FEWEST:
            raise UomhError(f"anchors must be at least {FEWEST:,}; it is {count}")
        if always and count < m:
            raise UomhError(
                "this estimator is fitted to all points of a group and cannot estimate at anchors; "
                "take mle, or leave the anchors out"
            )
        if dim is None:
            raise UomhError("anchors are searched among the points; give the points X")
    else:
        slow = not always and dim is not None and nominal_seconds(m, m / 2, dim) > NOMINAL_SECONDS
        count = DEFAULT if slow else m
    return None if count >= m else Anchors.drawn(m, count, seed)


def nominal_seconds(m: int, rows: float, dim: int) -> float:
    """How long two cores take to search so many rows among m points, about.

    >>> round(nominal_seconds(60_000, 30_000, 784))
    30
    """
    return 1e-9 * m * rows * (1 + dim / 50)


def anchors_sentence(anchors: Anchors | None, m: int) -> str:
    """That estimates are at anchors, for the report; empty where they are not."""
    if anchors is None:
        return ""
    return (
        f"Estimates are at {anchors.count:,} of {m:,} points drawn at random, in a group at its "
        f"share of them and at least {LEAST}, with neighbours among all points; intervals hold "
        "what this draw adds."
    )


def shuffles_sentence(anchors: Anchors | None) -> str:
    """That shuffled labels are estimated at anchors, for the report; empty where they are not."""
    if anchors is None:
        return ""
    return (
        "Shuffled labels, the groups that they are compared with, and random subsets of the whole "
        f"are estimated at {anchors.count:,} points drawn at random, and at least "
        f"{anchors.least} of a group, with neighbours among all points."
    )
