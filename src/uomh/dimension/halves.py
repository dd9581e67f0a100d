"""The sampling variance of an estimate, from disjoint halves of one neighbour search.

Neighbouring points share their neighbours, so their local estimates are not independent and a
bootstrap over points gives intervals that are too narrow. Two disjoint random halves of an
independent sample *are* independent samples. For s = log(dimension), with d_A and d_B from the
halves A and B of n points,

    E[(s_A - s_B)^2] = 2 Var(s at n/2 points) = 4 Var(s at n points),

where the last step only uses that the variance of a sum of local terms falls as 1/n. So

    V = mean over random splits of (s_A - s_B)^2 / 4

estimates Var(s), whatever the estimator is and however its points depend on each other. No half
needs a search of its own: of the list of a point of A keep the neighbours that lie in A, and the
first k of those are its k nearest neighbours in A (*thinning*). A list of 2k + 4 sqrt(2k) holds k
of them but for about one point in a thousand; such a point is left out of that half (as a point,
not as a neighbour). Which points run short depends on the split and not on the data, and where mass
grows as r^d the ratios of distances do not depend on how far the k-th lies, so V is not biased.

The logarithm makes V nearly independent of the estimate itself (the spread of a dimension is
proportional to it) and the interval positive. What is left is that V is noisy: as measured on tori
and balls of dimension 1 to 20 it behaves as a chi-square with f degrees of freedom,
1/f = 1/splits + (2 + 0.4 k)/n, the first term for the finite number of splits and the second for
the points' dependence (that of d = 1, where it is strongest). The interval is d exp(+-t_f sqrt(V)),
with t_f the quantile of Student's t; ``benchmarks/interval_coverage.py`` measures its coverage.

It is an interval for the mean of the estimator at this n, not for the true dimension: curvature,
boundary and density move that mean, and ``uomh.dimension.calibration`` says by how much they may.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from uomh.errors import UomhError
from uomh.neighbours import Neighbours

Interval = tuple[float, float]
UNKNOWN: Interval = (0.0, math.inf)


def around(
    dimension: float, variance: float, n: int, k: int, *, splits: int, level: float = 0.95
) -> Interval:
    """(low, high) around an estimate, from the split variance of its logarithm.

    Args:
        dimension: the estimate, positive.
        variance: of its logarithm, by ``split_variance``.
        n: number of points.
        k: number of neighbours.
        splits: that the variance is a mean of.
        level: of confidence.
    """
    freedom = 1 / (1 / splits + (2 + 0.4 * k) / n)
    factor = math.exp(float(student.ppf((1 + level) / 2, freedom)) * math.sqrt(variance))
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
    rng = np.random.default_rng(seed)
    n = len(neighbours)
    in_a = np.zeros(1 + int(max(neighbours.rows.max(), neighbours.indices.max())), dtype=bool)
    squares = []
    for _ in range(splits):
        in_a[neighbours.rows] = rng.permutation(n) < n // 2
        a, b = (statistic(thinned(neighbours, half, k)) for half in (in_a, ~in_a))
        squares.append((a - b) ** 2)
    return np.asarray(np.mean(squares, axis=0) / 4)


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
        UomhError: more than one in ten points of the subset run short.
    """
    of = np.flatnonzero(keep[neighbours.rows])
    indices = neighbours.indices[of]
    inside = keep[indices]
    if (neighbours.distances[:, 0] <= 0).any():
        inside &= neighbours.distances[of] > 0
    rank = np.cumsum(inside, axis=1, dtype=np.int32)
    full = rank[:, -1] >= k
    if np.count_nonzero(full) < max(1.0, 0.9 * len(full)):
        raise UomhError(
            f"lists of {neighbours.k} neighbours are too short to find {k} within "
            f"{len(of)} of {len(neighbours)} points; search more neighbours"
        )
    inside &= rank <= k
    inside &= full[:, None]
    row, column = np.divmod(np.flatnonzero(inside), neighbours.k)
    return Neighbours(
        neighbours.distances[of[row], column].reshape(-1, k),
        indices[row, column].reshape(-1, k),
        neighbours.rows[of[full]],
    )


def list_length(k: int, n: int) -> int:
    """How many neighbours to search so that halves of n points keep k of them (and no more)."""
    return min(n - 1, 2 * k + math.ceil(4 * math.sqrt(2 * k)))
