"""Method of moments (Amsaleg et al. 2018).

Within the distance w = T_k of a point the k distances follow P(T < r) = (r/w)^d, whose mean is
w d/(d + 1). Setting that equal to the mean m of the k distances gives d = m / (w - m). The authors
count the k-th distance among the k; with d' from the k-1 nearer ones alone, d = (k d' + 1)/(k - 1),
so that it is an overestimate by about (d + 1)/k.
"""

from __future__ import annotations

import numpy as np

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.neighbours import Neighbours
from uomh.registry import register


@register("estimators", "mom")
class MOM(Estimator):
    """Method of moments: mean neighbour distance against the largest.

    Args:
        k: number of neighbours.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    The dimension is the mean over points. Equals scikit-dimension's ``MOM``.

    Source: Amsaleg et al. (2018), *Extreme-value-theoretic estimation of local intrinsic
    dimensionality*, section 4.2.
    """

    least_k = 2

    def __init__(self, k: int = 20, *, splits: int = 30, seed: int = 0) -> None:
        super().__init__(k, splits=splits, seed=seed)

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        nearest = neighbours.distances[:, : self.k_]
        mean = nearest.mean(axis=1)
        with np.errstate(divide="ignore"):
            pointwise = mean / np.maximum(nearest[:, -1] - mean, 0)
        return float(pointwise.mean()), pointwise
