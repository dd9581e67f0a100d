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

_SAMPLE = 20_000  # coordinates that are looked at
_WHOLE = 1e-3  # of a step: how near to the grid a coordinate must lie
_FINEST = 1e-5  # of the range: a finer grid moves nobody


def grid_step(points: NDArray[Any]) -> float:
    """The step of the grid that all coordinates lie on; 0 where there is none to speak of.

    A grid shows by values that come twice or more on average.

    Args:
        points: (n, D) of any real type.

    >>> grid_step(np.arange(100).reshape(50, 2) % 8 / 4), grid_step(np.arange(9.0).reshape(3, 3))
    (0.25, 0.0)
    """
    flat = points.reshape(-1)
    rows = np.random.default_rng(0).integers(len(flat), size=_SAMPLE)
    values = np.unique(flat if len(flat) <= _SAMPLE else flat[rows]).astype(np.float64)
    if len(values) < 2 or 2 * len(values) > min(len(flat), _SAMPLE):
        return 0.0  # all alike, or hardly a value twice
    gaps = np.diff(values)
    step = float(gaps.min())
    steps = gaps / step
    regular = np.abs(steps - np.round(steps)).max() <= _WHOLE * max(1.0, steps.max() / 100)
    return step if regular and step > _FINEST * (values[-1] - values[0]) else 0.0


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
