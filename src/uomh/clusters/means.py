"""Held-out points go to the cluster whose mean is nearest, as the method weighs distance."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from uomh.clusters.core import Array, Assign, Labels


def to_nearest_mean(x: Array, labels: Labels, *, ward: bool = False) -> Assign:
    """The function that puts points into the group whose mean is nearest.

    Args:
        x: (N, D) training points.
        labels: (N,) their groups 0 .. K-1, none of them empty.
        ward: by Ward's criterion: into the group A whose sum of squares the point x increases
            least, |A| / (|A| + 1) ||x - mean(A)||^2.
    """
    sizes = np.bincount(labels)
    means = np.stack([x[labels == k].mean(axis=0, dtype=np.float64) for k in range(len(sizes))])
    weight = sizes / (sizes + 1) if ward else np.ones(len(sizes))

    def assign(points: Array) -> Labels:
        cost = weight * cdist(points.astype(np.float64), means, "sqeuclidean")
        nearest: Labels = cost.argmin(axis=1)
        return nearest

    return assign
