"""The share of points beyond nearly all of a reference: between the manifolds, or off any.

What is asked of samples is whether they lie where data do not: farther from the training set than
99% of held-out points are, or of a top class probability below that of 99% of held-out points. The
reference is points that the model has not seen, so the share of fresh data is 1% by construction,
and a share above it is what the model puts where the data have next to nothing.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from uomh.errors import UomhError
from uomh.metrics.inputs import points_of, scores_of, two_sets
from uomh.metrics.intervals import Estimate, Floats, beyond_limit, proportion
from uomh.neighbours import nearest_neighbours
from uomh.neighbours.checks import real_number

DRAWS = 4000
"""random draws of an interval"""


def share_beyond(scores: Any, reference: Any, level: float = 0.99, *, seed: int = 0) -> Estimate:
    """The share of scores that exceed at least the given share of the reference scores.

    That is the share above the ceil(level n)-th smallest of n reference scores. Its 95% interval is
    for the share above the true quantile of the reference's distribution, over both sets, as the
    few reference scores beyond it leave that quantile uncertain: the number of reference scores
    below it is binomial, and given where it lies so is the number of scores above it, whose
    probability has the posterior Beta(count + 1/2, rest + 1/2) of Jeffreys. The interval is between
    quantiles of draws of both.

    Args:
        scores: (m,) of the points in question, higher for stranger ones.
        reference: (n,) of points known to be right.
        level: the share of the reference, in (0, 1).
        seed: of the draws.

    Raises:
        UomhError: scores that are NaN or no list, or none; too few reference scores to have one
            beyond ``level``; a level outside (0, 1).
    """
    x = scores_of(scores, "scores")
    known = np.sort(scores_of(reference, "reference"))
    share = real_number(level, "level")
    if not 0 < share < 1:
        raise UomhError(f"level must lie between 0 and 1; it is {share}")
    n = len(known)
    rank = math.ceil(share * n - 1e-9)
    if rank >= n:
        raise UomhError(
            f"{n} reference scores have none beyond {share:.0%} of them; give at least "
            f"{math.floor(1 / (1 - share) + 1e-9) + 1}"
        )
    value = float(np.mean(x > known[rank - 1]))
    rng = np.random.default_rng(seed)
    place = rng.binomial(n, share, DRAWS) - rng.integers(0, 2, DRAWS)  # either side of the limit
    limits = np.concatenate([[-np.inf], known, [np.inf]])[place + 1]
    beyond = len(x) - np.searchsorted(np.sort(x), limits, side="right")
    shares = rng.beta(beyond + 0.5, len(x) - beyond + 0.5)
    low, high = np.quantile(shares, [0.025, 0.975])
    if value == 0:
        low = 0.0
    influences = beyond_limit(x, scores_of(reference, "reference"), rank)
    return Estimate(value, min(float(low), value), max(float(high), value), influences)


class BetweenShares(NamedTuple):
    """How many points lie farther from the training set than data do.

    Attributes:
        share: of the samples that are farther from the training set than ``level`` of held-out
            points are, in [0, 1].
        held_out: the same share of the held-out points, 1 - level by construction.
        excess: their difference.
        distances: of each sample to the nearest training point, (m,), in units of the points.
        limit: the distance beyond which samples count.
    """

    share: Estimate
    held_out: Estimate
    excess: Estimate
    distances: Floats
    limit: float


def between_manifolds(
    samples: Any, train: Any, held_out: Any, level: float = 0.99
) -> BetweenShares:
    """The share of samples that lie between the manifolds, where there are no data.

    Args:
        samples: (m, ...) generated points, pixels or features.
        train: (n, ...) the points that the model was trained on, of the same size.
        held_out: (h, ...) data that it was not trained on; more than 1 / (1 - level).
        level: the share of held-out points that samples must exceed.

    Raises:
        UomhError: no points, NaN or infinite values, different dimensions, too few held-out points.
    """
    two_sets(samples, train, 1, "a distance", ("samples", "train"))
    two_sets(held_out, train, 1, "a distance", ("held_out", "train"))
    distances, known = distance_to(train, samples), distance_to(train, held_out)
    share = share_beyond(distances, known, level)
    limit = float(np.sort(known)[math.ceil(level * len(known) - 1e-9) - 1])
    fresh = proportion(known > limit, "held_out")
    excess = Estimate(share.value - fresh.value, share.low - fresh.value, share.high - fresh.value)
    return BetweenShares(share, fresh, excess, distances, limit)


def distance_to(points: Any, queries: Any) -> Floats:
    """The distance of each query to the nearest of the points, float64 (m,)."""
    points_of(queries, "queries", 1, "a distance")
    found = nearest_neighbours(points, 1, queries, duplicates="keep")
    distances: Floats = found.distances[:, 0]
    return distances
