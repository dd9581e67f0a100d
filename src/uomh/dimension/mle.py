"""Maximum likelihood from nearest-neighbour distances (Levina & Bickel 2004).

Around a point x the data are taken as a Poisson process of constant density on a d-dimensional
manifold, so the number of points within radius r grows as r^d. Given the distance T_k to the k-th
neighbour, the k-1 nearer ones are then independent with P(T < r) = (r / T_k)^d, which makes each
log(T_k / T_j) exponential with rate d. The likelihood of d at x is greatest where

    1 / d(x) = 1/(k-1) sum_{j=1}^{k-1} log( T_k(x) / T_j(x) ),

a mean of exponentials: unbiased for 1/d, with variance 1/(d^2 (k-1)). MacKay & Ghahramani (2005)
note that the points share one d, so that their likelihoods multiply and it is the *inverses* that
average: d = 1 / mean_x(1 / d(x)), the harmonic mean. Levina and Bickel average d(x) itself, whose
expectation is d (k-1)/(k-2); the normaliser k-2 in place of k-1 takes that factor away from the
plain mean. With the harmonic mean, k-1 is the unbiased choice for the inverse, and k-2 gives
values smaller by (k-2)/(k-1).

Zero distances. A copy of x lies at distance 0 at every dimension and says nothing about d. The k
neighbours here are therefore the k nearest at *positive* distance, and a point that has fewer of
them in its list is an error, never an infinity.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.dimension.thinning import first_positive
from uomh.errors import UomhError
from uomh.neighbours import Neighbours
from uomh.registry import register

Normaliser = Literal["k-1", "k-2"]


def inverse_dimension(
    distances: NDArray[np.floating], k: int, normaliser: Normaliser = "k-1"
) -> Floats:
    """Inverse of the dimension at every point, 1/(k-1) sum_{j<k} log(T_k / T_j).

    Args:
        distances: (n, >= k) distances to the nearest neighbours, self excluded, ascending.
        k: number of neighbours at positive distance to use; zero distances are skipped.
        normaliser: ``"k-1"`` (unbiased for 1/d) or ``"k-2"``.

    Returns:
        (n,) inverse dimensions, finite and not negative; 0 where all k distances are equal.

    Raises:
        UomhError: k is too small for the normaliser, the list is shorter than k, a distance is
            not finite, or a point has fewer than k neighbours at positive distance.

    Source: Levina & Bickel (2004), equation 8; normaliser k-2 from their remark after it.
    """
    divisor = k - 1 if normaliser == "k-1" else k - 2
    if divisor < 1:
        raise UomhError(
            f"k = {k} is too small for the normaliser {normaliser}; take k >= {k - divisor + 1}"
        )
    nearest = positive_distances(distances, k)
    logs = np.log(nearest, dtype=np.float64)
    inverse: Floats = ((k - 1) * logs[:, -1] - logs[:, :-1].sum(axis=1)) / divisor
    return np.maximum(inverse, 0.0)  # rounding can leave -1e-17 where all distances are equal


def positive_distances(distances: NDArray[np.floating], k: int) -> NDArray[np.floating]:
    """The k smallest positive distances of every row.

    Args:
        distances: (n, >= k) distances, each row ascending.
        k: how many to keep.

    Returns:
        (n, k) distances: a view of the first k columns where none of them is zero.

    Raises:
        UomhError: a row has fewer than k, or one that is not finite.
    """
    width = distances.shape[1]
    if width < k:
        raise UomhError(f"k = {k} needs {k} neighbours a point, and the list has {width}")
    nearest = distances[:, :k]
    if (distances[:, 0] <= 0).any():
        nearest = np.take_along_axis(distances, first_positive(distances, k), axis=1)
    if not np.isfinite(nearest).all():
        raise UomhError(
            "some neighbour distances are not finite; remove the points with NaN or inf"
        )
    return nearest


def harmonic_dimension(
    distances: NDArray[np.floating], k: int, normaliser: Normaliser = "k-1"
) -> float:
    """Dimension of a set: the inverse of the mean inverse dimension over its points.

    Args:
        distances: (n, >= k) distances to the nearest neighbours, self excluded, ascending.
        k: number of neighbours at positive distance to use.
        normaliser: ``"k-1"`` or ``"k-2"``.

    Raises:
        UomhError: as ``inverse_dimension``, or every point is equally far from all its k
            neighbours, so that the likelihood has no maximum.

    Source: MacKay & Ghahramani (2005), *Comments on "Maximum likelihood estimation of intrinsic
    dimension"*.

    >>> harmonic_dimension(np.array([[1.0, np.e], [np.e, np.e**2]]), k=2)
    1.0
    """
    return dimension_of(inverse_dimension(distances, k, normaliser))


def dimension_of(inverse: Floats) -> float:
    """The harmonic mean: 1 over the mean of the (n,) inverse dimensions.

    Raises:
        UomhError: there are no points, or the mean inverse is 0 (an infinite dimension).
    """
    mean = float(inverse.mean()) if inverse.size else 0.0
    if mean <= 0:
        raise UomhError(
            "no finite dimension: every point is equally far from all its neighbours; "
            "give more neighbours, or data that are not all alike"
        )
    return 1.0 / mean


@register("estimators", "mle")
class MLE(Estimator):
    """Maximum likelihood of Levina and Bickel, averaged as by MacKay and Ghahramani.

    Args:
        k: number of neighbours.
        aggregate: ``"harmonic"`` (as in the union-of-manifolds paper) or ``"mean"``, the plain mean
            of the pointwise estimates.
        normaliser: ``"k-1"`` or ``"k-2"``.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    ``dimension_pw_`` is infinite at a point whose k neighbours are all equally far. Equals
    scikit-dimension's ``MLE`` with ``comb="mle"`` or ``"mean"``, ``unbiased=True`` for k-2.
    """

    least_k: ClassVar[int] = 2

    def __init__(
        self,
        k: int = 10,
        *,
        aggregate: Literal["harmonic", "mean"] = "harmonic",
        normaliser: Normaliser = "k-1",
        splits: int = 30,
        seed: int = 0,
    ) -> None:
        super().__init__(k, splits=splits, seed=seed)
        self.aggregate = aggregate
        self.normaliser = normaliser

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        inverse = inverse_dimension(neighbours.distances, self.k_, self.normaliser)
        with np.errstate(divide="ignore"):
            pointwise = 1 / inverse
        harmonic = self.aggregate == "harmonic"
        return dimension_of(inverse) if harmonic else float(pointwise.mean()), pointwise
