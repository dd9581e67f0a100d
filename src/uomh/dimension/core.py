"""What the estimators share: scikit-learn's interface, one neighbour search, copies, intervals.

An estimator says how it turns the neighbours of a set into a dimension; all else is here. Copies of
a point are no neighbours and no points of their own: the estimate is that of the distinct points,
and a copy gets the pointwise value of the point it equals.
"""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from uomh.dimension.thinning import (
    UNKNOWN,
    Interval,
    around,
    list_length,
    split_variance,
    without_copies,
)
from uomh.dimension.values import Floats as Floats
from uomh.errors import UomhError
from uomh.neighbours import Neighbours, distinct, nearest_neighbours
from uomh.neighbours.arrays import as_rows
from uomh.neighbours.checks import one_of, real_number, whole_number
from uomh.neighbours.core import Points

Coordinates = NDArray[Any]

BEYOND = 1.25  # times the coordinates: farther than chance and known biases take an estimate


class InvalidPointsError(UomhError, ValueError, TypeError):
    """Points that are none: a sentence for users, and the errors that scikit-learn raises."""


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
            (see ``uomh.dimension.thinning``); (0, inf) where the points are too few to halve.
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
                belongs to its ``rows``. An interval needs lists of ``thinning.list_length(k, n)``.

        Raises:
            UomhError: an option is of the wrong kind, too few distinct points, or no finite
                dimension.
            InvalidPointsError: X is not a finite matrix of at least two rows: a UomhError, and the
                ValueError that scikit-learn raises.

        Warns:
            UserWarning: k is clipped, or the estimate is beyond the number of coordinates.
        """
        self._check_options()
        if neighbours is not None:
            needed = X is not None or self.uses_points
            points = self._checked_points(X) if needed else None
            _check_belongs(neighbours, points)
            self._fit(without_copies(neighbours), points)
            return self
        points = self._checked_points(X)
        rows = distinct(points)
        apart = points[rows] if len(rows) < len(points) else points
        most = self.most_k(len(rows))
        if most < self.least_k:
            raise UomhError(f"{len(rows)} distinct points are too few for {self.name}; give more")
        width = min(self.list_width(max(self.least_k, min(self.k, most))), len(rows) - 1)
        if self.splits:
            width = list_length(width, len(rows))
        self._fit(nearest_neighbours(apart, width, duplicates="keep"), apart)
        if len(rows) < len(points):
            self.dimension_pw_ = _with_copies(self.dimension_pw_, points, rows)
        return self

    def refit(
        self, neighbours: Neighbours, points: Coordinates | None = None
    ) -> tuple[float, Interval]:
        """The dimension and its interval for other lists, at this very k; nothing is kept.

        Args:
            neighbours: among distinct points, none at distance zero, ``list_width(k)`` wide.
            points: (n, D) that the lists speak of; None where ``uses_points`` is false.

        Raises:
            UomhError: lists too short, or no finite dimension.
        """
        other = copy.copy(self)
        other.k_ = other.k
        other._fit_lists(neighbours, points)
        return other.dimension_, other.interval_

    def _check_options(self) -> None:
        """Raise where an option of the constructor is not of its kind."""
        hints = get_type_hints(type(self).__init__)
        for name in self.get_params(deep=False):
            value, kind = getattr(self, name), hints.get(name)
            if kind is int:
                whole_number(value, name, 0 if name in ("splits", "seed") else 1)
            elif kind is float:
                real_number(value, name)
            elif get_origin(kind) is Literal:
                one_of(value, name, get_args(kind))

    def _checked_points(self, X: Any) -> Coordinates:
        """The points as scikit-learn takes them, and tensors; finite, and exact in float64."""
        try:
            if isinstance(X, torch.Tensor | np.ma.MaskedArray):
                X = as_rows(X, "X").numpy()
            rows = Points(validate_data(self, X, ensure_min_samples=2))
            rows.largest()
            if not isinstance(X, np.ndarray) or X.dtype.kind == "O":
                as_rows(X, "X")  # scikit-learn reads text as numbers, and rounds large ones
        except (ValueError, TypeError, OverflowError, UomhError) as error:
            raise InvalidPointsError(" ".join(str(error).split())) from error
        return rows.array

    def _fit(self, neighbours: Neighbours, points: Coordinates | None) -> None:
        most = min(self.most_k(len(neighbours)), neighbours.k)
        if self.k > most:
            warnings.warn(f"k = {self.k} is more than the points allow: {most} used", stacklevel=3)
        self.k_ = min(self.k, most)
        self._fit_lists(neighbours, points)
        if points is not None and self.dimension_ > BEYOND * points.shape[1]:
            warnings.warn(
                f"{self.name} finds {self.dimension_:.3g} dimensions in points of "
                f"{points.shape[1]} coordinates; look for outliers and near-copies, or take "
                "another estimator",
                stacklevel=3,
            )

    def _fit_lists(self, neighbours: Neighbours, points: Coordinates | None) -> None:
        if self.k_ < self.least_k:
            raise UomhError(f"k must be at least {self.least_k} for {self.name}; it is {self.k_}")
        width = min(self.list_width(self.k_), len(neighbours) - 1)
        if neighbours.k < width:
            raise UomhError(
                f"{self.name} at k = {self.k_} needs lists of {width} neighbours; "
                f"these hold {neighbours.k}"
            )
        self.dimension_, self.dimension_pw_ = self._checked(neighbours, points)
        self.interval_ = self._interval(neighbours, points)

    def _checked(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        dimension, pointwise = self._estimate(neighbours, points)
        if not (np.isfinite(dimension) and dimension > 0):
            raise UomhError(
                f"{self.name} finds no finite positive dimension at k = {self.k_}; "
                "give more points or another k"
            )
        return float(dimension), pointwise

    @abstractmethod
    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        """The dimension of the set and of every point, (m,), from lists at least ``k_`` wide."""

    def most_k(self, n: int) -> int:
        """The largest k that n points allow."""
        return n - 1

    def list_width(self, k: int) -> int:
        """How many neighbours of a point ``_estimate`` reads."""
        return k

    def seen(self, neighbours: Neighbours) -> float:
        """Share of the points that an estimate at ``k`` of these lists rests on; commonly all."""
        del neighbours
        return 1.0

    def _interval(self, neighbours: Neighbours, points: Coordinates | None) -> Interval:
        n, width = len(neighbours), self.list_width(self.k_)
        if not self.splits or n // 2 <= width:
            return UNKNOWN

        def log_dimension(part: Neighbours) -> Floats:
            return np.log([self._checked(part, points)[0]])

        try:
            variance = split_variance(
                log_dimension, neighbours, width, seed=self.seed, splits=self.splits
            )
        except UomhError:  # lists too short to thin, or a half without a finite dimension
            return UNKNOWN
        return around(self.dimension_, float(variance[0]), n, self.k_, splits=self.splits)


def _with_copies(values: Floats, points: Coordinates, rows: NDArray[np.int64]) -> Floats:
    """Values of the distinct rows, and for every other row that of the row it equals."""
    copies = np.setdiff1d(np.arange(len(points)), rows)
    twins = nearest_neighbours(points[rows], 1, queries=points[copies]).indices[:, 0]
    result = np.empty(len(points))
    result[rows], result[copies] = values, values[twins]
    return result


def _check_belongs(neighbours: Neighbours, points: Coordinates | None) -> None:
    if not isinstance(neighbours, Neighbours):
        raise UomhError(
            f"neighbours must be what uomh.nearest_neighbours gives; it is "
            f"{type(neighbours).__name__}"
        )
    last = int(max(neighbours.rows.max(), neighbours.indices.max()))
    if points is not None and last >= len(points):
        raise UomhError(
            f"the neighbours speak of row {last}, but X has {len(points)} rows; "
            "they must come from a search within X"
        )
