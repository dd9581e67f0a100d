"""GeoMLE: the maximum likelihood estimate extrapolated to radius zero (Gomtsyan et al. 2019).

Curvature, boundary and a varying density move the estimate d_k(x) of ``uomh.dimension.mle`` away
from d by terms that vanish with the radius R_k(x) = T_k(x); to second order

    E d_k(x) = d + a R_k(x) + b R_k(x)^2.

At each point the estimates at k = inner to k are regressed on R and R^2 and the intercept is taken.
Estimates at neighbouring k are nearly the same number, so each is averaged over random subsets of
the points (of the share 1 - 1/e, as a bootstrap has distinct points), which also gives its standard
deviation over subsets, whose inverse is its weight. A ridge penalty keeps the fit from running away
where the radii hardly differ. The subsets' neighbours are thinned from one list.
"""

from __future__ import annotations

import math

import numpy as np

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.thinning import first_of
from uomh.errors import UomhError
from uomh.neighbours import Neighbours
from uomh.registry import register

SHARE = 1 - math.exp(-1)


@register("estimators", "geomle")
class GeoMLE(Estimator):
    """Maximum likelihood at many k, extrapolated to radius zero.

    Args:
        k: largest number of neighbours.
        inner: smallest; clipped below k.
        subsets: random subsets to average over, at least 2.
        ridge: penalty on the two slopes, with radii in units of the point's largest and weights of
            mean 1.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the subsets and the splits.

    The dimension is the mean over points. The authors' own code differs in that radii are in units
    of the data, so that their penalty depends on the data's scale; scikit-dimension has none.

    Source: Gomtsyan, Mokrov, Panov & Yanovich (2019), *Geometry-aware maximum likelihood estimation
    of intrinsic dimension*.
    """

    least_k = 4

    def __init__(
        self,
        k: int = 40,
        *,
        inner: int = 10,
        subsets: int = 10,
        ridge: float = 5e-3,
        splits: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(k, splits=splits, seed=seed)
        self.inner = inner
        self.subsets = subsets
        self.ridge = ridge

    def most_k(self, n: int) -> int:
        """See `Estimator`."""
        return int(SHARE * n) - 1

    def list_width(self, k: int) -> int:
        """See `Estimator`."""
        return math.ceil(k / SHARE + 4 * math.sqrt(k))

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        if self.subsets < 2:
            raise UomhError(f"subsets must be at least 2; it is {self.subsets}")
        ks = np.arange(max(3, min(self.inner, self.k_ - 1)), self.k_ + 1)
        n, width = len(neighbours), int(ks[-1])
        rng = np.random.default_rng(self.seed)
        rows = np.union1d(neighbours.rows, neighbours.indices)  # the lists may be of some of them
        keep = np.zeros(1 + rows[-1], dtype=bool)
        count = np.zeros((n, 1))
        sums = np.zeros((3, n, len(ks)))  # of the radius, the estimate, and its square
        for _ in range(self.subsets):
            keep[rows] = rng.permutation(len(rows)) < SHARE * len(rows)
            full, columns = first_of(keep[neighbours.indices], width)
            nearest = np.take_along_axis(neighbours.distances[full], columns, axis=1)
            radius, estimate = _estimates(nearest, ks)
            count[full] += 1
            sums[:, full] += radius, estimate, estimate**2
        seen = count[:, 0] >= 2
        if not seen.any():
            raise UomhError("lists are too short for GeoMLE; search more neighbours or lower k")
        radius, mean, square = sums[:, seen] / count[seen]
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        weights = 1 / np.maximum(deviation, 1e-6 * mean)
        intercepts = _intercepts(radius / radius[:, -1:], mean, weights, self.ridge)
        pointwise = np.full(n, intercepts.mean())
        pointwise[seen] = intercepts
        return float(intercepts.mean()), pointwise


def _estimates(nearest: Floats, ks: np.ndarray) -> tuple[Floats, Floats]:
    """Radius and pointwise estimate (normaliser k-2) at every k, (m, len(ks)) each."""
    logs = np.log(nearest)
    before = np.cumsum(logs, axis=1)[:, ks - 2]
    excess = (ks - 1) * logs[:, ks - 1] - before
    if not (excess > 0).all():
        raise UomhError(f"GeoMLE meets a point with {ks[0]} neighbours equally far; raise inner")
    return nearest[:, ks - 1], (ks - 2) / excess


def _intercepts(x: Floats, y: Floats, weights: Floats, ridge: float) -> Floats:
    """Intercepts of m weighted ridge regressions of y on x and x^2, rows of (m, p) arrays."""
    w = weights / weights.mean(axis=1, keepdims=True)
    total = w.sum(axis=1)
    features = np.stack([x, x * x], axis=1)
    middle = np.einsum("mp,mfp->mf", w, features) / total[:, None]
    level = np.einsum("mp,mp->m", w, y) / total
    centred = features - middle[:, :, None]
    gram = np.einsum("mp,mfp,mgp->mfg", w, centred, centred) + ridge * np.eye(2)
    moment = np.einsum("mp,mfp,mp->mf", w, centred, y - level[:, None])
    slopes = np.linalg.solve(gram, moment[:, :, None])[:, :, 0]
    return np.asarray(level - np.einsum("mf,mf->m", slopes, middle))
