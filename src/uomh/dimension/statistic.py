"""An estimator as the instrument of ``verify``: what it says of sets, and of parts of sets.

`Statistic` does this for any estimator, by refitting it on thinned lists. `Harmonic` is that of
``mle``, whose estimate is a mean over points: there each point needs its own list only, every k is
read off one list, and a calibration exists.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from uomh import registry
from uomh.dimension.anchored import Anchors
from uomh.dimension.calibration import calibrated_band
from uomh.dimension.core import Coordinates, Estimator
from uomh.dimension.lists import NeighbourLists
from uomh.dimension.mle import MLE, dimension_of, harmonic_dimension, inverse_dimension
from uomh.dimension.thinning import (
    UNKNOWN,
    Interval,
    around,
    list_length,
    members_of,
    shortened,
    split_variance,
    without_copies,
)
from uomh.dimension.values import DimensionEstimate, Floats, Ints
from uomh.errors import UomhError
from uomh.neighbours import Neighbours

KS = (3, 10, 20)


class Statistic:
    """An estimator at several numbers of neighbours.

    Args:
        estimator: the class.
        ks: numbers of neighbours, ascending; None for the estimator's own. An estimator without
            this option has its own whatever they are, and ``note`` says so.
        seed: of what is random in it, and of the halves behind its intervals.

    Attributes:
        uncalibrated: why it is not known which true dimensions give an estimate; empty where it is.
        anchored: whether it can estimate at some points of a set.
        concurrent: whether it may run in several threads at once.
        note: a sentence for the report, or empty.

    Raises:
        UomhError: k is too small for the estimator, or it cannot be made without more options.
    """

    anchored: ClassVar[bool] = False
    concurrent: ClassVar[bool] = False  # estimators may touch what is global, such as warnings

    def __init__(
        self, estimator: type[Estimator], ks: Sequence[int] | None = None, seed: int = 0
    ) -> None:
        self.name, self.seed, self.note = estimator.name, seed, ""
        self.uncalibrated = (
            f"{self.name} has no calibration, so no true dimensions can be told from its "
            "estimates; take mle for that"
        )
        self._estimator = estimator
        self._options = inspect.signature(estimator).parameters
        default = (self._at(None).k,)  # of the option, or a constant of the class
        self.ks = default if ks is None or "k" not in self._options else tuple(ks)
        if self.ks != tuple(ks or default):
            self.note = (
                f"{self.name} has no option k and looks at {self.ks[0]} neighbours of a point; "
                f"k = {', '.join(map(str, ks or ()))} was not used."
            )
        if min(self.ks) < estimator.least_k:
            raise UomhError(
                f"k must be at least {estimator.least_k} for {self.name}; it is {min(self.ks)}"
            )

    def fewest(self) -> int:
        """The fewest points it can be asked about."""
        k = max(self.ks)
        return next(n for n in itertools.count(k + 2) if self._at(k).most_k(n) >= k)

    def allows(self, k: int, n: int) -> bool:
        """Whether random parts of n points are large enough to say something at k."""
        return n >= 2 * (k + 1) and self._at(k).most_k(n) >= k

    def width(self) -> int:
        """How many neighbours of a point it reads at most."""
        return max(self._at(k).list_width(k) for k in self.ks)

    def list_length(self, n: int) -> int:
        """Neighbours to search among n points: enough for halves, and most points of quarters."""
        return min(n - 1, max(100, 8 * max(self.ks), list_length(self.width(), n)))

    def lists(
        self, found: Neighbours, points: Coordinates | None, anchors: Anchors | None = None
    ) -> NeighbourLists:
        """The lists of a set, or of its anchors, with what it needs of the distances.

        Raises:
            UomhError: it needs the points, and there are none.
        """
        if points is None and self._estimator.uses_points:
            raise UomhError(
                f"{self.name} looks at the points themselves, not only at distances between them; "
                "give the points X"
            )
        return NeighbourLists(found, points, anchors=anchors)

    def estimates(
        self, found: Neighbours, points: Coordinates | None
    ) -> dict[int, DimensionEstimate]:
        """The dimension of a set at every k, with its interval, from neighbours within it."""
        apart = without_copies(found)
        return {k: DimensionEstimate(*self._refit(apart, points, k, halves=True)) for k in self.ks}

    def seen(self, found: Neighbours) -> dict[int, float]:
        """By k, the share of a set's points that its estimates rest on."""
        apart = without_copies(found)
        return {k: self._at(k).seen(apart) for k in self.ks}

    def dimension(self, found: Neighbours, points: Coordinates | None, k: int) -> float:
        """The dimension of a set at any k that the estimator can have."""
        if k not in self.ks and "k" not in self._options:
            raise UomhError(f"{self.name} has no option k")
        return self._refit(without_copies(found), points, k)[0]

    def parts(self, lists: NeighbourLists, labels: Ints, ks: Sequence[int]) -> Floats:
        """The dimension of every part of a partition, (parts, ks).

        Args:
            lists: of the set.
            labels: (m,) part of each point, 0 or more.
            ks: numbers of neighbours.
        """
        sizes = np.bincount(labels)
        widths = np.minimum(self.width(), sizes - 1)
        result = np.empty((len(sizes), len(ks)))
        for width in np.unique(widths).tolist():  # one, but where parts are smaller than a list
            found = lists.within(np.where(widths[labels] == width, labels, -1), width)
            for part in np.flatnonzero(widths == width):
                rows = np.flatnonzero(labels == part)
                for column, k in enumerate(ks):
                    near = np.s_[rows, : min(self._at(k).list_width(k), width)]
                    inside = Neighbours(found.distances[near], found.indices[near], rows)
                    result[part, column] = self._refit(inside, lists.points, k)[0]
        return result

    def cuts(self, lists: NeighbourLists, cuts: Sequence[Ints], ks: Sequence[int]) -> Floats:
        """The mean dimension of the equal parts of random partitions, (ks,)."""
        inverse = np.nanmean([self.inverse(lists, cut, ks) for cut in cuts], axis=(0, 1))
        return np.asarray(1 / inverse)

    def inverse(self, lists: NeighbourLists, labels: Ints, ks: Sequence[int]) -> Floats:
        """Inverse dimensions, (any number, ks), whose mean is that of a partition's parts."""
        return 1 / self.parts(lists, labels, ks)

    def band(self, estimate: float, n: int, k: int) -> Interval | None:
        """The true dimensions that would give an estimate; None without a calibration."""
        del estimate, n, k
        return None

    def dispersion(self, found: Neighbours, k: int) -> float | None:
        """See `GroupEstimate`."""
        del found, k
        return None

    def _at(self, k: int | None, **options: Any) -> Estimator:
        """The estimator at k, not fitted."""
        options |= {"seed": self.seed} | ({} if k is None else {"k": k})
        try:
            return self._estimator(**{n: v for n, v in options.items() if n in self._options})
        except TypeError as error:
            raise UomhError(
                f"verify cannot make {self.name}: every option but k and seed must have a default "
                f"({error})"
            ) from None

    def _refit(
        self, found: Neighbours, points: Coordinates | None, k: int, *, halves: bool = False
    ) -> tuple[float, float, float]:
        """The dimension and its interval from lists without copies; no interval without halves."""
        estimator = self._at(k) if halves else self._at(k, splits=0)
        dimension, interval = estimator.refit(found, points)
        return dimension, *interval


class Harmonic(Statistic):
    """The harmonic mean of the inverse dimensions at the points, by maximum likelihood.

    ``values`` of its lists are the logarithms of the distances.
    """

    anchored = concurrent = True
    splits = 100

    def __init__(self, ks: Sequence[int] | None = None, seed: int = 0) -> None:
        super().__init__(MLE, KS if ks is None else ks, seed)
        self.uncalibrated = ""

    def lists(
        self, found: Neighbours, points: Coordinates | None, anchors: Anchors | None = None
    ) -> NeighbourLists:
        """The lists of a set, or of its anchors, with the logarithms of the distances."""
        with np.errstate(divide="ignore"):  # of a copy's, which is in no part
            logs = np.log(found.distances, dtype=np.float64).astype(np.float32)
        return NeighbourLists(found, points, logs, anchors)

    def estimates(
        self, found: Neighbours, points: Coordinates | None
    ) -> dict[int, DimensionEstimate]:
        """The dimension of a set at every k, with its interval, from the same halves."""
        n = len(found)
        known = [k for k in self.ks if len(members_of(found)) // 2 > k]

        def logarithms(half: Neighbours) -> Floats:
            # The mean of log(T_k / T_j) over points is a difference of means over points.
            columns = np.log(half.distances).mean(axis=0)
            inverse = [columns[k - 1] - columns[: k - 1].mean() for k in known]
            return np.log([dimension_of(np.array([value])) for value in inverse])

        result = {k: DimensionEstimate(self.dimension(found, points, k), *UNKNOWN) for k in self.ks}
        if not known:
            return result
        lists, times = shortened(found, list_length(max(self.ks), found.k + 1)), self.splits
        try:
            variances = split_variance(logarithms, lists, max(known), seed=self.seed, splits=times)
        except UomhError:  # lists that were given to us may be too short to thin to halves
            return result
        for k, variance in zip(known, variances.tolist(), strict=True):
            ends = around(result[k].dimension, variance, n, k, splits=times)
            result[k] = DimensionEstimate(result[k].dimension, *ends)
        return result

    def seen(self, found: Neighbours) -> dict[int, float]:
        """All of the points, at every k."""
        del found
        return dict.fromkeys(self.ks, 1.0)

    def dimension(self, found: Neighbours, points: Coordinates | None, k: int) -> float:
        """The dimension of a set at any k from 2."""
        del points
        return harmonic_dimension(found.distances, k)

    def parts(self, lists: NeighbourLists, labels: Ints, ks: Sequence[int]) -> Floats:
        """The dimension of every part of a partition, (parts, ks)."""
        return 1 / part_means(self.inverse(lists, labels, ks), labels)

    def inverse(self, lists: NeighbourLists, labels: Ints, ks: Sequence[int]) -> Floats:
        """Inverse dimension at the points from their fellows, (m, ks); NaN where not estimated."""
        result = np.full((lists.m, len(ks)), np.nan)
        for rows, fellows in lists.pieces(labels, max(ks)):
            if isinstance(fellows, Neighbours):
                found = [inverse_dimension(fellows.distances, k) for k in ks]
                result[rows] = np.stack(found, axis=1)
            else:
                result[rows] = inverse_from_logs(lists.values[lists.at(rows)[:, None], fellows], ks)
        return result

    def band(self, estimate: float, n: int, k: int) -> Interval:
        """The true dimensions that would give an estimate; see ``uomh.dimension.calibration``."""
        return calibrated_band(estimate, n, k)

    def dispersion(self, found: Neighbours, k: int) -> float:
        """Variance of the inverse dimensions over that of one homogeneous manifold.

        There (k-1) d / d(x) is Gamma(k-1), so their variance is 1 / (d^2 (k-1)).
        """
        inverse = inverse_dimension(found.distances, k)
        return float(inverse.var() * (k - 1) / inverse.mean() ** 2)


def statistic_of(estimator: str, ks: Sequence[int] | None = None, seed: int = 0) -> Statistic:
    """The statistic of an estimator by name, or ``file.py:Class``.

    Raises:
        UomhError: there is no such estimator, or as `Statistic`.
    """
    cls = registry.load("estimators", estimator)
    return Harmonic(ks, seed) if cls is MLE else Statistic(cls, ks, seed)


def seen_sentence(name: str, seen: Mapping[str, Mapping[int, float]]) -> str:
    """What is to be said where estimates rest on a part of the points alone; else nothing.

    Args:
        name: of the estimator.
        seen: shares by k, by what set they are of.

    >>> print(seen_sentence("shortest_path", {"all points": {3: 1.0}, "group 'a'": {3: 0.5}}))
    shortest_path rests on a connected part of the points alone: 50% of group 'a' at k = 3; raise k.
    >>> seen_sentence("mle", {"all points": {3: 1.0}})
    ''
    """
    parts = [
        f"{math.floor(100 * share)}% of {what} at k = {k}"
        for what, shares in seen.items()
        for k, share in shares.items()
        if share < 1
    ]
    if not parts:
        return ""
    return f"{name} rests on a connected part of the points alone: {', '.join(parts)}; raise k."


def inverse_from_logs(logs: NDArray[np.floating], ks: Sequence[int]) -> Floats:
    """(m, len(ks)) inverse dimensions from (m, >= max k) logarithms of ascending distances."""
    sums = np.cumsum(logs, axis=1, dtype=np.float64)
    parts = [logs[:, k - 1] - sums[:, k - 2] / (k - 1) for k in ks]
    return np.maximum(np.stack(parts, axis=1), 0.0)


def part_means(values: Floats, labels: Ints) -> Floats:
    """(parts, columns) means of (m, columns) values over the points of each part; NaN is none."""
    there = ~np.isnan(values[:, 0])
    values, labels = values[there], labels[there]
    sums = [np.bincount(labels, column) for column in values.T]
    return np.stack(sums, axis=1) / np.bincount(labels)[:, None]
