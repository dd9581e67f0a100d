"""The angles' dimension, held within what the distances allow: two instruments of unlike biases.

Distances to neighbours (`uomh.dimension.mle`) are pulled down by a boundary, and by how much is
known only between two shapes: a flat torus, which has none, and a ball, which is nearly all
boundary (`uomh.dimension.calibration`). Angles between neighbours (`uomh.dimension.ess`) hardly
feel a boundary, but count the directions into which a set bends. Each is weak where the other is
strong: so the angles choose the dimension, and the distances bound what they may choose.

    d = min( max( ESS at 3k neighbours, torus of MLE at k ), ball of MLE at k )
"""

from __future__ import annotations

import numpy as np

from uomh.dimension.calibration import calibrated_band
from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.ess import pointwise_angles
from uomh.dimension.mle import harmonic_dimension
from uomh.neighbours import Neighbours
from uomh.registry import register

WIDER = 3  # times k: angles need more neighbours than distances


@register("estimators", "bracket")
class Bracket(Estimator):
    """Expected simplex skewness, held within the calibrated band of the likelihood.

    Args:
        k: number of neighbours of the likelihood; angles are between 3k, or all there are.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    ``dimension_pw_`` is that of the angles, times one factor that brings its mean to the dimension.
    The band depends on the number of points, so neighbours have to be those of every point.
    """

    least_k = 2
    uses_points = True

    def __init__(self, k: int = 10, *, splits: int = 10, seed: int = 0) -> None:
        super().__init__(k, splits=splits, seed=seed)

    def list_width(self, k: int) -> int:
        """The neighbours between which angles are."""
        return WIDER * k

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        distances = harmonic_dimension(neighbours.distances, self.k_)
        low, high = calibrated_band(distances, len(neighbours), self.k_)
        wide = min(self.list_width(self.k_), len(neighbours) - 1)
        pointwise = pointwise_angles(neighbours, points, wide)
        angles = float(pointwise.mean())
        dimension = float(np.clip(angles, low, high))
        return dimension, pointwise * (dimension / angles)
