"""Thinning: the neighbours within a part of a set, and the intervals that rest on random halves.

*Thinning.* Let N(x) be the neighbours of x in the whole set, nearest first. For any part P that
holds x, the neighbours of x inside P are the members of N(x) that belong to P, in the same order:
the k nearest in P are the first k of them. A list of K neighbours therefore answers for every part
in which x has k fellows among its K nearest (about k/p of them are needed where P holds a share p),
exactly and without a distance computed. Partitions are given as labels, so 199 random partitions
cost 199 gathers of labels by neighbour; the few points that run short are searched inside their
part, as are all where the parts are so small that most would run short (`neighbours.parts`).

*Intervals.* Neighbouring points share their neighbours, so their local estimates are not
independent and a bootstrap over points gives intervals that are too narrow. Two disjoint random
halves of an independent sample *are* independent samples. For s = log(dimension), with d_A and d_B
from the halves A and B of n points,

    E[(s_A - s_B)^2] = 2 Var(s at n/2 points) = 4 Var(s at n points),

where the last step only uses that the variance of a sum of local terms falls as 1/n. So

    V = mean over random splits of (s_A - s_B)^2 / 4

estimates Var(s), whatever the estimator is and however its points depend on each other. The halves
are thinned out of one list. A list of 2k + 4 sqrt(2k) holds k neighbours of a half but for about
one point in a thousand; such a point is left out of that half (as a point, not as a neighbour). In
high dimension the lists share hubs, and where a split puts most of these into B many points of A
run short at once. Which points run short depends on the split and not on the data, and where mass
grows as r^d the ratios of distances do not depend on how far the k-th lies, so V is not biased.

The logarithm makes V nearly independent of the estimate itself (the spread of a dimension is
proportional to it) and the interval positive. What is left is that V is noisy: as measured on tori
and balls of dimension 1 to 20 it behaves as a chi-square with f degrees of freedom,
1/f = 1/splits + (2 + 0.4 k)/n, the first term for the finite number of splits and the second for
the points' dependence (that of d = 1, where it is strongest). The interval is d exp(+-t_f sqrt(V)),
with t_f the quantile of Student's t; ``benchmarks/interval_coverage.py`` measures its coverage.

It is an interval for the mean of the estimator at this n, not for the true dimension
(``uomh.dimension.calibration``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from uomh.dimension.values import Ints
from uomh.errors import UomhError
from uomh.neighbours import Neighbours

Interval = tuple[float, float]
UNKNOWN: Interval = (0.0, math.inf)


def first_of(inside: NDArray[np.bool_], k: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which rows of (m, width) hold k that are true, and the columns (e, k) of their first k.

    >>> first_of(np.array([[True, False, True], [False, False, True]]), 2)
    (array([ True, False]), array([[0, 2]]))
    """
    counts = inside.view(np.int8).sum(axis=1, dtype=np.int64)
    starts = np.cumsum(counts) - counts
    enough = counts >= k
    picked = np.flatnonzero(inside)[starts[enough, None] + np.arange(k)]
    return enough, picked - np.flatnonzero(enough)[:, None] * inside.shape[1]


def first_positive(distances: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """Columns (n, k) of the k smallest positive distances of every row (ascending).

    Raises:
        UomhError: a row has fewer than k.
    """
    enough, columns = first_of(distances > 0, k)
    if not enough.all():
        n, width = distances.shape
        raise UomhError(
            f"{np.count_nonzero(~enough)} of {n} points have fewer than {k} neighbours at positive "
            f"distance among their {width} nearest; drop the duplicates, or search more neighbours"
        )
    return columns


def thinned(neighbours: Neighbours, keep: NDArray[np.bool_], k: int) -> Neighbours:
    """The k nearest neighbours within a subset of the points, without a new search.

    Copies (distance 0) are no neighbours, as everywhere in ``uomh.dimension``.

    Args:
        neighbours: of a search within the whole set, wider than k.
        keep: by row of the array that was searched, whether it is in the subset.
        k: the width wanted.

    Returns:
        Neighbours, k wide, of those points of the subset whose list holds k others of it.

    Raises:
        UomhError: all points of the subset run short.
    """
    members = np.flatnonzero(keep[neighbours.rows])
    inside = keep[neighbours.indices[members]]
    if (neighbours.distances[:, 0] <= 0).any():
        inside &= neighbours.distances[members] > 0
    enough, columns = first_of(inside, k)
    if not enough.any():
        raise UomhError(_too_short(neighbours, k))
    members = members[enough]
    at = members[:, None], columns
    return Neighbours(neighbours.distances[at], neighbours.indices[at], neighbours.rows[members])


def without_copies(neighbours: Neighbours) -> Neighbours:
    """The lists without neighbours at distance zero, as long as the shortest of them."""
    copies = int(np.count_nonzero(neighbours.distances <= 0, axis=1).max())
    if not copies:
        return neighbours
    if copies == neighbours.k:
        raise UomhError(
            f"some point has {copies} copies among its {neighbours.k} neighbours and nothing else; "
            "drop the duplicates, or search more neighbours"
        )
    return thinned(neighbours, ~_none_of(neighbours), neighbours.k - copies)


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
    distances, indices = found.distances[members], position[found.indices[members]]
    width = int((indices >= 0).sum(axis=1).min())
    if width < 2:
        raise UomhError(
            f"in lists of {found.k} neighbours some points have fewer than 2 of their own group; "
            "give longer lists, or the points as well"
        )
    at = np.arange(len(members))[:, None], first_of(indices >= 0, width)[1]
    return Neighbours(distances[at], indices[at], np.arange(len(members)))


def random_parts(m: int, parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Labels of a random partition of m points into parts of equal size (to within one)."""
    return rng.permutation(np.arange(m) % parts)


def around(dimension: float, variance: float, n: int, k: int, *, splits: int) -> Interval:
    """The 95% interval around an estimate, from the split variance of its logarithm.

    Args:
        dimension: the estimate, positive.
        variance: of its logarithm, by ``split_variance``.
        n: number of points.
        k: number of neighbours.
        splits: that the variance is a mean of.
    """
    freedom = 1 / (1 / splits + (2 + 0.4 * k) / n)
    factor = math.exp(float(student.ppf(0.975, freedom)) * math.sqrt(variance))
    return dimension / factor, dimension * factor


def split_variance(
    statistic: Callable[[Neighbours], NDArray[np.float64]],
    neighbours: Neighbours,
    k: int,
    *,
    seed: int,
    splits: int,
) -> NDArray[np.float64]:
    """Variance of statistics of a set of points, from disjoint halves.

    Args:
        statistic: from the neighbours within a half (k wide) to an array of any shape.
        neighbours: of a search within the set.
        k: the width the statistic needs.
        seed: of the splits.
        splits: number of splits, at least 1.

    Returns:
        The variances at the full number of points, in the statistic's shape.

    Raises:
        UomhError: the lists are too short to thin to halves, or as the statistic.
    """
    squares = []
    for in_a in random_halves(neighbours, k, seed, splits):
        a, b = (statistic(half) for half in _halves(neighbours, in_a, k))
        squares.append((a - b) ** 2)
    return np.asarray(np.mean(squares, axis=0) / 4)


def random_halves(
    neighbours: Neighbours, k: int, seed: int, splits: int
) -> Iterator[NDArray[np.bool_]]:
    """Random halves of the points that lists speak of.

    Args:
        neighbours: of a search within the set.
        k: how many neighbours within a half are wanted.
        seed: of the halves.
        splits: how many.

    Yields:
        By row of the array that was searched, whether it is in the half; a new array each time.

    Raises:
        UomhError: the lists are too short to thin to halves.
    """
    rng = np.random.default_rng(seed)
    everyone = members_of(neighbours)
    n = len(everyone)
    if neighbours.k < min(2 * k, n - 1):  # half of the points would run short
        raise UomhError(_too_short(neighbours, k))
    for _ in range(splits):
        half = _none_of(neighbours)
        half[everyone] = rng.permutation(n) < n // 2
        yield half


def members_of(neighbours: Neighbours) -> NDArray[np.int64]:
    """All points that lists speak of, ascending: those asked about, or, beside anchors, others."""
    if len(neighbours) > max(neighbours.rows.max(), neighbours.indices.max()):
        return neighbours.rows
    return np.union1d(neighbours.rows, neighbours.indices)


def _halves(neighbours: Neighbours, in_a: NDArray[np.bool_], k: int) -> Iterator[Neighbours]:
    """`thinned` to a subset and to its complement, in one pass over the lists."""
    mine = in_a[neighbours.rows]
    inside = in_a[neighbours.indices] == mine[:, None]
    if (neighbours.distances[:, 0] <= 0).any():
        inside &= neighbours.distances > 0
    enough, columns = first_of(inside, k)
    members = np.flatnonzero(enough)
    for half in (mine[members], ~mine[members]):
        if not half.any():
            raise UomhError(_too_short(neighbours, k))
        at = members[half, None], columns[half]
        yield Neighbours(
            neighbours.distances[at], neighbours.indices[at], neighbours.rows[members[half]]
        )


def list_length(k: int, n: int) -> int:
    """How many neighbours to search so that halves of n points keep k of them (and no more)."""
    return min(n - 1, 2 * k + math.ceil(4 * math.sqrt(2 * k)))


def _none_of(neighbours: Neighbours) -> NDArray[np.bool_]:
    """An empty subset, by row of the array that was searched."""
    return np.zeros(1 + int(max(neighbours.rows.max(), neighbours.indices.max())), dtype=bool)


def _too_short(neighbours: Neighbours, k: int) -> str:
    n = len(neighbours)
    return (
        f"lists of {neighbours.k} neighbours are too short to find {k} in a random half of "
        f"{n} points; search {list_length(k, n)}"
    )
