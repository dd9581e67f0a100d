"""A hierarchy of clusters as a tree over the points, and its cuts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from uomh.clusters.core import Labels, by_size


@dataclass(frozen=True)
class Tree:
    """The merges of n points into one cluster, from the lowest.

    Attributes:
        edges: a point of each of the two clusters that are merged, int64 (n - 1, 2).
        heights: at which they are, float64 (n - 1,), ascending.
    """

    edges: NDArray[np.int64]
    heights: NDArray[np.float64]

    def cut(self, number: int) -> Labels:
        """The partition into so many clusters, by undoing the highest merges.

        Returns:
            Labels 0 .. number-1 of the points, int64 (n,), the largest cluster first.

        Examples:
            >>> tree = Tree(np.array([[1, 2], [0, 1]]), np.array([0.5, 2.0]))
            >>> tree.cut(2)
            array([1, 0, 0])
        """
        n = len(self.edges) + 1
        return components(n, self.edges[: n - number])


def components(n: int, edges: NDArray[np.int64]) -> Labels:
    """Labels (n,) of the parts into which edges (m, 2) join n points, the largest first."""
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(n, n))
    return by_size(connected_components(graph, directed=False)[1].astype(np.int64))
