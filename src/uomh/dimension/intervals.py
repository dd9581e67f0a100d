"""Confidence intervals of the maximum likelihood estimate (``mle``), at every k from one search.

The derivation stands in ``uomh.dimension.halves``: the variance of log(dimension) is estimated from
disjoint random halves, thinned out of one list of neighbours, and the splits serve every k.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uomh.dimension.halves import UNKNOWN, Interval, around, split_variance
from uomh.dimension.mle import harmonic_dimension
from uomh.neighbours import Neighbours


def interval(
    neighbours: Neighbours, k: int, *, seed: int = 0, splits: int = 100, level: float = 0.95
) -> Interval:
    """Interval of the harmonic MLE of a set; see ``intervals``."""
    return intervals(neighbours, (k,), seed=seed, splits=splits, level=level)[k]


def intervals(
    neighbours: Neighbours,
    ks: Sequence[int],
    *,
    seed: int = 0,
    splits: int = 100,
    level: float = 0.95,
) -> dict[int, Interval]:
    """Interval of the harmonic MLE of a set at every k, from the same splits.

    Args:
        neighbours: of a search within the set, ``halves.list_length(max(ks), n)`` wide or wider;
            distances ascending; copies (distance 0) are no neighbours.
        ks: numbers of neighbours, each at least 2.
        seed: of the random splits.
        splits: number of random splits into halves.
        level: of confidence.

    Returns:
        k to (low, high); (0, inf), nothing known, where a half has fewer than k+1 points.

    Raises:
        UomhError: the lists are too short to thin, or as ``uomh.dimension.mle``.
    """

    def logs(part: Neighbours) -> NDArray[np.float64]:
        return np.log([harmonic_dimension(part.distances, k) for k in known])

    n = len(neighbours)
    known = [k for k in ks if n // 2 > k]
    found: dict[int, Interval] = dict.fromkeys(ks, UNKNOWN)
    if known:
        variances = split_variance(logs, neighbours, max(known), seed=seed, splits=splits)
        for k, variance in zip(known, variances, strict=True):
            dimension = harmonic_dimension(neighbours.distances, k)
            found[k] = around(dimension, variance, n, k, splits=splits, level=level)
    return found
