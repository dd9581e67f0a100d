r"""Intrinsic dimension point by point: of samples among each other, and of any point in the data.

At a point x, by maximum likelihood (Levina & Bickel 2004) from its k nearest neighbours at positive
distances T_1 <= ... <= T_k,

    1 / d(x) = 1/(k-1) sum_{j<k} log( T_k(x) / T_j(x) ),

with a relative deviation of 1/sqrt(k-1) where the density is constant. One estimate says little,
and the distribution of many says whether samples have the dimension of the data everywhere: the
share of samples whose d(x) lies outside the range from the 1% to the 99% quantile of that of
training points is 2% for fresh data. Both sets are brought to one size, as in
`uomh.metrics.geometry`.

The interval of the share is from random halves of both sets, which know that neighbours share their
neighbours and that the quantiles are those of a sample: see `uomh.metrics.balls`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from uomh.dimension.thinning import thinned
from uomh.errors import UomhError
from uomh.metrics.cache import Arrays
from uomh.metrics.core import Metric, MetricConfig
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.geometry import lists_of, of_one_size
from uomh.metrics.intervals import Estimate, Floats, wilson
from uomh.metrics.sources import TRAIN, PointSource
from uomh.metrics.values import Value
from uomh.neighbours import Neighbours, distinct, nearest_neighbours
from uomh.registry import register

LEVELS = (0.01, 0.99)
"""quantiles of the data between which a pointwise dimension is usual"""
LEAST = 200
"""points of which halves have the quantiles"""
SPLITS = 32
"""random splits into halves that an interval is a mean of"""


class PointwiseConfig(MetricConfig):
    """Settings of the pointwise dimension."""

    k: int = Field(10, ge=2)
    """number of neighbours"""
    points: int = Field(5000, ge=2)
    """points of each set at most"""
    samples: int | None = Field(None, ge=1)
    """samples in all groups together; null: as many as the evaluation draws"""


@register("metrics", "pointwise_id")
class PointwiseDimension(Metric):
    """Share of samples whose pointwise dimension is outside the 1% to 99% range of the data's.

    Of fresh data it is 2%. Beside it the shares below and above the range: samples of fewer
    dimensions than the data have, and of more.
    """

    Config = PointwiseConfig
    config: PointwiseConfig

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Three shares; the dimensions themselves are left for pictures."""
        k, sources = self.config.k, (TRAIN, PointSource("samples", self.config.samples))
        splits = [evaluation.points(source) for source in sources]
        both = of_one_size(splits[0], splits[1], self.config.points)
        real, drawn = (
            lists_of(evaluation, source, points, k)
            for source, points in zip(sources, both, strict=True)
        )
        found = pointwise_shares(real, drawn, k, seed=evaluation.seed)
        low, high = found.limits
        evaluation.shown[self.name] = {
            "samples": found.samples,
            "sample_rows": drawn.rows,
            "training": found.training,
            "training_rows": real.rows,
            "limits": np.array(found.limits),
            "k": np.array(k),
        }
        about = f"k = {k}; the range of {len(real)} training points is {low:.3g} to {high:.3g}"
        for name, share in (
            (self.name, found.outside),
            (f"{self.name}_below", found.below),
            (f"{self.name}_above", found.above),
        ):
            ends = (share.value, share.low, share.high)
            yield (
                name,
                Value(
                    *ends,
                    len(drawn),
                    "estimate",
                    higher_is_better=False if name == self.name else None,
                    by="samples and training points",
                    about=about,
                ),
            )


class PointwiseShares(NamedTuple):
    """Shares of samples by their pointwise dimension.

    Attributes:
        outside: of the range of the data's.
        below: its lower end.
        above: its upper end.
        limits: the range.
        samples: the dimension at each distinct sample, infinite where all neighbours are equally
            far.
        training: at each distinct training point.
    """

    outside: Estimate
    below: Estimate
    above: Estimate
    limits: tuple[float, float]
    samples: Floats
    training: Floats


def pointwise_shares(
    real: Neighbours, drawn: Neighbours, k: int, *, seed: int = 0
) -> PointwiseShares:
    """The shares of samples outside the usual pointwise dimensions, with 95% intervals.

    Args:
        real: lists among the training points, from `lists_of`.
        drawn: among the samples.
        k: number of neighbours.
        seed: of the random halves.

    Raises:
        UomhError: there are too few points for the quantiles, or for k.
    """
    if min(len(real), len(drawn)) < LEAST:
        raise UomhError(
            f"{len(drawn)} distinct samples and {len(real)} distinct training points are too few "
            f"for the 1% and 99% quantiles of a dimension, which need {LEAST}; draw more samples"
        )
    if min(real.k, drawn.k) < 2 * k:
        raise UomhError(
            f"k = {k} is too many neighbours for halves of {len(drawn)} samples and {len(real)} "
            "training points; lower k"
        )
    inverse = inverse_at(real, k), inverse_at(drawn, k)
    shares, (most, least) = _shares(*inverse)
    rng, squares = np.random.default_rng(seed), []
    for _ in range(SPLITS):
        halves = [_random_half(lists, rng) for lists in (real, drawn)]
        first, second = (
            _shares(
                *(
                    inverse_at(thinned(lists, half if side else ~half, k), k)
                    for lists, half in zip((real, drawn), halves, strict=True)
                )
            )[0]
            for side in (True, False)
        )
        squares.append(np.square(first - second))
    variances = np.mean(squares, axis=0) / 4
    estimates = [
        _share(float(share), float(variance), len(drawn) / (1 + k / 5))
        for share, variance in zip(shares, variances, strict=True)
    ]
    limits = dimensions(np.array([most, least]))
    return PointwiseShares(
        estimates[0],
        estimates[1],
        estimates[2],
        (float(limits[0]), float(limits[1])),
        dimensions(inverse[1]),
        dimensions(inverse[0]),
    )


def dimension_at(evaluation: Evaluation, source: PointSource, k: int) -> Tensor:
    """The pointwise dimension of the training points around each point of a source, (n,).

    Args:
        evaluation: which keeps the neighbours that are searched.
        source: whose points; a training point is no neighbour of its own.
        k: number of neighbours among the distinct training points, copies of the point left out.

    Raises:
        UomhError: there are too few distinct training points.
    """
    train, x = (evaluation.points(of).x.flatten(1) for of in (TRAIN, source))
    number = len(distinct(train.numpy()))
    if number <= k:
        raise UomhError(
            f"{number} distinct training points are too few for a pointwise dimension at k = {k}; "
            "lower k"
        )

    def search() -> Arrays:
        # Of distinct points one at most is at distance zero, a copy of the point itself.
        found = nearest_neighbours(train, k + 1, x, duplicates="drop", device=evaluation.device)
        return {"distances": found.distances}

    distances: Any = evaluation.kept("around", (TRAIN, source), (k,), search)["distances"]
    return torch.from_numpy(dimensions(inverse_of(distances, k)))


def inverse_at(lists: Neighbours, k: int) -> Floats:
    """See `inverse_of`."""
    return inverse_of(lists.distances, k)


def inverse_of(distances: Floats, k: int) -> Floats:
    """The inverse of the dimension at each point, finite; 0 where all neighbours are as far."""
    from uomh.dimension.mle import inverse_dimension  # brings scikit-learn

    return inverse_dimension(distances, k)


def dimensions(inverse: Floats) -> Floats:
    """Dimensions of their inverses."""
    with np.errstate(divide="ignore"):
        return np.asarray(1 / inverse)


def _shares(real: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    """Shares outside, below and above the range; and the greatest and least inverse within it."""
    # The quantiles beyond which a further point lies with these very probabilities.
    least, most = np.quantile(real, LEVELS, method="weibull")
    below, above = float((drawn > most).mean()), float((drawn < least).mean())
    return np.array([below + above, below, above]), np.array([most, least])


def _random_half(lists: Neighbours, rng: np.random.Generator) -> np.ndarray:
    """Of the rows that were searched, those in the first half of a random split of the points."""
    inside = np.zeros(1 + int(max(lists.rows.max(), lists.indices.max())), dtype=bool)
    inside[lists.rows] = rng.permutation(len(lists)) < len(lists) // 2
    return inside


def _share(share: float, variance: float, most: float) -> Estimate:
    """The interval of a share, as one of ``most`` independent points at most.

    Points that share most of their k neighbours are few independent ones, which a variance of
    halves cannot see where there happen to be none: simulations of fresh data at k = 10 have a
    third of the points.
    """
    known = variance > 0 and 0 < share < 1
    effective = min(most, share * (1 - share) / variance) if known else most
    return Estimate(share, *wilson(share, effective))
