"""What the estimators share: scikit-learn's interface, one neighbour search, copies, intervals.

An estimator says how it turns the neighbours of a set into a dimension; all else is here. Copies of
a point are no neighbours and no points of their own: the estimate is that of the distinct points,
and a copy gets the pointwise value of the point it equals.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from uomh.dimension import halves
from uomh.dimension.halves import Interval
from uomh.errors import UomhError
from uomh.neighbours import Neighbours, distinct, nearest_neighbours

Floats = NDArray[np.float64]
Points = NDArray[Any]


class Estimator(ABC, BaseEstimator):  # type: ignore[misc]
    """An estimator of intrinsic dimension; subclasses give ``_estimate``.

    Args:
        k: number of neighbours; clipped, with a warning, to what the points allow.
        splits: random halvings behind ``interval_``; 0 leaves it unknown, (0, inf), and is quick.
        seed: of the splits and of what else is random.

    Attributes:
        dimension_: estimate, positive and finite.
        dimension_pw_: (n,) pointwise estimates.
        interval_: (low, high), 95%, for the mean of the estimator at this number of points
            (see ``uomh.dimension.halves``); (0, inf) where the points are too few to halve.
        k_: number of neighbours used.
        n_features_in_: coordinates of a point.
    """

    name: ClassVar[str]
    least_k: ClassVar[int] = 1
    uses_points: ClassVar[bool] = False
    dimension_: float
    dimension_pw_: Floats
    interval_: Interval

    def __init__(self, k: int = 10, *, splits: int = 30, seed: int = 0) -> None:
        self.k = k
        self.splits = splits
        self.seed = seed

    def fit(self, X: Any, y: object = None, *, neighbours: Neighbours | None = None) -> Self:
        """Estimate the dimension of the points.

        Args:
            X: (n, D) points. May be None where ``neighbours`` is given and the estimator works from
                distances alone (``uses_points`` is false).
            y: ignored.
            neighbours: of a search within X, in place of one made here; ``dimension_pw_`` then
                belongs to its ``rows``. An interval needs lists of ``halves.list_length(k, n)``.

        Raises:
            UomhError: too few distinct points, or no finite dimension.
            ValueError: X is not a finite matrix of at least two rows (from scikit-learn).
        """
        if neighbours is not None:
            needed = X is not None or self.uses_points
            points = validate_data(self, X, ensure_min_samples=2) if needed else None
            copies = int(np.count_nonzero(neighbours.distances <= 0, axis=1).max())
            if copies:
                everything = np.ones(1 + int(neighbours.indices.max()), dtype=bool)
                neighbours = halves.thinned(neighbours, everything, neighbours.k - copies)
            self._fit(neighbours, points)
            return self
        points = validate_data(self, X, ensure_min_samples=2)
        rows = distinct(points)
        own = points[rows] if len(rows) < len(points) else points
        most = self._most(len(rows))
        if most < self.least_k:
            raise UomhError(f"{len(rows)} distinct points are too few for {self.name}; give more")
        width = min(self._width(max(self.least_k, min(self.k, most))), len(rows) - 1)
        if self.splits:
            width = halves.list_length(width, len(rows))
        self._fit(nearest_neighbours(own, width, duplicates="keep"), own)
        if len(rows) < len(points):
            self.dimension_pw_ = _with_copies(self.dimension_pw_, points, rows)
        return self

    def _fit(self, neighbours: Neighbours, points: Points | None) -> None:
        most = min(self._most(len(neighbours)), neighbours.k)
        if self.k < self.least_k:
            raise UomhError(f"k = {self.k} is too small for {self.name}: at least {self.least_k}")
        if self.k > most:
            warnings.warn(f"k = {self.k} is more than the points allow: {most} used", stacklevel=3)
        self.k_ = min(self.k, most)
        if self.k_ < self.least_k:
            raise UomhError(f"{self.name} needs at least {self.least_k} neighbours of a point")
        self.dimension_, self.dimension_pw_ = self._checked(neighbours, points)
        self.interval_ = self._interval(neighbours, points)

    def _checked(self, neighbours: Neighbours, points: Points | None) -> tuple[float, Floats]:
        dimension, pointwise = self._estimate(neighbours, points)
        if not (np.isfinite(dimension) and dimension > 0):
            raise UomhError(
                f"{self.name} finds no finite positive dimension at k = {self.k_}; "
                "give more points or another k"
            )
        return float(dimension), pointwise

    @abstractmethod
    def _estimate(self, neighbours: Neighbours, points: Points | None) -> tuple[float, Floats]:
        """The dimension of the set and of every point, (m,), from lists at least ``k_`` wide."""

    def _most(self, n: int) -> int:
        """The largest k that n points allow."""
        return n - 1

    def _width(self, k: int) -> int:
        """How many neighbours of a point ``_estimate`` reads."""
        return k

    def _interval(self, neighbours: Neighbours, points: Points | None) -> Interval:
        n, width = len(neighbours), self._width(self.k_)
        if not self.splits or n // 2 <= width:
            return halves.UNKNOWN

        def log_dimension(part: Neighbours) -> Floats:
            return np.log([self._checked(part, points)[0]])

        try:
            variance = halves.split_variance(
                log_dimension, neighbours, width, seed=self.seed, splits=self.splits
            )
        except UomhError:  # lists too short to thin, or a half without a finite dimension
            return halves.UNKNOWN
        return halves.around(self.dimension_, float(variance[0]), n, self.k_, splits=self.splits)


def _with_copies(values: Floats, points: Points, rows: NDArray[np.int64]) -> Floats:
    """Values of the distinct rows, and for every other row that of the row it equals."""
    copies = np.setdiff1d(np.arange(len(points)), rows)
    twins = nearest_neighbours(points[rows], 1, queries=points[copies]).indices[:, 0]
    result = np.empty(len(points))
    result[rows], result[copies] = values, values[twins]
    return result
