r"""Numbers with 95% intervals, and the differences of two of them on the same points.

A smooth statistic of samples P_1, P_2, ... is, to first order, its expectation plus one mean of a
function for each sample, its *influence*, so that

    Var = sum_s Var(influence over sample s) / n_s

and a difference of two statistics on the same points has the differences of their influences
(the delta method; van der Vaart, Asymptotic Statistics, 1998, ch. 20). That variance is one of the
statistic about its own mean at this n. An interval around the estimate therefore covers that mean,
whatever bias the estimate has for n without end; a percentile bootstrap of a biased statistic
such as the Frechet distance adds that bias a second time and misses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from uomh.metrics.values import NORMAL_95

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval.

    Attributes:
        value: the number, as the function without an interval returns it.
        low: lower end of the interval.
        high: upper end.
        influences: where the interval is one of first order, the influence of each point by the
            name of the set it belongs to ("real", "generated", ...), of mean zero, in the units of
            `value`; a set that is taken as fixed is missing. `difference` reads them.
    """

    value: float
    low: float
    high: float
    influences: Mapping[str, Floats] = field(default_factory=dict, repr=False, compare=False)

    def __float__(self) -> float:
        return self.value


def variance_of(influences: Mapping[str, Floats]) -> float:
    """The variance of a statistic whose points have these influences."""
    return sum(float(values.var(ddof=1)) / len(values) for values in influences.values())


def normal(value: float, variance: float, influences: Mapping[str, Floats]) -> Estimate:
    """An estimate with the symmetric interval of a normal distribution."""
    half = NORMAL_95 * math.sqrt(variance)
    return Estimate(value, value - half, value + half, influences)


def squared(
    value: float, variance: float, influences: Mapping[str, Floats], offset: float = 0.0
) -> Estimate:
    """A squared distance with the interval that is symmetric for the distance itself.

    The square of a nearly normal distance leans to the right, and its root does not. The mean of
    the square is the square of the mean and the variance of the root, by which the ends move up.

    Args:
        value: the squared distance, less `offset`.
        variance: of the value.
        influences: of each point.
        offset: what was subtracted from a square for it to have the right mean.
    """
    square = value + offset
    if variance == 0 or square <= 0:
        return normal(value, variance, influences)
    root = math.sqrt(square)
    half = NORMAL_95 * math.sqrt(variance) / (2 * root)
    up = variance / (4 * square) - offset
    low, high = max(root - half, 0.0) ** 2 + up, (root + half) ** 2 + up
    return Estimate(value, min(low, value), high, influences)


def wilson(share: float, n: float) -> tuple[float, float]:
    """95% interval of a probability, seen as a share of n independent points (Wilson 1927).

    Args:
        share: of points, in [0, 1].
        n: number of points; the *effective* number, share (1 - share) / variance, where they
            depend on each other.

    Examples:
        >>> low, high = wilson(0.0, 100)
        >>> low, round(high, 4)
        (0.0, 0.037)
    """
    z2 = NORMAL_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if share == 0 else max(0.0, middle - half)
    return low, 1.0 if share == 1 else min(1.0, middle + half)


def proportion(inside: NDArray[np.bool_], name: str) -> Estimate:
    """The share of points that are so, with its Wilson interval.

    Args:
        inside: one truth value a point, (n,).
        name: of the set of points.
    """
    share = float(inside.mean())
    influence = inside.astype(np.float64) - share
    return Estimate(share, *wilson(share, len(inside)), {name: influence})


def beyond_limit(scores: Floats, known: Floats, rank: int) -> dict[str, Floats]:
    """Influences on the share of scores beyond an order statistic of reference scores.

    A reference score moves the limit q, and with it the share, by dG/dF (level - 1[score <= q]),
    where G is the share of the scores beyond q and F that of the reference below it. The slope is
    taken over one deviation of the rank to either side.

    Args:
        scores: (m,) in question; the influences of "generated".
        known: (n,) reference scores, in the order of their points; those of "held_out".
        rank: of the limit among them, from 1.
    """
    n, level, ascending = len(known), rank / len(known), np.sort(known)
    deviation = max(1, round(math.sqrt(n * level * (1 - level))))
    low, high = max(rank - 1 - deviation, 0), min(rank - 1 + deviation, n - 1)
    shares = [float(np.mean(scores > ascending[place])) for place in (low, high)]
    slope = (shares[1] - shares[0]) * n / max(high - low, 1)
    over = (scores > ascending[rank - 1]).astype(np.float64)
    under = (known <= ascending[rank - 1]).astype(np.float64)
    return {
        "generated": over - over.mean(),
        "held_out": slope * (under.mean() - under),
    }


def of_halves(parts: tuple[Floats, Floats], n: int, m: int, seed: int) -> dict[str, Floats]:
    """Differences of random halves as influences: their variance is that of the whole.

    Two models have the same splits where sizes and seed agree, which the name of the set says.

    Args:
        parts: a statistic of either half of each split, two times (S,).
        n: points of the first set that was split.
        m: points of the second.
        seed: of the splits.
    """
    halves = (parts[0] - parts[1]) / 2 * math.sqrt(len(parts[0]))
    return {f"halves of {n} and {m}, seed {seed}": halves}
