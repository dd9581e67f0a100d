"""Correlation of two numbers over a few classes: with an interval, and a test by permutations.

Intervals are for classes drawn from many, by Fisher's transform z = atanh(r), nearly normal with
variance 1/(n - 3) for Pearson's r, and (1 + r^2/2)/(n - 3) for Spearman's (Bonett & Wright 2000,
*Sample size requirements for estimating Pearson, Kendall and Spearman correlations*). A rank
correlation of 1 has no spread by that formula; it is given the lower end of the largest one below
1, which differs by one exchange of neighbours in rank.

The test shuffles one side: under no relation every pairing is equally likely, whatever the
distributions are. Up to `EXACT` classes all pairings are counted.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from uomh.errors import UomhError
from uomh.metrics.inputs import scores_of
from uomh.metrics.values import NORMAL_95

EXACT = 7
"""classes whose 5,040 pairings are all counted"""
Floats = NDArray[np.float64]
How = Literal["spearman", "pearson"]


@dataclass(frozen=True)
class Correlation:
    """A correlation over n pairs.

    Attributes:
        value: in [-1, 1].
        low: lower end of its 95% interval; None with fewer than four pairs.
        high: upper end.
        p_value: two-sided, of no relation.
        n: number of pairs.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float
    n: int


def correlation(
    x: Any, y: Any, how: How = "spearman", *, permutations: int = 9999, seed: int = 0
) -> Correlation:
    """The correlation of two numbers, with interval and permutation test.

    Args:
        x: (n,) numbers.
        y: (n,) numbers of the same things.
        how: ``spearman``, of ranks, or ``pearson``.
        permutations: of the test, where not all are counted.
        seed: of these.

    Raises:
        UomhError: fewer than three pairs, numbers that are not finite, or equal on one side.

    Examples:
        >>> found = correlation([1, 2, 3, 4, 5], [1, 4, 9, 16, 25])
        >>> found.value, round(found.low, 2), round(found.p_value, 4)
        (1.0, -0.17, 0.0167)
    """
    first, second = scores_of(x, "x", 3), scores_of(y, "y", 3)
    if len(first) != len(second):
        raise UomhError(f"x has {len(first)} numbers and y {len(second)}; they come in pairs")
    for name, side in (("x", first), ("y", second)):
        if np.ptp(side) == 0:
            raise UomhError(f"all numbers of {name} are equal, so they correlate with nothing")
    if how == "spearman":
        first, second = rankdata(first), rankdata(second)
    n = len(first)
    a, b = _standard(first), _standard(second)
    value = float(np.clip(a @ b, -1, 1))
    if math.isclose(abs(value), 1):
        value = math.copysign(1.0, value)
    low, high = _interval(value, n, how)
    return Correlation(value, low, high, _p_value(a, b, value, permutations, seed), n)


def _standard(x: Floats) -> Floats:
    """Of mean 0 and length 1."""
    centred = x - x.mean()
    standard: Floats = centred / np.linalg.norm(centred)
    return standard


def _interval(value: float, n: int, how: How) -> tuple[float | None, float | None]:
    if n < 4:
        return None, None
    scale = 1.0
    inner = value
    if how == "spearman":
        largest = 1 - 12 / (n * (n * n - 1))
        inner = float(np.clip(value, -largest, largest))
        scale = 1 + inner**2 / 2
    elif abs(value) == 1:
        return value, value
    middle, half = math.atanh(inner), NORMAL_95 * math.sqrt(scale / (n - 3))
    return (
        -1.0 if value == -1 else math.tanh(middle - half),
        1.0 if value == 1 else math.tanh(middle + half),
    )


def _p_value(a: Floats, b: Floats, value: float, permutations: int, seed: int) -> float:
    # Equal but for rounding is as far out.
    beyond = abs(value) - 1e-9
    if len(a) <= EXACT:
        orders = np.array(list(itertools.permutations(range(len(a)))))
        return float((np.abs(b[orders] @ a) >= beyond).mean())
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.tile(b, (permutations, 1)), axis=1)
    return float((1 + np.count_nonzero(np.abs(shuffled @ a) >= beyond)) / (1 + permutations))
