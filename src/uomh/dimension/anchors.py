"""An estimate at some points against the whole set.

A mean over points is known well from some of them, but the scale of an estimate is that of the
density, and so of the whole set: a smaller set would be a sparser one. The neighbours of some
anchors among all points keep the scale, at their share of the search's cost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uomh.dimension.core import Estimator
from uomh.errors import UomhError
from uomh.neighbours import Neighbours, distinct, nearest_neighbours
from uomh.neighbours.checks import whole_number
from uomh.neighbours.core import Points
from uomh.neighbours.rows import others

WHOLE = ("bracket", "corrint", "danco", "fishers", "knn", "mind")
"""estimators that look at the set as one, or search for themselves"""


def anchor_neighbours(X: Any, k: int, anchors: int, *, seed: int = 0) -> Neighbours:
    """The k nearest neighbours, among all points, of anchors drawn at random.

    Args:
        X: (n, ...) points; copies of a point are neither anchors nor neighbours.
        k: number of neighbours.
        anchors: how many points to draw; all of them where there are fewer.
        seed: of the draw.

    Returns:
        Neighbours whose `rows` are those of the anchors in X, ascending.

    Raises:
        UomhError: as `uomh.nearest_neighbours`, or ``anchors`` is no whole number from 1.
    """
    whole_number(anchors, "anchors", 1)
    rows = distinct(X)
    if anchors >= len(rows):
        return nearest_neighbours(X, k)
    if k >= len(rows):
        raise UomhError(
            f"k is {k} but X has {len(rows)} distinct points; lower k or give more points"
        )
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:anchors])
    found = nearest_neighbours(X, k + 1, Points(X).take(rows))
    return Neighbours(*others(found.distances, found.indices, rows, k), rows)


def at_anchors(estimator: Estimator, X: Any, anchors: int) -> Estimator:
    """Fit an estimator at anchors drawn at random, against the whole set.

    Args:
        estimator: of the dimension, fitted in place; its ``seed`` draws the anchors.
            ``shortest_path`` measures from anchors of its own, so it is given their number.
        X: (n, ...) points.
        anchors: number of points to estimate at.

    Returns:
        The estimator. ``dimension_pw_`` is of the anchors, and ``interval_`` is not known, as it
        takes the lists of all points.

    Raises:
        UomhError: as ``fit``; the estimator looks at the set as one; or the anchors are too few.
    """
    if estimator.name in WHOLE:
        raise UomhError(f"{estimator.name} looks at the set as one; it cannot estimate at anchors")
    if "anchors" in estimator.get_params():
        estimator.set_params(anchors=whole_number(anchors, "anchors", 1))
        return estimator.fit(X)
    estimator._check_options()
    found = anchor_neighbours(X, estimator.list_width(estimator.k), anchors, seed=estimator.seed)
    if estimator.most_k(len(found)) < estimator.k:
        raise UomhError(
            f"{len(found)} anchors are too few for {estimator.name} at k = {estimator.k}; "
            "draw more, or lower k"
        )
    splits = estimator.splits
    try:
        estimator.set_params(splits=0)
        return estimator.fit(X, neighbours=found)
    finally:
        estimator.set_params(splits=splits)
