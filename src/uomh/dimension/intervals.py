"""Confidence intervals of the maximum likelihood estimate (``mle``), at every k from one search.

The derivation stands in ``uomh.dimension.halves``: the variance of log(dimension) is estimated from
disjoint random halves, thinned out of one list of neighbours, and the splits serve every k. Nor is
an estimate at each k more work than at one: its inverse, a mean over points of
mean_{j<k} log(T_k / T_j), is a difference of the means over points of log T_1, ..., log T_k.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uomh.dimension.halves import UNKNOWN, Interval, around, split_variance
from uomh.dimension.mle import dimension_of, harmonic_dimension
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
        columns = np.log(part.distances).mean(axis=0)
        inverse = [columns[k - 1] - columns[: k - 1].mean() for k in known]
        return np.log([dimension_of(np.array([value])) for value in inverse])

    n = len(neighbours)
    known = [k for k in ks if n // 2 > k]
    found: dict[int, Interval] = dict.fromkeys(ks, UNKNOWN)
    if known:
        variances = split_variance(logs, neighbours, max(known), seed=seed, splits=splits)
        for k, variance in zip(known, variances, strict=True):
            dimension = harmonic_dimension(neighbours.distances, k)
            found[k] = around(dimension, variance, n, k, splits=splits, level=level)
    return found
