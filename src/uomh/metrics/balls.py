r"""Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020).

Around each point x of a set X stands the closed ball B(x) whose radius is the distance from x to
its k-th nearest neighbour in X, itself left out; copies of x are neighbours at distance zero. With
n real points x and m generated ones y,

    precision = share of the y in some B(x)       recall   = share of the x in some B(y)
    density   = mean over y of #{x: y in B(x)} / k
    coverage  = share of the x whose B(x) holds some y.

The radii come from the search for neighbours (`uomh.neighbours`), and what lies in which ball from
one pass over the pairs of the two sets (`uomh.neighbours.balls`): memory is that of a block.

*Intervals.* Points share balls, so the points that are in one are not independent, and a binomial
interval is too narrow. Two disjoint random halves of both sets are independent samples: with F_A
and F_B of the halves,

    E (F_A - F_B)^2 / 4 = Var F of half the points / 2 = Var F,

as the variance of a mean of local terms falls as 1/n. The mean over random splits estimates it, all
from the one pass: a neighbour list of the whole, thinned to a half, has the half's radii
(see `uomh.dimension.halves`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from uomh.errors import UomhError
from uomh.metrics.inputs import two_sets
from uomh.metrics.intervals import Estimate, Floats, of_halves, wilson
from uomh.metrics.values import NORMAL_95
from uomh.neighbours import nearest_neighbours
from uomh.neighbours.balls import near_pairs
from uomh.neighbours.checks import one_of, whole_number
from uomh.neighbours.core import Points
from uomh.parallel.progress import Progress

SPLITS = 32
"""random splits into halves that an interval is a mean of"""
WIDER = (float(student.ppf(0.975, SPLITS)) / NORMAL_95) ** 2
"""factor of a variance that is known from so many splits"""

Balls = Literal["closed", "open"]


class PRDC(NamedTuple):
    """Precision, recall, density and coverage.

    Attributes:
        precision: share of the generated points within the real manifold, in [0, 1].
        recall: share of the real points within the generated manifold, in [0, 1].
        density: mean number of real balls that hold a generated point, over k; may exceed 1.
        coverage: share of the real balls that hold a generated point, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


class PRDCEstimates(NamedTuple):
    """The same four, with their intervals."""

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def prdc(
    real: Any,
    generated: Any,
    k: int = 5,
    *,
    balls: Balls = "closed",
    progress: Progress | None = None,
) -> PRDC:
    """Precision, recall, density and coverage of generated points against real ones.

    Args:
        real: (n, ...) features, an array or a tensor; trailing axes are flattened.
        generated: (m, ...) features of the same size.
        k: which neighbour sets the radii; 3 in Kynkaanniemi et al., 5 in Naeem et al.
        balls: whether a point at the radius itself is inside: in the papers it is (`closed`); the
            package ``prdc`` counts it as outside (`open`). Without ties both are the same.
        progress: is told of the stage `neighbours`, the pass over pairs.

    Returns:
        Four numbers, exact: distances are differences in float64.

    Raises:
        UomhError: k or fewer points in either set, NaN or infinite values, different dimensions.

    Examples:
        >>> prdc([[0.0], [1.0], [2.0]], [[0.5], [9.0]], k=1)
        PRDC(precision=0.5, recall=1.0, density=1.0, coverage=0.6666666666666666)
    """
    first, second, k = _checked(real, generated, k)
    one_of(balls, "kind of ball", ("closed", "open"))
    radii = _radii(first, k)[:, None], _radii(second, k)[:, None]
    if balls == "open":  # the next number below the radius
        radii = tuple(np.nextafter(r, -np.inf).clip(min=-1.0) for r in radii)  # type: ignore[assignment]
    return PRDC(*(float(values[0]) for values in _Counts(first, second, k, *radii, progress).all()))


def prdc_estimates(
    real: Any, generated: Any, k: int = 5, *, seed: int = 0, progress: Progress | None = None
) -> PRDCEstimates:
    """`prdc` with 95% intervals of the means at these numbers of points.

    Both sets are taken as samples: the intervals are of what other real and other generated points
    of the same numbers would give.

    Args:
        real: (n, ...) features.
        generated: (m, ...) features of the same size.
        k: which neighbour sets the radii.
        seed: of the random splits.
        progress: is told of the stage `neighbours`.

    Raises:
        UomhError: as `prdc`; or too few points for halves, at least 4k + 4 in each set.
    """
    first, second, k = _checked(real, generated, k)
    if min(first.n, second.n) < 4 * k + 4:
        raise UomhError(
            f"intervals at k = {k} are from halves, which need {4 * k + 4} points of each set; "
            f"there are {first.n} and {second.n}: use a smaller k or more points"
        )
    rng = np.random.default_rng(seed)
    halves = [_random_halves(points.n, rng) for points in (first, second)]
    radii = [
        _radii_in_halves(points, k, half)
        for points, half in zip((first, second), halves, strict=True)
    ]
    counts = _Counts(first, second, k, radii[0], radii[1], progress, (halves[0], halves[1]))
    found = []
    for values, parts in zip(counts.all(), counts.of_halves(), strict=True):
        variance = float(np.square(parts[0] - parts[1]).mean()) / 4
        influences = of_halves(parts, first.n, second.n, seed)
        found.append((float(values[0]), variance * WIDER, influences))
    precision, recall, density, coverage = found
    return PRDCEstimates(
        _share(*precision, second.n),
        _share(*recall, first.n),
        _mean_count(*density, second.n),
        _share(*coverage, first.n),
    )


def _share(value: float, variance: float, influences: Mapping[str, Floats], n: int) -> Estimate:
    """The interval of a share of n points."""
    effective = value * (1 - value) / variance if variance > 0 and 0 < value < 1 else n
    return Estimate(value, *wilson(value, effective), influences)


def _mean_count(
    value: float, variance: float, influences: Mapping[str, Floats], n: int
) -> Estimate:
    """The interval of a density over n points.

    Where no point is in any ball, a share of points up to that of `wilson` might be, and a point
    of the real set's own distribution is in k balls on average, which counts as 1.
    """
    if value == 0:
        return Estimate(value, *wilson(value, n), influences)
    half = NORMAL_95 * math.sqrt(variance)
    return Estimate(value, max(value - half, 0.0), value + half, influences)


def _checked(real: Any, generated: Any, k: int) -> tuple[Points, Points, int]:
    k = whole_number(k, "k", 1)
    what = f"a ball to the neighbour number {k}"
    return *two_sets(real, generated, k + 1, what), k


def _radii(points: Points, k: int) -> Floats:
    radii: Floats = nearest_neighbours(points.array, k, duplicates="keep").distances[:, -1]
    return radii


def _random_halves(n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which points are in the first half of each random split, (n, SPLITS)."""
    first = np.arange(n) < (n + 1) // 2
    return np.stack([rng.permutation(first) for _ in range(SPLITS)], axis=1)


def _radii_in_halves(points: Points, k: int, halves: NDArray[np.bool_]) -> Floats:
    """Radii in the whole set, then in the half that a point is in by each split, (n, 1 + SPLITS).

    A list that is too short for a half, about one in a thousand, gives its last distance.
    """
    length = min(points.n - 1, 2 * k + math.ceil(4 * math.sqrt(2 * k)))
    found = nearest_neighbours(points.array, length, duplicates="keep")
    radii = np.empty((points.n, 1 + halves.shape[1]))
    radii[:, 0] = found.distances[:, k - 1]
    rows = np.arange(points.n)
    for split, half in enumerate(halves.T):
        order = (half[found.indices] == half[:, None]).cumsum(axis=1)
        place = np.minimum((order < k).sum(axis=1), length - 1)
        radii[:, 1 + split] = found.distances[rows, place]
    return radii


class _Counts:
    """What lies in which ball, for the whole sets and for the halves of each split.

    Column 0 is of the whole sets; column s of the split s - 1, in which a pair counts where both
    points are in the same half.
    """

    def __init__(
        self,
        real: Points,
        generated: Points,
        k: int,
        real_radii: Floats,
        generated_radii: Floats,
        progress: Progress | None,
        halves: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    ) -> None:
        self.k, self.halves = k, halves
        columns = real_radii.shape[1]
        self.balls = np.zeros((generated.n, columns), np.int64)  # real balls around each y
        self.recalled = np.zeros((real.n, columns), bool)
        self.covered = np.zeros((real.n, columns), bool)
        reach = real_radii.max(axis=1), generated_radii.max(axis=1)
        near = near_pairs(
            real, generated, reach[0].clip(min=0), reach[1].clip(min=0), progress=progress
        )
        for i, j, distances in near:
            for column in range(columns):
                within = distances <= real_radii[i, column]
                beyond = distances <= generated_radii[j, column]
                if column and halves is not None:
                    same = halves[0][i, column - 1] == halves[1][j, column - 1]
                    within &= same
                    beyond &= same
                self.balls[:, column] += np.bincount(j[within], minlength=generated.n)
                self.covered[i[within], column] = True
                self.recalled[i[beyond], column] = True

    def _measures(self) -> list[tuple[NDArray[Any], bool]]:
        """Precision, recall, density and coverage of each point; whether it is a real one."""
        return [
            (self.balls > 0, False),
            (self.recalled, True),
            (self.balls / self.k, False),
            (self.covered, True),
        ]

    def all(self) -> list[Floats]:
        """The four over all points, each (columns,)."""
        return [values.mean(axis=0) for values, _ in self._measures()]

    def of_halves(self) -> list[tuple[Floats, Floats]]:
        """The four over both halves of each split, each two times (SPLITS,)."""
        assert self.halves is not None
        found = []
        for values, of_real in self._measures():
            half = self.halves[0 if of_real else 1]
            parts = [
                (values[:, 1:] * side).sum(axis=0) / side.sum(axis=0) for side in (half, ~half)
            ]
            found.append((parts[0], parts[1]))
        return found
