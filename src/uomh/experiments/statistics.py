"""Comparison of arms over seeds: means, paired differences, tests, Holm's correction.

Runs of two arms with one seed share data, splits and batches, so their difference is taken seed by
seed. Of n seeds, mean and difference have the interval of Student's t with n - 1 degrees of
freedom, and the difference its paired test. The p-values of one metric are corrected together by
Holm's (1979) step-down method, which bounds the chance that any of them is below the level by luck.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Mean(NamedTuple):
    """The mean of numbers over seeds.

    Attributes:
        value: the mean.
        deviation: standard deviation over seeds (n - 1), None of one.
        low: lower end of the 95% interval of the mean, None of one.
        high: upper end.
        n: number of seeds.
    """

    value: float
    deviation: float | None
    low: float | None
    high: float | None
    n: int


class Paired(NamedTuple):
    """The mean of paired differences.

    Attributes:
        value: the mean.
        low: lower end of its 95% interval, None of one pair.
        high: upper end.
        p_value: of the paired t-test that it is zero, None of one pair.
        n: pairs.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float | None
    n: int


def mean_of(values: Sequence[float]) -> Mean:
    """The mean over seeds.

    >>> found = mean_of([1.0, 2.0, 3.0])
    >>> found.value, found.deviation, round(found.low, 4), round(found.high, 4)
    (2.0, 1.0, -0.4841, 4.4841)
    """
    from scipy.stats import t

    x, n = np.asarray(values, dtype=np.float64), len(values)
    mean = float(x.mean())
    if n < 2:
        return Mean(mean, None, None, None, n)
    deviation = float(x.std(ddof=1))
    half = float(t.ppf(0.975, n - 1)) * deviation / math.sqrt(n)
    return Mean(mean, deviation, mean - half, mean + half, n)


def paired(values: Sequence[float], others: Sequence[float]) -> Paired:
    """The mean of values less others, pair by pair.

    Differences that are all the same and not zero are a p-value of 0, none at all of 1.
    """
    from scipy.stats import t

    differences = np.asarray(values, dtype=np.float64) - np.asarray(others, dtype=np.float64)
    mean = mean_of(differences.tolist())
    if mean.deviation is None:
        return Paired(mean.value, None, None, None, mean.n)
    error = mean.deviation / math.sqrt(mean.n)
    if error == 0:
        p_value = 0.0 if mean.value else 1.0
    else:
        p_value = 2 * float(t.sf(abs(mean.value) / error, mean.n - 1))
    return Paired(mean.value, mean.low, mean.high, p_value, mean.n)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number by Holm's method.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    corrected = [0.0] * len(p_values)
    greatest = 0.0
    for rank, i in enumerate(order):
        greatest = max(greatest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = greatest
    return corrected
