"""Groups of equal size by intrinsic dimension, from the lowest.

The dimension at a training point is Levina and Bickel's, from its k nearest training points
(`uomh.dimension.mle`). One such value is noise for the most part (its relative deviation is about
1 / sqrt(k - 1)), so a point is given the mean inverse dimension of the k + 1 training points
nearest to it, itself among them where it is one. Quantiles of that over the training split are the
borders of the groups; a held-out point has its value from its nearest training points and is put
between the same borders.

Groups made this way differ in estimated dimension whatever the data are: that they do is no
evidence of anything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from uomh.clusters.core import Array, Assign, Cut, Labels, NumberConfig, PointClusterer
from uomh.dimension.mle import inverse_dimension
from uomh.errors import UomhError
from uomh.neighbours import distinct, nearest_neighbours
from uomh.registry import register


@register("clusterers", "dimension")
class Dimension(PointClusterer):
    """Equal groups by pointwise dimension, from the lowest; held-out points by its borders."""

    class Config(NumberConfig):
        """Its settings."""

        k: int = Field(20, ge=2)
        """neighbours of a point, for its dimension and for the mean over points"""
        pca_dim: int | None = Field(None, ge=1)
        """work on so many principal components; null: pixels, or an encoder's codes, as they are"""

    config: Config

    def fit(self, x: Array) -> Cut:
        """See `PointClusterer`."""
        k = self.config.k
        apart = x[distinct(x)]
        if len(apart) < k + 2:
            raise UomhError(
                f"{len(apart)} distinct points have no {k} neighbours each to spare; "
                "lower clusters.k"
            )
        found = nearest_neighbours(apart, k, duplicates="keep")
        inverse = inverse_dimension(found.distances, k)

        def values(points: Array) -> NDArray[np.float64]:
            near = nearest_neighbours(apart, k + 1, points, duplicates="keep")
            value: NDArray[np.float64] = -inverse[near.indices].mean(axis=1)
            return value

        ranked = values(x)

        def cut(number: int) -> tuple[Labels, Assign]:
            borders = np.quantile(ranked, np.arange(1, number) / number)

            def assign(points: Array) -> Labels:
                return np.searchsorted(borders, values(points), side="right")

            return np.searchsorted(borders, ranked, side="right"), assign

        return cut
