"""Points on a grid: bytes, and whatever else was rounded.

Rounding to steps of s moves each coordinate by an error of variance s^2/12, and so adds s^2/6 for
every coordinate to the mean squared distance of two points. It is noise in all coordinates: where
neighbours are nearer than some times ``s sqrt(D/6)``, they tell of the grid and not of the set.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOTED = 0.25
"""of the typical distance: rounding below it is less than 7% of the square"""
_SAMPLE = 20_000  # coordinates that are looked at
_WHOLE = 1e-3  # of a step: how near to the grid a coordinate must lie
_ALIKE = 1e-6  # of the range: values as near as that differ by rounding of float32
_FINEST = 1e-5  # of the range: a finer grid moves nobody


def grid_step(points: NDArray[Any]) -> float:
    """The step of the grid that all coordinates lie on; 0 where there is none to speak of.

    A grid shows by values that come twice or more on average. Where it begins may differ from one
    coordinate to the next: looked at are the differences from the first point.

    Args:
        points: (n, D) of any real type.

    >>> grid_step(np.arange(100).reshape(50, 2) % 7 / 4), grid_step(np.arange(9).reshape(3, 3) ** 2)
    (0.25, 0.0)
    """
    n, dim = points.shape
    if n * dim <= _SAMPLE:
        rows, columns = np.divmod(np.arange(n * dim), dim)
    else:
        rng = np.random.default_rng(0)
        rows, columns = rng.integers(n, size=_SAMPLE), rng.integers(dim, size=_SAMPLE)
    moved = points[rows, columns].astype(np.float64) - points[0].astype(np.float64)[columns]
    values = np.unique(moved)
    values = values[np.r_[True, np.diff(values) > _ALIKE * (values[-1] - values[0])]]
    if len(values) < 2 or 2 * len(values) > len(moved):
        return 0.0  # all alike, or hardly a value twice
    gaps = np.diff(values)
    extent = float(values[-1] - values[0])
    step = extent / round(extent / float(gaps.min()))
    steps = gaps / step
    regular = np.abs(steps - np.round(steps)).max() <= _WHOLE * max(1.0, steps.max() / 100)
    return step if regular and step > _FINEST * extent else 0.0


def rounding_radius(points: NDArray[Any]) -> float:
    """What rounding adds to the distance of two points, in the root of the mean square.

    Args:
        points: (n, D); coordinates that never vary add nothing.
    """
    step = grid_step(points)
    if not step:
        return 0.0
    varying = np.count_nonzero(points.min(axis=0) < points.max(axis=0))
    return step * math.sqrt(varying / 6)


def rounding_sentence(points: NDArray[Any], distances: NDArray[Any], k: int) -> str:
    """What rounding does to the distances to the k-th neighbours; empty where it is little.

    Args:
        points: (n, D).
        distances: (n,) to the k-th neighbours.
        k: which.
    """
    typical = float(np.median(distances))
    share = rounding_radius(points) / typical if typical > 0 else 0.0
    if share <= NOTED:
        return ""
    return (
        f"The points lie on a grid of step {grid_step(points):.3g}: rounding makes up "
        f"{min(share**2, 1):.0%} of the mean square of the distance to neighbour {k}, and adds "
        "dimensions that are not the data's; a larger k looks beyond it."
    )
