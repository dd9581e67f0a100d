"""What is measured of a group and of a whole set: plain frozen values, free of torch.

The field names are the keys of ``dimension.json``. JSON knows no infinity: what may be infinite is
of a type that says which infinity the ``null`` in its place is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any

from numpy import float64, integer
from numpy.typing import NDArray
from pydantic import BeforeValidator, PlainSerializer

Floats = NDArray[float64]
Ints = NDArray[integer[Any]]


def _or_null(infinity: float) -> tuple[BeforeValidator, PlainSerializer]:
    return (
        BeforeValidator(lambda value: infinity if value is None else value),
        PlainSerializer(lambda value: value if math.isfinite(value) else None, when_used="json"),
    )


Above = Annotated[float, *_or_null(math.inf)]
"""a number that may be infinite: an upper end, a ratio"""
Below = Annotated[float, *_or_null(-math.inf)]
"""a number that may be minus infinity: a gap beside a band without an end"""


@dataclass(frozen=True)
class DimensionEstimate:
    """A dimension with its 95% interval: of the estimator's own mean, not of the true dimension."""

    dimension: float
    low: float
    high: Above


@dataclass(frozen=True)
class GroupEstimate(DimensionEstimate):
    """The estimate on a group and what to hold it against.

    Attributes:
        calibrated: the true dimensions that would give this estimate, from torus to ball; None
            where the estimator has no calibration.
        size_matched: one over the mean inverse estimate on random subsets of the whole set of this
            group's size.
        dispersion: variance of the pointwise inverse dimension over what one homogeneous manifold
            would show (1.0); more means a mixture of dimensions, densities or boundaries inside.
            None for other estimators than ``mle``.
    """

    calibrated: tuple[float, Above] | None
    size_matched: float
    dispersion: float | None


@dataclass(frozen=True)
class GroupAtScale(DimensionEstimate):
    """A thinned group's estimate, and the true dimensions that would give it at its size."""

    calibrated: tuple[float, Above] | None


@dataclass(frozen=True)
class Coarse:
    """The estimate on a group thinned at random to n points, the mean over its parts."""

    n: int
    k: dict[int, GroupAtScale]


@dataclass(frozen=True)
class Radius:
    """The estimate at one number of neighbours, and the median distance to the last of them."""

    k: int
    radius: float
    dimension: float


@dataclass(frozen=True)
class Learned:
    """A true dimension by references of known dimension, and the standard error of its logarithm.

    The error is infinite where a group is like no reference: then nothing is known.
    """

    dimension: float
    error: Above

    def ends(self, errors: float = 2.0) -> tuple[float, float]:
        """So many standard errors below and above; (0, inf) where nothing is known."""
        if math.isinf(self.error):
            return 0.0, math.inf
        reach = math.exp(errors * self.error)
        return self.dimension / reach, self.dimension * reach


@dataclass(frozen=True)
class Group:
    """One group: its size after duplicates were dropped, how many were, and its estimates by k.

    Attributes:
        others: what other instruments find, by their name.
        learned: its true dimension by references (``uomh.dimension.references``); None where its
            traits are not known.
    """

    label: str
    n: int
    duplicates: int
    k: dict[int, GroupEstimate]
    coarse: tuple[Coarse, ...] = ()
    scale: tuple[Radius, ...] = ()
    others: dict[str, DimensionEstimate] = field(default_factory=dict)
    learned: Learned | None = None

    @property
    def known(self) -> Learned | None:
        """What was learned of it; None where its traits are not known, or like no reference's."""
        return self.learned if self.learned and math.isfinite(self.learned.error) else None

    def learned_values(self) -> tuple[float | None, float | None, float | None]:
        """The learned dimension and its ends, for tables; None three times where not known."""
        if self.known is None:
            return None, None, None
        return (self.known.dimension, *self.known.ends())


@dataclass(frozen=True)
class Whole:
    """The whole set by k, and its estimate by size: random subsets of n points, the whole last."""

    k: dict[int, DimensionEstimate]
    size: tuple[tuple[int, dict[int, float]], ...]


@dataclass(frozen=True)
class Power:
    """The smallest difference in true dimension that groups of the median size could show."""

    k: dict[int, Above]
