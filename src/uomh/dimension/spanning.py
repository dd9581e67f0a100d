"""The minimum spanning tree that shows how many edges join groups: of all points, or of some."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.dimension.anchored import Anchors
from uomh.dimension.thinning import shortened
from uomh.errors import UomhError
from uomh.neighbours import Neighbours, nearest_neighbours
from uomh.neighbours.graph import spanning_tree

TREE_POINTS = 10_000
"""of the tree where estimates are at anchors"""


def tree_of(
    found: Neighbours, points: Any, k: int, anchors: Anchors | None
) -> NDArray[np.int64] | None:
    """Edges, as rows of the points, (m - 1, 2).

    Args:
        found: neighbours of all points.
        points: (m, D), or None without them.
        k: neighbours to take edges from.
        anchors: of the set; the tree is then of `TREE_POINTS` of these.

    Returns:
        None if the tree takes points that were not given.
    """
    if anchors is not None:
        rows = np.sort(anchors.order[:TREE_POINTS][: anchors.count])
        some = points[rows]
        near = nearest_neighbours(some, k, duplicates="keep")
        return rows[spanning_tree(near, some).edges]
    try:
        return spanning_tree(shortened(found, k), points).edges
    except UomhError:
        if points is None:
            return None
        raise
