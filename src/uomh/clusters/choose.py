"""How many clusters: the number of greatest mean silhouette (Rousseeuw 1987).

With a(x) the mean distance of a point to the others of its cluster, and b(x) the least mean
distance to the points of another one, the silhouette is (b - a) / max(a, b): near 1 well inside a
cluster, 0 between two, negative in the wrong one. Every number from 2 to 20 is tried on the first
2,000 training points (of the fixed shuffle), so the answer depends on data and seed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.errors import UomhError
from uomh.lazy import imported

SAMPLE = 2000
MOST = 20


def best_number(
    x: NDArray[Any],
    fit: Callable[[NDArray[Any]], Callable[[int], tuple[NDArray[np.int64], object]]],
) -> int:
    """The number of clusters of greatest mean silhouette; of equal ones the smallest.

    Args:
        x: (N, D) training points.
        fit: of `uomh.clusters.core.PointClusterer`.

    Raises:
        UomhError: the points are too few, or cannot be cut in two.
    """
    measures = imported("sklearn.metrics")
    sample = x[:SAMPLE].astype(np.float64)
    cut = fit(x[:SAMPLE])
    distances = measures.pairwise_distances(sample)
    np.fill_diagonal(distances, 0)
    scores = {}
    for number in range(2, min(MOST, len(sample) - 1) + 1):
        try:
            labels, _ = cut(number)
        except UomhError:  # the method finds no more clusters than this
            break
        if len(np.unique(labels)) == number:
            scores[number] = measures.silhouette_score(distances, labels, metric="precomputed")
    if not scores:
        raise UomhError("auto finds no way to cut these points in two; say num_clusters")
    return max(scores, key=lambda number: scores[number])
