"""TLE: distances between neighbours as well, within a tight locality (Amsaleg et al. 2019).

From k neighbours at distances u_1 <= ... <= u_k = r of x, the maximum likelihood estimate uses k
numbers. Each neighbour q_i is itself a place to measure from, but the ball of radius r around it is
not filled by the k points. TLE measures q_j from q_i in the ball of radius r around x: shrinking
that ball towards q_i until it passes through q_j, its radius is

    s_ij = r (sqrt(a^2 + 4 v^2 (r^2 - u_i^2)) - a) / (2 (r^2 - u_i^2)),    a = u_i^2 + v^2 - u_j^2,

with v = |q_i - q_j|; where u_i = r this is r v^2 / a. Reflecting q_j through x, z^2 = 2 u_i^2 +
2 u_j^2 - v^2 takes the place of v^2 and gives t_ij. All are distances in balls of radius r, so

    1/d = - [ sum_{i != j} (log(s_ij / r) + log(t_ij / r)) + 2 sum_i log(u_i / r) ] / (2 k^2).
"""

from __future__ import annotations

import numpy as np

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.local import neighbourhoods, squared_distances
from uomh.neighbours import Neighbours
from uomh.registry import register


@register("estimators", "tle")
class TLE(Estimator):
    """Tight localities: also the distances between a point's neighbours.

    Args:
        k: number of neighbours.
        epsilon: measurements s, t or u below this share of r are dropped (and 1 taken from the
            count 2 k^2 / 2 for each).
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    The dimension is the mean over points; a point whose neighbours are all (to ``epsilon``) at the
    rim counts as 0, as with the authors. Equals scikit-dimension's ``TLE`` where nothing is
    dropped; what is dropped differs, since its ``epsilon`` is a length and ours a share of r, so
    that scaling the data does not change the estimate.

    Source: Amsaleg et al. (2019), *Intrinsic dimensionality estimation within tight localities*.
    """

    least_k = 2
    uses_points = True

    def __init__(
        self, k: int = 20, *, epsilon: float = 1e-4, splits: int = 10, seed: int = 0
    ) -> None:
        super().__init__(k, splits=splits, seed=seed)
        self.epsilon = epsilon

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        pointwise = np.empty(len(neighbours))
        for batch, vectors in neighbourhoods(neighbours, points, self.k_):
            u = neighbours.distances[batch, : self.k_]
            pointwise[batch] = self._tle(u / u[:, -1:], vectors / u[:, -1:, None])
        return float(pointwise.mean()), pointwise

    def _tle(self, u: Floats, vectors: Floats) -> Floats:
        """Estimates from distances (b, k) and vectors (b, k, D), both in units of the largest."""
        k = u.shape[1]
        v2 = squared_distances(vectors)
        ui2, uj2 = u[:, :, None] ** 2, u[:, None, :] ** 2
        s = _inner_radius(ui2, uj2, v2)
        t = _inner_radius(ui2, uj2, np.maximum(2 * ui2 + 2 * uj2 - v2, 0))
        off_diagonal = ~np.eye(k, dtype=bool)
        used = (s >= self.epsilon) & (t >= self.epsilon) & off_diagonal
        far = u >= self.epsilon
        pairs = np.log(np.where(used, s * t, 1)).sum(axis=(1, 2))
        alone = np.log(np.where(far, u, 1)).sum(axis=1)
        dropped = np.sum(~used & off_diagonal, axis=(1, 2)) + np.sum(~far, axis=1)
        at_rim = pairs > -self.epsilon
        total = np.where(at_rim, -1, pairs + 2 * alone)
        return np.where(at_rim, 0.0, -2 * (k * k - dropped) / total)


def _inner_radius(ui2: Floats, uj2: Floats, v2: Floats) -> Floats:
    """Radius of the unit ball shrunk towards q_i until it passes through q_j."""
    a = ui2 + v2 - uj2
    gap = 1 - ui2
    root = np.sqrt(a * a + 4 * v2 * gap)
    # Two forms of one root, each where its terms do not cancel; for gap = 0, a >= v2 > 0.
    positive = a > 0
    return np.where(
        positive,
        2 * v2 / np.where(positive, root + a, 1),
        (root - a) / np.where(positive | (gap <= 0), 1, 2 * gap),
    )
