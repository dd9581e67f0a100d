"""TwoNN: the ratio of the second to the first neighbour's distance (Facco et al. 2017).

Where the density is constant on the scale of two neighbours, mu = T_2/T_1 has P(mu < x) = 1 - x^-d
(the case k = 2 of ``uomh.dimension.mle``): log mu is exponential with rate d, whatever the density.
Two estimates of the rate, each without the largest ratios, which come from the sparsest places:

* maximum likelihood. The m smallest of N ratios are kept and the rest known only to be larger
  (censored): d = (m - 1) / (sum_{i<=m} log mu_(i) + (N - m) log mu_(m)), unbiased.
* linear fit. -log(1 - F(mu)) = d log mu with the empirical F(mu_(i)) = i/N is a line through the
  origin, whose least-squares slope is d.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.errors import UomhError
from uomh.neighbours import Neighbours
from uomh.registry import register


@register("estimators", "twonn")
class TwoNN(Estimator):
    """TwoNN: ratio of the second to the first neighbour's distance.

    Args:
        method: ``"ml"`` (censored maximum likelihood) or ``"linear"`` (fit of the paper).
        discarded: share of the largest ratios to leave out, 0 <= discarded < 1. The linear fit
            leaves out at least the largest, where its empirical F is 1.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    ``dimension_pw_`` is 1 / log(mu) at each point, infinite at a tie. Equals scikit-dimension's
    ``TwoNN`` with the same ``discard_fraction`` where no points are equal (there, a copied point
    is dropped altogether; here, one of it is kept).

    Source: Facco, d'Errico, Rodriguez & Laio (2017), equations 3 to 6; Denti et al. (2022) for the
    likelihood.
    """

    least_k: ClassVar[int] = 2
    k = 2

    def __init__(
        self,
        *,
        method: Literal["ml", "linear"] = "ml",
        discarded: float = 0.1,
        splits: int = 30,
        seed: int = 0,
    ) -> None:
        self.method = method
        self.discarded = discarded
        self.splits = splits
        self.seed = seed

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        logs = np.log(neighbours.distances[:, 1] / neighbours.distances[:, 0])
        with np.errstate(divide="ignore"):
            pointwise = 1 / logs
        n = len(logs)
        kept = int(n * (1 - self.discarded))
        if self.method == "linear":
            kept = min(kept, n - 1)
        if kept < 2:
            raise UomhError("fewer than 2 ratios are left; give more points or discard fewer")
        x = np.sort(logs)[:kept]
        if x[-1] == 0:
            raise UomhError("the two nearest neighbours are equally far nearly everywhere")
        if self.method == "linear":
            y = -np.log1p(-np.arange(1, kept + 1) / n)
            return float(x @ y / (x @ x)), pointwise
        return float((kept - 1) / (x.sum() + (n - kept) * x[-1])), pointwise
