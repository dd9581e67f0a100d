"""Agglomerative clustering by Ward's criterion; the algorithm is in `uomh.clusters.ward`."""

from __future__ import annotations

from uomh.clusters.core import Array, Assign, Cut, Labels, PointClusterer
from uomh.clusters.means import to_nearest_mean
from uomh.clusters.ward import ward
from uomh.registry import register


@register("clusterers", "agglomerative")
class Agglomerative(PointClusterer):
    """Ward's hierarchy, exact; a held-out point joins where the sum of squares rises least."""

    def fit(self, x: Array) -> Cut:
        """See `PointClusterer`."""
        tree = ward(x)

        def cut(number: int) -> tuple[Labels, Assign]:
            labels = tree.cut(number)
            return labels, to_nearest_mean(x, labels, ward=True)

        return cut
