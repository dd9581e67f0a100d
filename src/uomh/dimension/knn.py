"""Length of the k-nearest-neighbour graph against the number of points (Costa & Hero 2004).

The distance from a point to its j-th neighbour among p scales as p^(-1/d) where the density on the
manifold is smooth, whatever its shape. So does the mean length of a point's k edges,

    log( (1/p) sum_i sum_{j<=k} T_j(x_i) ) = const - (1/d) log p,

and the slope over random subsets of p = n/2 to n points gives d. The subsets need no search of
their own: their lists are thinned from those of the whole set (``uomh.dimension.thinning``).
"""

from __future__ import annotations

import numpy as np

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.thinning import thinned
from uomh.errors import UomhError
from uomh.neighbours import Neighbours
from uomh.registry import register

FRACTIONS = 2.0 ** -np.arange(0, 1.01, 0.25)


@register("estimators", "knn")
class KNNGraph(Estimator):
    """Length of the nearest-neighbour graph of random subsets against their size.

    Args:
        k: edges of a point.
        subsets: random subsets of each of the sizes n/2, n/2^(3/4), n/2^(1/2), n/2^(1/4).
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the subsets and the splits.

    A global method: every ``dimension_pw_`` is the dimension of the set. scikit-dimension's ``KNN``
    measures the same growth, on subsets of k+1 to k+4 points and by trying every whole d.

    Source: Costa & Hero (2004), *Geodesic entropic graphs for dimension and entropy estimation in
    manifold learning*, for the k-nearest-neighbour graph with gamma = 1.
    """

    def __init__(self, k: int = 5, *, subsets: int = 10, splits: int = 30, seed: int = 0) -> None:
        super().__init__(k, splits=splits, seed=seed)
        self.subsets = subsets

    def most_k(self, n: int) -> int:
        """See `Estimator`."""
        return n // 2 - 1

    def list_width(self, k: int) -> int:
        """See `Estimator`."""
        return 2 * k + int(4 * np.sqrt(2 * k))

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        rng = np.random.default_rng(self.seed)
        n = len(neighbours)
        keep = np.zeros(1 + int(max(neighbours.rows.max(), neighbours.indices.max())), dtype=bool)
        sizes, lengths = [], []
        for fraction in FRACTIONS:
            size = round(n * fraction)
            for _ in range(self.subsets if size < n else 1):
                keep[neighbours.rows] = rng.permutation(n) < size
                part = thinned(neighbours, keep, self.k_)
                sizes.append(size)
                lengths.append(float(part.distances.mean()))
        weights = np.where(np.array(sizes) < n, 1.0, self.subsets)
        if len(set(sizes)) < 2:
            raise UomhError("the nearest-neighbour graph needs more points to grow over")
        slope = np.polyfit(np.log(sizes), np.log(lengths), 1, w=np.sqrt(weights))[0]
        dimension = -1 / float(slope) if slope < 0 else float("inf")
        return dimension, np.full(n, dimension)
