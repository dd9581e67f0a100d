"""Single linkage: the minimum spanning tree, cut at its longest edges.

The hierarchy that merges the two clusters with the shortest edge between them is that of the edges
of the minimum spanning tree, from the shortest; K clusters are left where the K-1 longest are cut
(Gower & Ross 1969). On images the longest edges lead to single outliers, so that K clusters are
K-1 single points and the rest. ``min_size`` asks for more: only an edge that joins two clusters of
at least so many points each may be cut. A smaller cluster then stays with the one that it joins,
and each of the K has at least that size: of the edges that may be cut the longest come first, so
that the sides of each are cut further only by shorter ones, into sides that again are large enough.

The tree is that of the graph of k nearest neighbours, whose components are joined exactly
(`uomh.neighbours.graph`). It is the minimum spanning tree of all points unless that has an edge
between two points neither of which is among the k nearest of the other.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field
from scipy.cluster.hierarchy import DisjointSet

from uomh.clusters.core import Array, Assign, Cut, Labels, PointClusterer, PointsConfig
from uomh.clusters.tree import components
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours, spanning_tree
from uomh.registry import register


@register("clusterers", "single_linkage")
class SingleLinkage(PointClusterer):
    """The spanning tree, cut at its longest edges; a held-out point joins its nearest point."""

    class Config(PointsConfig):
        """Its settings."""

        min_size: int = Field(1, ge=1)
        """points that a cluster must have; at 1, on images, most clusters are single outliers"""
        k: int = Field(20, ge=1)
        """neighbours of a point in the graph whose spanning tree is cut"""

    config: Config

    def fit(self, x: Array) -> Cut:
        """See `PointClusterer`."""
        n = len(x)
        edges = np.empty((0, 2), np.int64)
        if n > 1:
            near = nearest_neighbours(x, min(self.config.k, n - 1), duplicates="keep")
            edges = spanning_tree(near, x).edges
        may_cut = np.flatnonzero(smaller_sides(edges) >= self.config.min_size)

        def cut(number: int) -> tuple[Labels, Assign]:
            if number - 1 > len(may_cut):
                raise UomhError(
                    f"the points fall into at most {len(may_cut) + 1} clusters of min_size="
                    f"{self.config.min_size} or more; lower min_size or num_clusters"
                )
            longest = may_cut[len(may_cut) - (number - 1) :]
            labels = components(n, np.delete(edges, longest, axis=0))

            def assign(points: Array) -> Labels:
                near = nearest_neighbours(x, 1, points, duplicates="keep")
                nearest: Labels = labels[near.indices[:, 0]]
                return nearest

            return labels, assign

        return cut


def smaller_sides(edges: Labels) -> Labels:
    """Points in the smaller of the two clusters that each edge of a tree joins.

    Args:
        edges: (n - 1, 2) over points 0 .. n-1, in the order in which they join clusters.

    Examples:
        >>> smaller_sides(np.array([[0, 1], [2, 3], [1, 2], [0, 4]]))
        array([1, 1, 2, 1])
    """
    parts = DisjointSet(range(len(edges) + 1))
    sides = np.empty(len(edges), dtype=np.int64)
    for i, (a, b) in enumerate(edges.tolist()):
        sides[i] = min(parts.subset_size(a), parts.subset_size(b))
        parts.merge(a, b)
    return sides
