"""The minimum spanning tree of the neighbour graph.

An edge joins two points when either is among the k nearest of the other; its weight is their
distance. Where that graph falls apart, its components are joined as in Borůvka's algorithm: every
component but the largest gets the shortest edge that leaves it, measured among all points, until
one component is left. By the cut property such an edge belongs to the minimum spanning tree of
the complete graph, so the joints are exact. Inside a component the tree is that of the neighbour
graph; it differs from the complete one only where an edge of the latter joins two points neither
of which is among the k nearest of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from uomh.errors import UomhError
from uomh.neighbours.core import Neighbours, Points
from uomh.neighbours.exact import search

SMALL = 256

Edges = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True)
class SpanningTree:
    """A tree over m points.

    Attributes:
        edges: Rows of X that each edge joins, the lower first, int64 (m - 1, 2), by weight.
        weights: Their distances, float64 (m - 1,), ascending.
        joints: How many of the edges are not in the neighbour graph but join its components.
    """

    edges: NDArray[np.int64]
    weights: NDArray[np.float64]
    joints: int


def spanning_tree(found: Neighbours, X: Any) -> SpanningTree:
    """The minimum spanning tree of a neighbour graph, joined to one where it falls apart.

    Equal weights are ordered by the rows they join, so the tree is one definite answer.

    Args:
        found: Neighbours from a search within X.
        X: The points that were searched; read only if the graph falls apart.

    Raises:
        UomhError: The neighbours are those of queries, or do not belong to X.

    Examples:
        >>> from uomh.neighbours import nearest_neighbours
        >>> X = np.array([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0], [5.0, 1.0]])
        >>> spanning_tree(nearest_neighbours(X, 1), X)
        SpanningTree(edges=array([[0, 1],
               [2, 3],
               [1, 2]]), weights=array([1., 1., 4.]), joints=1)
    """
    n, k = found.indices.shape
    place = np.full(1 + max(found.rows.max(), found.indices.max()), -1)
    place[found.rows] = np.arange(n)
    a, b = np.repeat(np.arange(n), k), place[found.indices.ravel()]
    if (b < 0).any() or (a == b).any():
        raise UomhError("a spanning tree needs the neighbours of a search within X, not of queries")
    tree = _tree(n, (a, b, found.distances.ravel()))
    joints = n - 1 - len(tree[0])
    points = Points(X) if joints else None
    if points is not None and points.n < len(place):
        raise UomhError(f"X has {points.n} rows but a neighbour is row {len(place) - 1}")
    while points is not None and len(tree[0]) < n - 1:
        tree = _tree(n, _together(tree, _joints(points.only(found.rows), n, tree)))
    ends = np.sort(found.rows[np.stack(tree[:2], axis=1)], axis=1)
    order = np.lexsort((ends[:, 1], ends[:, 0], tree[2]))
    return SpanningTree(ends[order], tree[2][order], joints)


def _tree(n: int, edges: Edges) -> Edges:
    """The minimum spanning forest of weighted edges, each of which may be given twice."""
    low, high = np.minimum(edges[0], edges[1]), np.maximum(edges[0], edges[1])
    _, first = np.unique(low * n + high, return_index=True)
    low, high, weight = low[first], high[first], edges[2][first]
    order = np.argsort(weight, kind="stable")  # they stand by low, then high
    low, high, weight = low[order], high[order], weight[order]
    # Ranks stand for weights: a sparse graph takes a weight of zero for no edge.
    rank = np.arange(1, 1 + len(weight))
    chosen = minimum_spanning_tree(coo_array((rank, (low, high)), shape=(n, n)).tocsr()).data
    kept = np.sort(chosen).astype(np.int64) - 1
    return low[kept], high[kept], weight[kept]


def _joints(points: Points, n: int, tree: Edges) -> Edges:
    """The shortest edge out of each component but the largest."""
    ones = np.ones(len(tree[0]))
    _, label = connected_components(coo_array((ones, tree[:2]), shape=(n, n)), directed=False)
    sizes = np.bincount(label)
    sizes_but_largest = sizes.copy()
    sizes_but_largest[sizes.argmax()] = 0
    largest = points.largest()
    edges: list[Edges] = []

    # A point of a component of s points has one outside it among its s + 1 nearest, itself counted.
    small = np.flatnonzero((sizes_but_largest[label] > 0) & (sizes[label] <= SMALL))
    if len(small):
        k = int(sizes[label[small]].max()) + 1
        distances, found = search(points, min(k, n), points.only(small), largest)
        outside = label[found] != label[small][:, None]
        first = outside.argmax(axis=1)
        rows = np.arange(len(small))
        edges.append(_shortest(label, small, found[rows, first], distances[rows, first]))
    for component in np.flatnonzero(sizes_but_largest > SMALL):
        inside, rest = np.flatnonzero(label == component), np.flatnonzero(label != component)
        distances, found = search(points.only(rest), 1, points.only(inside), largest)
        edges.append(_shortest(label, inside, rest[found[:, 0]], distances[:, 0]))
    return _together(*edges)


def _together(*edges: Edges) -> Edges:
    a, b, weight = (np.concatenate(part) for part in zip(*edges, strict=True))
    return a, b, weight


def _shortest(
    label: NDArray[Any], a: NDArray[np.int64], b: NDArray[np.int64], weight: NDArray[np.float64]
) -> Edges:
    """For each component that holds some of a, the shortest of these edges."""
    order = np.lexsort((b, a, weight, label[a]))
    _, first = np.unique(label[a][order], return_index=True)
    chosen = order[first]
    return a[chosen], b[chosen], weight[chosen]
