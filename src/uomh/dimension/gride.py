"""Gride: ratios of more distant neighbours, scale by scale (Denti et al. 2022).

The volumes between successive neighbours of a Poisson process are independent exponentials, so
mu^-d = (T_n1/T_n2)^d is a ratio of sums of them, a Beta(n1, n2 - n1) variable. The density of
mu = T_n2/T_n1 is thus

    d (mu^d - 1)^(n2-n1-1) / (B(n2 - n1, n1) mu^((n2-1) d + 1)),     mu > 1,

and with L = log mu the derivative of the log-likelihood of N points in d is

    N/d + (n2-n1-1) sum_i L_i / (1 - exp(-d L_i)) - (n2-1) sum_i L_i.

It falls in d, from +inf to -n1 sum L, so it has one zero. With n2 = 2 n1 = 2, 4, 8, ... the
estimate runs over scales without thinning the data: at (1, 2) it is TwoNN. As in DADApy, N - 1
stands for N, which makes the estimate at (1, 2) unbiased. At a single point (N = 1) the zero is
d = t/L, where t depends on n1 and n2 alone.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy.optimize import brentq

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.errors import UomhError
from uomh.neighbours import Neighbours
from uomh.registry import register


def gride(logs: Floats, n1: int, n2: int, count: int) -> float:
    """The zero of the score.

    Args:
        logs: log(T_n2 / T_n1) of the points, not negative; zeros (ties) are left out.
        n1: rank of the nearer neighbour.
        n2: rank of the farther neighbour.
        count: what stands for N in the score, at least 1.

    Raises:
        UomhError: there is no positive ratio.

    >>> round(gride(np.array([0.25, 0.5, 0.75]), 1, 2, count=3), 9)
    2.0
    """
    logs = logs[logs > 0]
    if not len(logs) or count < 1:
        raise UomhError(f"Gride has too few points whose neighbours {n1} and {n2} differ")
    between, total = n2 - n1 - 1, (n2 - 1) * float(logs.sum())

    def score(d: float) -> float:
        return count / d + between * float(np.sum(logs / -np.expm1(-d * logs))) - total

    low = high = 1.0
    while score(high) > 0:
        high *= 2
    while score(low) < 0:
        low /= 2
    return float(brentq(score, low, high, xtol=1e-300, rtol=1e-13)) if low < high else low


@register("estimators", "gride")
class Gride(Estimator):
    """Gride: ratios of neighbours 1 to 2, 2 to 4, 4 to 8, ..., one estimate a scale.

    Args:
        k: largest neighbour considered; the scales n2 are the powers of two from 2 to k, and
            ``dimension_`` is that of the largest.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    Attributes:
        scales_: n2 = 2, 4, 8, ...; n1 is half of it.
        dimension_scales_: estimate at each scale.
        radius_scales_: mean distance to neighbour n2 at each scale.

    Equals scikit-dimension's ``GRIDE`` (``n1``, ``n2 = 2 n1``) but for what that leaves out: ratios
    above q50 + 20 (q95 - q50) of their quantiles. Nothing is cut here, since for d = 1 or 2 ratios
    that large are the model's own.

    Source: Denti, Doimo, Laio & Mira (2022), *The generalized ratios intrinsic dimension
    estimator*.
    """

    least_k: ClassVar[int] = 2

    def __init__(self, k: int = 16, *, splits: int = 30, seed: int = 0) -> None:
        super().__init__(k, splits=splits, seed=seed)

    def _fit(self, neighbours: Neighbours, points: Coordinates | None) -> None:
        super()._fit(neighbours, points)
        self.scales_ = 2 ** np.arange(1, 1 + int(math.log2(self.k_)))
        distances = neighbours.distances
        self.dimension_scales_ = np.array([_at(distances, int(n2)) for n2 in self.scales_])
        self.radius_scales_ = distances[:, self.scales_ - 1].mean(axis=0)

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        n2 = 2 ** int(math.log2(self.k_))
        logs = np.log(neighbours.distances[:, n2 - 1] / neighbours.distances[:, n2 // 2 - 1])
        with np.errstate(divide="ignore"):
            pointwise = gride(np.ones(1), n2 // 2, n2, count=1) / logs
        return _at(neighbours.distances, n2), pointwise


def _at(distances: Floats, n2: int) -> float:
    logs = np.log(distances[:, n2 - 1] / distances[:, n2 // 2 - 1])
    return gride(logs, n2 // 2, n2, count=int(np.count_nonzero(logs)) - 1)
