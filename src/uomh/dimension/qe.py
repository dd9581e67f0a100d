"""Quadratic embedding: which principal coordinates follow from the ones before (Bi & Lafaye 2025).

Near a point a d-dimensional manifold is, to second order, the graph of quadratic functions over its
tangent space. Take the principal coordinates of a neighbourhood, the widest first: from d on, each
must follow from the ones before it by a polynomial of second degree, and none of the first d does.
So each coordinate is regressed on all terms up to second degree of the coordinates before it, and
the dimension at the point is the least d from which on every regression is significant, F-test at
``level``. Points count by how well theirs fits (the adjusted R^2 of coordinate d + 1), so that a
neighbourhood that shows no graph does not count; where none shows one, all count alike. A flat
neighbourhood, with no width beyond d, fits fully (in the paper it does not count, so that those
few do in which chance finds a graph).

The terms are put in an order in which those of the first d coordinates come first. One orthogonal
basis of all of them then serves every regression of a neighbourhood.

A regression needs fewer terms than neighbours: k has to be more than (d + 1)(d + 2)/2.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import f

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.local import (
    neighbourhoods,
    number_of_terms,
    principal_coordinates,
    up_to_squares,
)
from uomh.neighbours import Neighbours
from uomh.registry import register

RANK = 1e-12  # of the widest coordinate: narrower ones are rounding


@register("estimators", "qe")
class QuadraticEmbedding(Estimator):
    """Quadratic regressions between the principal coordinates of neighbourhoods.

    Args:
        k: number of neighbours.
        level: of the F-tests.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    ``dimension_pw_`` are whole numbers; the dimension is their mean, weighted by fit. No more can
    be seen than the d with (d + 1)(d + 2)/2 < k, 12 for k = 100.

    Source: Bi & Lafaye de Micheaux (2025), *Beyond PCA: manifold dimension estimation via local
    graph structure*.
    """

    least_k = 5
    uses_points = True

    def __init__(
        self, k: int = 100, *, level: float = 0.01, splits: int = 10, seed: int = 0
    ) -> None:
        super().__init__(k, splits=splits, seed=seed)
        self.level = level

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        k = self.k_
        pointwise, weights = np.empty((2, len(neighbours)))
        for batch, vectors in neighbourhoods(neighbours, points, k):
            most = most_coordinates(k)
            coordinates = principal_coordinates(vectors, most + 1)
            pointwise[batch], weights[batch] = self._at(coordinates)
        if not weights.any():
            return float(pointwise.mean()), pointwise
        return float(np.average(pointwise, weights=weights)), pointwise

    def _at(self, coordinates: Floats) -> tuple[Floats, Floats]:
        """Dimensions and weights of b neighbourhoods from their coordinates (b, k, m)."""
        b, k, m = coordinates.shape
        ranks = (np.sqrt((coordinates**2).mean(axis=1)) > RANK).sum(axis=1)
        follows = np.zeros((b, m), dtype=bool)  # whether coordinate d follows from those before
        fit = np.zeros((b, m))
        basis = np.linalg.qr(up_to_squares(coordinates[:, :, : m - 1]))[0] if m > 1 else None
        for d in range(1, m):
            assert basis is not None
            terms = number_of_terms(d) - 1
            target = coordinates[:, :, d : d + 1]
            explained = basis[:, :, : terms + 1].transpose(0, 2, 1) @ target
            total = (target**2).sum(axis=(1, 2))
            left = np.maximum(total - (explained**2).sum(axis=(1, 2)), 1e-28 * total)
            freedom = k - 1 - terms
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = (total - left) / terms / (left / freedom)
                adjusted = 1 - left / freedom / (total / (k - 1))
            follows[:, d] = (f.sf(ratio, terms, freedom) < self.level) & (adjusted > 0)
            fit[:, d] = np.nan_to_num(np.maximum(adjusted, 0))
        beyond = np.arange(m) >= ranks[:, None]  # of no width: no coordinates at all
        independent = ~follows & ~beyond
        dimensions = m - np.argmax(independent[:, ::-1], axis=1)  # one more than the last of them
        chosen = fit[np.arange(b), np.minimum(dimensions, m - 1)]
        flat = (dimensions == ranks) & (ranks <= most_coordinates(k))
        return dimensions.astype(np.float64), np.where(flat, 1.0, chosen * (dimensions < ranks))


def most_coordinates(k: int) -> int:
    """Of how many coordinates k neighbours allow all terms up to the second degree."""
    d = 1
    while number_of_terms(d + 1) < k:
        d += 1
    return d
