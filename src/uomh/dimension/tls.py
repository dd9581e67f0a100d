"""Total least squares of principal coordinates (Bi & Lafaye de Micheaux 2025).

As in `uomh.dimension.qe` a manifold is locally the graph of quadratic functions, so that from d on
each principal coordinate of a neighbourhood follows from the ones before. Here no coordinate is
taken as free of error: the terms of x_1 ... x_j up to second degree and x_{j+1}, all about their
means, are columns of one matrix, and its least squared singular value R_j is what the best
relation between them leaves over. More terms leave less over in any case, so R_j counts times the
number of its terms, j (j + 3) / 2. While coordinates are independent this grows with j, and beyond
d it falls: the dimension at a point is the least j >= 2 from which on it falls without exception,
or one more than the last where it never does.

Squares have another unit than lengths, and the paper leaves the unit of length open. Here it is a
tenth of the root mean square of the widest coordinate: products are then far from small beside
lengths, and what is left over is that of a length.
"""

from __future__ import annotations

import numpy as np

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.local import (
    neighbourhoods,
    number_of_terms,
    principal_coordinates,
    up_to_squares,
)
from uomh.dimension.qe import RANK, most_coordinates
from uomh.neighbours import Neighbours
from uomh.registry import register

ROUNDING = 1e-10  # of the products, about; of a mean square of 100 in these units
UNITS = 10.0  # of length, in the root mean square of the widest coordinate


@register("estimators", "tls")
class TotalLeastSquares(Estimator):
    """What the best quadratic relation between principal coordinates leaves over, by their number.

    Args:
        k: number of neighbours.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    The dimension is the mean over points of whole numbers; 1 is not among them, but where the
    points of a neighbourhood lie on a line. No more can be seen than k allows terms: 13 for 100.

    Source: Bi & Lafaye de Micheaux (2025), *Beyond PCA: manifold dimension estimation via local
    graph structure*.
    """

    least_k = 5
    uses_points = True

    def __init__(self, k: int = 100, *, splits: int = 10, seed: int = 0) -> None:
        super().__init__(k, splits=splits, seed=seed)

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        pointwise = np.empty(len(neighbours))
        for batch, vectors in neighbourhoods(neighbours, points, self.k_):
            coordinates = principal_coordinates(vectors, most_coordinates(self.k_) + 1)
            pointwise[batch] = _dimensions(coordinates)
        return float(pointwise.mean()), pointwise


def _dimensions(coordinates: Floats) -> Floats:
    b, k, m = coordinates.shape
    ranks = (np.sqrt((coordinates**2).mean(axis=1)) > RANK).sum(axis=1)
    if m < 3:
        flat: Floats = ranks.astype(np.float64)
        return flat
    coordinates = UNITS * coordinates
    terms = up_to_squares(coordinates[:, :, : m - 1])[:, :, 1:]
    joint = np.concatenate([terms - terms.mean(axis=1, keepdims=True), coordinates], axis=2)
    products = joint.transpose(0, 2, 1) @ joint
    over = np.empty((b, m - 1))
    for j in range(1, m):
        count = number_of_terms(j) - 1
        chosen = np.r_[:count, terms.shape[2] + j]
        least = np.linalg.eigvalsh(products[:, chosen[:, None], chosen])[:, 0]
        over[:, j - 1] = count * np.maximum(least, ROUNDING * k)
    last = np.minimum(ranks, m) - 1  # how many of them there are, by point
    falls = np.diff(over, axis=1) <= 0
    falls |= np.arange(1, m - 1) >= last[:, None]  # beyond the rank: no exceptions
    rises = ~falls
    longest = np.where(rises.any(axis=1), m - 2 - np.argmax(rises[:, ::-1], axis=1), 0)
    found = longest + 2
    return np.where(found > last, last + 1, found).astype(np.float64)
