"""k-means by Lloyd's algorithm (scikit-learn's), from the best of several seeded starts.

Clusters minimise the sum of squared distances to their means; a held-out point joins the cluster
whose mean is nearest, which is the same criterion.
"""

from __future__ import annotations

import warnings

import numpy as np
from pydantic import Field
from sklearn.cluster import KMeans as Lloyd
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from uomh.clusters.core import Array, Assign, Cut, Labels, PointClusterer, PointsConfig, by_size
from uomh.clusters.means import to_nearest_mean
from uomh.registry import register
from uomh.seeds import derived_seed


@register("clusterers", "kmeans")
class KMeans(PointClusterer):
    """k-means (scikit-learn's); a held-out point joins the nearest mean."""

    class Config(PointsConfig):
        """Its settings."""

        n_init: int = Field(10, ge=1)
        """seeded starts (k-means++), of which the best is kept"""
        max_iter: int = Field(300, ge=1)
        """iterations of a start"""

    config: Config

    def fit(self, x: Array) -> Cut:
        """See `PointClusterer`."""
        points = x.astype(np.float32)
        points -= points.mean(axis=0, dtype=np.float64).astype(np.float32)

        def cut(number: int) -> tuple[Labels, Assign]:
            method = Lloyd(
                number,
                n_init=self.config.n_init,
                max_iter=self.config.max_iter,
                random_state=derived_seed(self.seed, "kmeans") % 2**32,
            )
            # With several threads the order of sums, and with it the last digits, is chance.
            with threadpool_limits(1), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # few points: told as empty
                labels = by_size(method.fit(points).labels_)
            return labels, to_nearest_mean(x, labels)

        return cut
