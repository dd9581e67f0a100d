"""Claim 1: the groups' dimensions are not those of random groups of their sizes.

The statistic is the spread of the groups about what their size alone explains. With d_c the
estimate on group c and m_c the mean estimate on random subsets of n_c points,

    T = sqrt( sum_c w_c (e_c - mean_w e)^2 ),   e_c = d_c - m_c,   w_c = n_c / n,   mean_w e = w.e,

and rho = T / median_b T_b. Weights n_c give a group the say that its precision deserves (the
variance of an estimate is about 1/n_c). The subsets for m_c are the groups of the shuffles; each
partition, the real one included, is compared with the mean over all the others, so that under the
null all B + 1 values of T are exchangeable and p is exact (``uomh.dimension.nulls``).

Supported if p <= 0.05 at every k, undecided if only at some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from uomh.dimension.claims.core import LEVEL, Claim, Evidence, Status
from uomh.dimension.nulls import p_value
from uomh.dimension.values import Above, Floats, Ints

CHOSEN = (
    "the groups were chosen by looking at these points, which by itself can make them differ and "
    "lie apart, so that no p-value holds as such"
)


@dataclass(frozen=True)
class SpreadTest:
    """The spread T of the groups beyond their size, and T over its median under shuffled labels.

    Attributes:
        rho: T over its median under the nulls.
        statistic: T, in units of dimension.
        p_value: share of the nulls, T counted in, at least as large.
        nulls: how many shuffles.
        null: 2.5%, 50% and 97.5% quantile of a single group's estimate under the shuffles.
    """

    rho: Above
    statistic: float
    p_value: float
    nulls: int
    null: tuple[float, float, float]


@dataclass(frozen=True)
class LabelsMatter(Claim):
    """Claim 1: the groups' dimensions are not those of random groups of their sizes."""

    status: Status
    k: dict[int, SpreadTest] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def decide(cls, evidence: Evidence) -> Self:
        """By the spread of the groups at every k."""
        sizes = [group.n for group in evidence.groups]
        matter = cls.of(evidence.observed, evidence.null, sizes, evidence.ks)
        return replace(matter, reason=CHOSEN if evidence.from_points else "")

    @classmethod
    def of(cls, observed: Floats, null: Floats, sizes: Sequence[int], ks: Sequence[int]) -> Self:
        """From the estimates alone.

        Args:
            observed: (groups, ks) estimates.
            null: (B, groups, ks) estimates on the groups of the shuffles.
            sizes: (groups,) numbers of points.
            ks: numbers of neighbours.
        """
        tests = {}
        for j, k in enumerate(ks):
            spread, spread_null = spreads(observed[:, j], null[:, :, j], np.array(sizes))
            median = float(np.median(spread_null))
            rho = spread / median if median > 0 else float("inf")
            low, middle, high = np.quantile(null[:, :, j], [0.025, 0.5, 0.975]).tolist()
            p = p_value(spread, spread_null)
            tests[k] = SpreadTest(rho, spread, p, len(null), (low, middle, high))
        small = [test.p_value <= LEVEL for test in tests.values()]
        status: Status = "undecided" if any(small) else "not supported"
        return cls("supported" if all(small) else status, tests)

    def row(self) -> str:
        """The spread and its p-values."""
        if not self.k:
            return self.reason
        rho = ", ".join(f"{test.rho:.1f}" for test in self.k.values())
        p = ", ".join(dict.fromkeys(f"{test.p_value:.2g}" for test in self.k.values()))
        return f"spread {rho} times that of shuffled labels; p = {p}"

    def p(self) -> str:
        """The p-values at all k, from the least to the largest."""
        values = [test.p_value for test in self.k.values()]
        low, high = (f"{value:.2g}" for value in (min(values), max(values)))
        return f"p = {low}" if low == high else f"p = {low} to {high}"


def spreads(observed: Floats, null: Floats, sizes: Ints) -> tuple[float, Floats]:
    """T of the groups and of every shuffle, in units of dimension.

    Args:
        observed: (groups,) estimates.
        null: (B, groups) estimates on the groups of the shuffles.
        sizes: (groups,) numbers of points.

    Returns:
        T, and (B,) its values under the shuffles.
    """
    everything = np.vstack([observed, null])
    others = (everything.sum(axis=0) - everything) / len(null)
    deviation = everything - others
    weights = sizes / sizes.sum()
    deviation -= (deviation @ weights)[:, None]
    spread = np.sqrt(deviation**2 @ weights)
    return float(spread[0]), spread[1:]
