"""Curvature-adjusted local PCA (Gilbert & O'Neill 2023).

Points spread evenly in a flat d-dimensional ball of radius r have d eigenvalues r^2 / (d+2) of
their covariance, and no others. Where the manifold bends, it is to second order the graph of
quadratic forms over its tangent space: some variance goes into the directions of the bend, and is
missing from the tangent ones, as the bent piece within distance r covers less of them. On average
over forms the two go together,

    lambda_i = r^2 / (d+2) - (3d+4) / (d (d+4)) S_d  for i <= d,     S_d = sum_{j>d} lambda_j,

so that each d is judged by how well the first d eigenvalues, with what the bend took given back,
are those of its ball, and by how much is left over; in units of r^2, the estimate at a point is

    argmin_d  | (lambda_i + (3d+4) / (d (d+4)) S_d - 1/(d+2))_{i <= d} |  +  2 S_d.
"""

from __future__ import annotations

import numpy as np

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.local import neighbourhoods
from uomh.dimension.lpca import spectrum
from uomh.neighbours import Neighbours
from uomh.registry import register


@register("estimators", "capca")
class CAPCA(Estimator):
    """Local PCA with the curvature of a quadratic graph taken into account.

    Args:
        k: number of neighbours; the ball ends halfway between the last of them and the next.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    The dimension is the mean over points of whole numbers, at most k - 1. k has to be several times
    d, or the spread of sampled eigenvalues outweighs what the bend does.

    Source: Gilbert & O'Neill (2023), *CA-PCA: manifold dimension estimation, adapted for
    curvature*, algorithm 1.
    """

    least_k = 3
    uses_points = True

    def __init__(self, k: int = 100, *, splits: int = 10, seed: int = 0) -> None:
        super().__init__(k, splits=splits, seed=seed)

    def most_k(self, n: int) -> int:
        """One neighbour more has to be there, to end the ball."""
        return n - 2

    def list_width(self, k: int) -> int:
        """The next neighbour ends the ball."""
        return k + 1

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        k = self.k_
        ends = neighbours.distances[:, k - 1 : k + 1].astype(np.float64)
        radius = ends[:, :1] / 2 + ends[:, -1:] / 2
        pointwise = np.empty(len(neighbours))
        for batch, vectors in neighbourhoods(neighbours, points, k):
            scaled = vectors / radius[batch, :, None]
            pointwise[batch] = best_dimension(spectrum(scaled) / (k - 1))
        return float(pointwise.mean()), pointwise


def best_dimension(values: Floats) -> Floats:
    """The d that fits best, (b,), to eigenvalues (b, m) of the covariance, in units of r^2.

    >>> float(best_dimension(np.array([[1 / 4, 1 / 4, 0.0]]))[0])  # a flat disc
    2.0
    """
    left = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
    scores = np.empty_like(values)
    for d in range(1, values.shape[1] + 1):
        rest = left[:, d] if d < values.shape[1] else np.zeros(len(values))
        adjusted = values[:, :d] + (3 * d + 4) / (d * (d + 4)) * rest[:, None]
        scores[:, d - 1] = np.sqrt(((adjusted - 1 / (d + 2)) ** 2).sum(axis=1)) + 2 * rest
    return np.asarray(1 + np.argmin(scores, axis=1), np.float64)
