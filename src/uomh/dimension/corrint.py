"""Correlation dimension: how the number of close pairs grows with radius (Grassberger 1983).

The correlation integral C(r) is the share of pairs closer than r, proportional to r^d on a
d-dimensional set. Between two radii, d = log(C(r2)/C(r1)) / log(r2/r1). The radii follow the data:
the medians over points of the distances to the ``inner``-th and the k-th neighbour. The neighbour
lists give the radii; the pairs have to be counted, since in a dense place far more than k of them
are closer than r2.

Interval. C is a mean over pairs, a U-statistic, and log(C(r2)/C(r1)) has to first order the kernel
h(i,j) = 1[r_ij < r2]/C(r2) - 1[r_ij < r1]/C(r1). By Hoeffding's decomposition

    Var = (4 (n-2) zeta_1 + 2 zeta_2) / (n (n-1)),

zeta_2 = E h^2 = 1/C(r1) - 1/C(r2), and zeta_1 the variance of point i's conditional mean of h. With
n_i(r) the pairs of i, the variance over points of a_i = n_i(r2)/mean n(r2) - n_i(r1)/mean n(r1) is
zeta_1 + (zeta_2 - zeta_1)/(n-1), which gives zeta_1. No splits are needed.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.distance import cdist

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.thinning import UNKNOWN, Interval, around
from uomh.errors import UomhError
from uomh.neighbours import Neighbours
from uomh.registry import register

BLOCK = 1024
PRECISION = 1e-6  # of a squared radius: what rounding may change


@register("estimators", "corrint")
class CorrInt(Estimator):
    """Correlation dimension: growth of the number of close pairs with radius.

    Args:
        k: neighbour whose median distance is the outer radius.
        inner: neighbour whose median distance is the inner radius; clipped below k.

    Attributes:
        pair_counts_: (n, 2) other points nearer than the inner and the outer radius.

    ``dimension_pw_`` is log(k/inner) / log(T_k/T_inner) at each point, the same slope from its own
    neighbours, infinite at a tie. Equals scikit-dimension's ``CorrInt`` with ``k1 = inner``,
    ``k2 = k``; for an odd number of points the median is one of the distances, and whether that
    pair is closer than itself is decided by rounding.

    Source: Grassberger & Procaccia (1983), *Measuring the strangeness of strange attractors*.
    """

    least_k = 2
    uses_points = True
    splits = 0
    seed = 0

    def __init__(self, k: int = 20, *, inner: int = 10) -> None:
        self.k = k
        self.inner = inner

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        assert points is not None  # Estimator.fit asks for X where uses_points is true
        inner = min(self.inner, self.k_ - 1)
        distances = neighbours.distances
        radii = np.median(distances[:, [inner - 1, self.k_ - 1]], axis=0)
        if not radii[0] < radii[1]:
            raise UomhError("the two radii are equal; spread k and inner further")
        self.pair_counts_ = pair_counts(points[neighbours.rows], radii)
        means = self.pair_counts_.mean(axis=0)
        if not means[0] > 0:
            raise UomhError("no pair is closer than the inner radius; raise inner")
        with np.errstate(divide="ignore"):
            slopes = math.log(self.k_ / inner) / np.log(
                distances[:, self.k_ - 1] / distances[:, inner - 1]
            )
        return float(np.log(means[1] / means[0]) / np.log(radii[1] / radii[0])), slopes

    def _interval(self, neighbours: Neighbours, points: Coordinates | None) -> Interval:
        counts, n = self.pair_counts_, len(neighbours)
        means = counts.mean(axis=0)
        growth = np.log(means[1] / means[0])
        if n < 4 or growth <= 0:
            return UNKNOWN
        zeta2 = (n - 1) * (1 / means[0] - 1 / means[1])
        spread = float(np.var(counts[:, 1] / means[1] - counts[:, 0] / means[0]))
        zeta1 = max(0.0, (spread * (n - 1) - zeta2) / (n - 2))
        variance = (4 * (n - 2) * zeta1 + 2 * zeta2) / (n * (n - 1)) / growth**2
        return around(self.dimension_, variance, n, self.k_, splits=n)


def pair_counts(points: Coordinates, radii: Floats) -> Floats:
    """How many other points lie nearer than each radius: (n, len(radii)) from (n, D) points."""
    n = len(points)
    centre = points.mean(axis=0, dtype=np.float64)
    largest = max(np.abs(points[rows] - centre).max() for rows in _blocks(n))
    exponent = -math.frexp(largest)[1]  # squares neither overflow nor vanish in these units
    nearer = np.ldexp(radii, exponent) ** 2
    # Where the points spread far beyond the radii, products lose the digits that decide.
    spread = points.shape[1] * math.ldexp(largest, exponent) ** 2
    product = spread * np.finfo(np.float64).eps < PRECISION * nearer.min()
    counts = np.zeros((n, len(radii)))
    blocks = _blocks(n)
    for a, rows in enumerate(blocks):
        left = np.ldexp(points[rows].astype(np.float64) - centre, exponent)
        for columns in blocks[a:]:
            right = left
            if columns != rows:
                right = np.ldexp(points[columns].astype(np.float64) - centre, exponent)
            squared = _products(left, right) if product else cdist(left, right, "sqeuclidean")
            for j, square in enumerate(nearer):
                near = squared < square
                if columns == rows:
                    np.fill_diagonal(near, False)
                    counts[rows, j] += near.sum(axis=1)
                else:
                    counts[rows, j] += near.sum(axis=1)
                    counts[columns, j] += near.sum(axis=0)
    return counts


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def _products(left: Floats, right: Floats) -> Floats:
    """Squared distances (b, c) by one matrix product."""
    squared = np.sum(left**2, axis=1)[:, None] + np.sum(right**2, axis=1)
    squared -= 2 * left @ right.T
    return np.asarray(squared)
