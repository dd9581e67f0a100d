"""Expected simplex skewness (Johnsson, Soneson & Fontes 2015).

Two independent directions in R^d span a parallelogram of area |sin angle| per unit lengths, and its
mean grows towards 1 with d, as random directions become orthogonal:

    s(d) = E|sin| = Gamma(d/2)^2 / (Gamma((d+1)/2) Gamma((d-1)/2)),    s(1) = 0.

In each neighbourhood, with v_i the neighbours about their mean, the skewness is measured as
sum_{i<j} area(v_i, v_j) / sum_{i<j} |v_i| |v_j|, which weighs pairs by their length so that noise
near the centre counts little, and turned into d by inverting s, linearly between whole numbers.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.local import in_units_of_the_largest, neighbourhoods
from uomh.neighbours import Neighbours
from uomh.registry import register

LARGEST = 4096


@register("estimators", "ess")
class ESS(Estimator):
    """Expected simplex skewness: the angles between a point's neighbours.

    Args:
        k: number of neighbours.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    The dimension is the mean over points, between 1 and 4,096. Equals scikit-dimension's ``ESS``
    (``ver="a"``, ``d=1``) for up to 100 neighbours; beyond that it draws 5,000 pairs and this takes
    all of them.

    Source: Johnsson, Soneson & Fontes (2015), *Low bias local intrinsic dimension estimation from
    expected simplex skewness*.
    """

    least_k = 3
    uses_points = True

    def __init__(self, k: int = 100, *, splits: int = 10, seed: int = 0) -> None:
        super().__init__(k, splits=splits, seed=seed)

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        pointwise = pointwise_angles(neighbours, points, self.k_)
        return float(pointwise.mean()), pointwise


def pointwise_angles(neighbours: Neighbours, points: Coordinates | None, k: int) -> Floats:
    """The dimension at each of m points, (m,), by the angles between its k neighbours."""
    pointwise = np.empty(len(neighbours))
    for batch, vectors in neighbourhoods(neighbours, points, k):
        pointwise[batch] = by_angles(vectors)
    return pointwise


def by_angles(vectors: Floats) -> Floats:
    """The dimension of each of b sets of k vectors (b, k, D), between 1 and 4,096."""
    dimensions = np.arange(1, LARGEST + 1)
    return np.interp(skewness(vectors), expected_skewness(dimensions), dimensions)


def expected_skewness(d: np.ndarray) -> Floats:
    """s(d), the mean area spanned by two random unit vectors in R^d, for d >= 1.

    >>> [round(float(s), 6) for s in expected_skewness(np.array([1, 2, 3]))]  # 0, 2/pi, pi/4
    [0.0, 0.63662, 0.785398]
    """
    return np.asarray(np.exp(2 * gammaln(d / 2) - gammaln((d + 1) / 2) - gammaln((d - 1) / 2)))


def skewness(vectors: Floats) -> Floats:
    """Mean area spanned by two of k vectors about their mean, by lengths, of b sets (b, k, D)."""
    vectors = in_units_of_the_largest(vectors)
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    inner = centred @ centred.transpose(0, 2, 1)
    squared = np.diagonal(inner, axis1=1, axis2=2).copy()
    area = squared[:, :, None] * squared[:, None, :]  # and in place, for memory's sake
    area -= np.square(inner, out=inner)  # exactly 0 where i = j
    np.sqrt(np.maximum(area, 0, out=area), out=area)
    lengths = np.sqrt(squared).sum(axis=1) ** 2 - squared.sum(axis=1)
    return np.asarray(area.sum(axis=(1, 2)) / lengths)
