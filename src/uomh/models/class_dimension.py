"""The intrinsic dimension of each class of labelled data, and weights of the classes by it."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.settings import Settings


class ClassDimension(Settings):
    """The intrinsic dimension of the training points of a class."""

    n: int
    """number of training points"""
    dimension: float | None = None
    """estimate by maximum likelihood; null: there is none"""
    low: float | None = None
    """lower end of its 95% interval; null: the points are too few for one"""
    high: float | None = None
    """upper end"""
    reason: str | None = None
    """why there is no estimate"""


def class_dimensions(data: Data, k: int) -> tuple[ClassDimension, ...]:
    """The dimension of the training points of each class by maximum likelihood, with its interval.

    Args:
        data: labelled.
        k: neighbours of a point.
    """
    from uomh.dimension.mle import MLE  # brings scikit-learn, which training does without

    found = []
    assert data.train.y is not None
    for label in range(len(data.classes)):
        x = data.train.x[data.train.y == label].flatten(1).numpy()
        n = len(x)
        try:
            if n < k + 2:
                raise UomhError(f"{n} points are too few for {k} neighbours")
            with warnings.catch_warnings():
                # Of a smaller k, or more dimensions than coordinates.
                warnings.simplefilter("error", UserWarning)
                estimator = MLE(k).fit(x)
        except (UomhError, UserWarning) as error:
            found.append(ClassDimension(n=n, reason=str(error)))
            continue
        low, high = estimator.interval_
        known = (low, high) if low > 0 else (None, None)
        found.append(
            ClassDimension(n=n, dimension=estimator.dimension_, low=known[0], high=known[1])
        )
    return tuple(found)


def check_dimensions(data: Data, dimensions: tuple[ClassDimension, ...]) -> None:
    """See that every class has a dimension to be weighted by.

    Raises:
        UomhError: one has none.
    """
    for name, found in zip(data.classes, dimensions, strict=True):
        if found.dimension is None:
            raise UomhError(
                f"{data.name}: class {name!r} has no dimension to be weighted by ({found.reason}); "
                "lower model.dimension_k, leave the class out by data.class_ind, or train without "
                "weights"
            )


def dimension_weights(dimensions: tuple[ClassDimension, ...]) -> Tensor:
    """The paper's weights of classes, 100 ID_c / sum(ID), (K,).

    >>> two = (ClassDimension(n=9, dimension=3.0), ClassDimension(n=9, dimension=1.0))
    >>> dimension_weights(two)
    tensor([75., 25.])
    """
    values = [found.dimension for found in dimensions if found.dimension is not None]
    weights = torch.tensor(values, dtype=torch.float64)
    return (100 * weights / weights.sum()).float()
