"""Local PCA: how many directions a neighbourhood fills (Fukunaga & Olsen 1971).

In a neighbourhood small against the curvature a d-dimensional manifold is flat: the covariance of
the k neighbours has d large eigenvalues, and the rest come from curvature and noise. The rules:

* ``fo``: the eigenvalues above ``alpha`` (0.05) times the largest.
* ``participation``: (sum of eigenvalues)^2 / sum of squares, d for d equal ones.
* ``gap``: the largest ratio of an eigenvalue to the next.

No more than k - 1 directions can be seen, and near d = k/4 the spread of sampled eigenvalues is as
wide as the rules' thresholds: k has to be several times d.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.local import in_units_of_the_largest, neighbourhoods
from uomh.errors import unknown
from uomh.neighbours import Neighbours
from uomh.registry import register

Rule = Literal["fo", "participation", "gap"]
RULES = ("fo", "participation", "gap")


@register("estimators", "lpca")
class LocalPCA(Estimator):
    """Local PCA: the number of large eigenvalues in each neighbourhood.

    Args:
        k: number of neighbours.
        rule: ``"fo"``, ``"participation"`` or ``"gap"``, see the module.
        alpha: of the rule ``fo``, relative to the largest eigenvalue.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    The dimension is the mean over points. Equals the mean over neighbourhoods of scikit-dimension's
    ``lPCA`` with ``ver`` FO, participation_ratio or maxgap. For k <= D the k-th eigenvalue is zero
    by centring: there maxgap always finds k-1, here it is left out.

    Source: Fukunaga & Olsen (1971), *An algorithm for finding intrinsic dimensionality of data*.
    """

    least_k = 2
    uses_points = True

    def __init__(
        self,
        k: int = 100,
        *,
        rule: Rule = "fo",
        alpha: float = 0.05,
        splits: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(k, splits=splits, seed=seed)
        self.rule = rule
        self.alpha = alpha

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        if self.rule not in RULES:
            raise unknown("rule", self.rule, RULES)
        pointwise = np.empty(len(neighbours))
        for batch, vectors in neighbourhoods(neighbours, points, self.k_):
            pointwise[batch] = self._count(eigenvalues(vectors))
        return float(pointwise.mean()), pointwise

    def _count(self, values: Floats) -> Floats:
        """Dimension from eigenvalues (b, m), largest first."""
        if self.rule == "fo":
            return np.asarray(np.sum(values > self.alpha * values[:, :1], axis=1), np.float64)
        if self.rule == "participation":
            return np.asarray(values.sum(axis=1) ** 2 / (values**2).sum(axis=1))
        if values.shape[1] < 2:
            return np.ones(len(values))
        floored = np.maximum(values, 1e-12 * values[:, :1])  # zero but for rounding is one level
        return np.asarray(1 + np.argmax(floored[:, :-1] / floored[:, 1:], axis=1), np.float64)


def eigenvalues(vectors: Floats) -> Floats:
    """`spectrum` up to a factor: for what depends on ratios alone."""
    return spectrum(in_units_of_the_largest(vectors))


def spectrum(vectors: Floats) -> Floats:
    """Eigenvalues of the scatter of b sets of k vectors, largest first, (b, min(k - 1, D)).

    A k-th would be zero, since the vectors are about their mean.
    """
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    k, dim = centred.shape[1:]
    turned = centred.transpose(0, 2, 1)
    scatter = turned @ centred if dim <= k else centred @ turned
    return np.maximum(np.linalg.eigvalsh(scatter)[:, ::-1], 0)[:, : k - 1]
