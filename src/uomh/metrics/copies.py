r"""Whether samples are copies of training points: authenticity, C_T, and who the nearest point is.

*Authenticity* (Alaa et al. 2022): a sample is authentic where it is farther from its nearest
training point than that point is from its own nearest training point.

*C_T* (Meehan, Chaudhuri & Dasgupta 2020): the Mann-Whitney statistic of the samples' distances to
the training set against those of held-out points, as a z-score; below -3 the samples are nearer
than data are. That is so for copies, and as well for samples of less variety than the data.

*Nearest*: of training and held-out points together, which is the nearest to a sample? Both are
draws of the data, and a model that has not seen either cannot tell them apart: the nearest is a
training point with probability n / (n + h) whatever the model is, blurred or broken. Given the
samples and the points, the label "training" is then a random one, so with c_u the number of samples
that u is the nearest of, the share sum_u c_u label_u / m has an exact mean and variance
(of sampling without replacement), which also know that samples share their nearest points.

Samples are taken to be *memorised* where both z-scores say so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from uomh.metrics.inputs import scores_of, two_sets
from uomh.metrics.intervals import Estimate, Floats, proportion, wilson
from uomh.metrics.separation import auroc
from uomh.neighbours import nearest_neighbours

BEYOND = 3.0
"""z-score at which samples are called memorised, as in Meehan et al."""


@dataclass(frozen=True)
class Memorisation:
    """What the nearest training points say of samples.

    Attributes:
        memorises: whether samples are nearer to the training points than to data of the same kind
            that the model has not seen, and nearer than such data are, both beyond 3 deviations.
        authenticity: share of the samples that are no near copies, with its interval.
        c_t: z-score of the samples' distances to the training set against those of held-out points.
        c_t_estimate: the same with the interval of the share of pairs that it is of (`auroc`).
        nearest: share of the samples whose nearest point, of training and held-out ones, is a
            training point; samples as near to both are left out.
        expected: that share for a model that has seen neither.
        excess: ``nearest - expected`` with its interval over labels; None: there is none, as all
            points are the nearest of as many samples.
        nearest_z: how many deviations ``nearest`` is above ``expected``.
        distances: of each sample to its nearest training point, (m,), in units of the points.
        indices: that training point's row, (m,).
    """

    memorises: bool
    authenticity: Estimate
    c_t: float
    c_t_estimate: Estimate
    nearest: float
    expected: float
    excess: Estimate | None
    nearest_z: float
    distances: Floats
    indices: NDArray[np.int64]

    def closest(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The samples nearest to the training set, and their nearest training points, as rows."""
        samples = np.argsort(self.distances, kind="stable")[:count]
        return samples, self.indices[samples]


def memorisation(samples: Any, train: Any, held_out: Any) -> Memorisation:
    """Whether a model that gave these samples copies its training set.

    Args:
        samples: (m, ...) generated points, pixels or features.
        train: (n, ...) the points that the model was trained on, at least 2.
        held_out: (h, ...) data that it was not trained on.

    Raises:
        UomhError: no points, one training point, NaN or infinite values, different dimensions.
    """
    two_sets(samples, train, 1, "a distance", ("samples", "train"))
    two_sets(held_out, train, 1, "a distance", ("held_out", "train"))
    two_sets(train, train, 2, "authenticity", ("train", "train"))
    to_train = nearest_neighbours(train, 1, samples, duplicates="keep")
    to_held_out = nearest_neighbours(held_out, 1, samples, duplicates="keep")
    fresh = nearest_neighbours(train, 1, held_out, duplicates="keep").distances[:, 0]
    spacing = nearest_neighbours(train, 1, duplicates="keep").distances[:, 0]
    distances, indices = to_train.distances[:, 0], to_train.indices[:, 0]
    authentic = proportion(distances > spacing[indices], "samples")
    n, h = len(spacing), len(fresh)
    counts = np.zeros(n + h, np.int64)
    mine, other = distances < to_held_out.distances[:, 0], distances > to_held_out.distances[:, 0]
    np.add.at(counts, indices[mine], 1)
    np.add.at(counts, n + to_held_out.indices[other, 0], 1)
    nearest, variance = _labels_apart(counts, n)
    expected = n / (n + h)
    z = (nearest - expected) / math.sqrt(variance) if variance > 0 else 0.0
    score = _c_t_estimate(distances, fresh)
    return Memorisation(
        score.value < -BEYOND and z > BEYOND,
        authentic,
        score.value,
        score,
        nearest,
        expected,
        _excess(nearest, expected, variance),
        z,
        distances,
        indices,
    )


def c_t(samples: Any, held_out: Any) -> float:
    """The Mann-Whitney statistic of distances as a z-score (Meehan et al. 2020, in one cell).

    Args:
        samples: (m,) distances of samples to the training set.
        held_out: (h,) distances of held-out points to the training set.

    Returns:
        About standard normal where both have one distribution; below 0 where samples are nearer.
        Ties are counted half, and in the deviation.

    Raises:
        UomhError: distances that are NaN or no list, or none.
    """
    return _c_t(scores_of(samples, "samples"), scores_of(held_out, "held_out"))[0]


def _c_t(x: Floats, y: Floats) -> tuple[float, float]:
    """The score, and how many deviations lie between a share of pairs of 0 and one of 1."""
    m, h = len(x), len(y)
    ranks = rankdata(np.concatenate([x, y]))
    above = float(ranks[:m].sum()) - m * (m + 1) / 2
    _, ties = np.unique(ranks, return_counts=True)
    total = m + h
    spread = total + 1 - float((ties**3 - ties).sum()) / max(total * (total - 1), 1)
    deviation = math.sqrt(max(m * h / 12 * spread, 0.0))
    return ((above - m * h / 2) / deviation, m * h / deviation) if deviation > 0 else (0.0, 0.0)


def _c_t_estimate(x: Floats, y: Floats) -> Estimate:
    """`c_t` with the interval of P(x > y) + P(equal) / 2, in the same units.

    Between its least and its greatest value the score is that share, less one half, times a number.
    Its own deviation is 1 only where both have one distribution.
    """
    score, unit = _c_t(x, y)
    if min(len(x), len(y)) < 2:
        return Estimate(score, -unit / 2, unit / 2)
    area = auroc(x, y)
    influences = {
        "samples": area.influences["inside"] * unit,
        "held_out": area.influences["outside"] * unit,
    }
    low, high = ((end - 0.5) * unit for end in (area.low, area.high))
    return Estimate(score, min(low, score), max(high, score), influences)


def _excess(nearest: float, expected: float, variance: float) -> Estimate | None:
    """The excess of the share over chance; its interval keeps to shares of 0 to 1.

    The variance of random labels says how many independent points the share is worth.
    """
    if variance <= 0:
        return None
    low, high = wilson(nearest, expected * (1 - expected) / variance)
    return Estimate(nearest - expected, low - expected, high - expected)


def _labels_apart(counts: NDArray[np.int64], n: int) -> tuple[float, float]:
    """The share of all counts on the first n points, and its variance if these are any n."""
    total, size = int(counts.sum()), len(counts)
    if total == 0:
        return n / size, 0.0
    share = float(counts[:n].sum()) / total
    spread = float(np.square(counts).sum()) - total**2 / size
    return share, n * (size - n) / (size * (size - 1)) * spread / total**2
