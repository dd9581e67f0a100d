"""What true dimensions would give an estimate, at this number of points and neighbours.

The mean of the estimator. Let F_x(r) be the probability of a point within r of x, of n independent
points. B(r), the number of x's n-1 fellows within r, is binomial, and counting each log(T_k / T_j)
as an integral over d(log r) from T_j to T_k gives

    sum_{j<k} log(T_k / T_j) = int B(r) 1[B(r) < k] d(log r),

whose expectation needs only E[B; B < k] = (n-1) F P(Bin(n-2, F) <= k-2). With u = F_x(r) as the
variable, the mean inverse dimension of ``uomh.dimension.mle`` (normaliser k-1) is

    E[1/d] = int_0^1 w(u) phi(u) du,     phi(u) = d/d(log u) E_x[ log r_x(u) ],
    w(u) = (n-1)/(k-1) P(Bin(n-2, u) <= k-2),     int_0^1 w(u) du = 1.

So the estimator averages the inverse scaling exponent phi of the data over the shares u up to about
k/n: exactly 1/d where mass grows as r^d, and off by what curvature, boundary and density do at that
scale. phi does not depend on n or k. The shipped table holds it for two shapes that bracket what a
d-dimensional set may do: a flat torus (no boundary, no curvature: the least bias) and a ball
(nearly all of it boundary when d is large: the most), for d = 1 to 1,024. Everything at a given n
and k then follows by one sum, with no noise of simulation and nothing to extrapolate in n or k.
``benchmarks/make_calibration.py`` makes the table.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import betainc, expit

from uomh.errors import UomhError, unknown

Floats = NDArray[np.float64]
Shape = Literal["torus", "ball"]


def expected_estimate(d: float, n: int, k: int, shape: Shape) -> float:
    """The estimate of the harmonic MLE on n points of a d-dimensional torus or ball.

    Args:
        d: true dimension, 1 to 1,024 (interpolated between whole numbers).
        n: number of points.
        k: number of neighbours.
        shape: ``"torus"`` (flat, no boundary) or ``"ball"``.

    Returns:
        1 over the mean inverse dimension (normaliser k-1).

    Raises:
        UomhError: d is outside the table, or not 2 <= k < n.
    """
    dimensions, curves = _table()[0], _curves(n, k)
    if shape not in curves:
        raise unknown("shape", shape, get_args(Shape))
    if not dimensions[0] <= d <= dimensions[-1]:
        raise UomhError(f"the calibration table goes from 1 to {dimensions[-1]:g}, not to {d:g}")
    curve = PchipInterpolator(np.log(dimensions), np.log(curves[shape]))
    return float(np.exp(curve(np.log(d))))


def calibrated_band(estimate: float, n: int, k: int) -> tuple[float, float]:
    """The true dimensions that would give this estimate, from the torus to the ball.

    Args:
        estimate: of the harmonic MLE, normaliser k-1.
        n: number of points it was made from (of the group, not of the whole set).
        k: number of neighbours.

    Returns:
        (low, high): the dimension of the flat torus and of the ball whose mean estimate this is.
        Below d = 1 the bias is held at that of d = 1. Beyond the table (1,024) a bound is not
        known: ``high`` is infinite, and ``low`` is at most 1,024, where it still holds.

    Raises:
        UomhError: the estimate is not positive, or not 2 <= k < n.
    """
    if not estimate > 0:
        raise UomhError(f"an estimate of {estimate:g} has no calibration: it must be positive")
    ends = [_inverted(estimate, curve) for curve in _curves(n, k).values()]
    low, high = min(ends), max(ends)
    return min(low, float(_table()[0][-1])), high


def _inverted(estimate: float, curve: Floats) -> float:
    dimensions = _table()[0]
    if estimate <= curve[0]:
        return float(estimate / curve[0] * dimensions[0])
    if estimate > curve[-1]:
        return float("inf")
    return float(np.exp(PchipInterpolator(np.log(curve), np.log(dimensions))(np.log(estimate))))


@lru_cache(maxsize=256)
def _curves(n: int, k: int) -> dict[str, Floats]:
    """The mean estimate at every dimension of the table, by shape."""
    if not 2 <= k < n:
        raise UomhError(f"calibration needs 2 <= k < n, and has k = {k}, n = {n}")
    _, edges, slopes = _table()
    weights = np.diff(_weight_below(expit(edges), n, k), prepend=0.0)
    weights = weights[1:] + np.r_[weights[0], np.zeros(len(weights) - 2)]
    return {shape: weights.sum() / (table @ weights) for shape, table in slopes.items()}


def _weight_below(u: Floats, n: int, k: int) -> Floats:
    """The integral of w from 0 to u, in closed form."""
    at_most = betainc(n - k, k - 1, 1 - u)  # P(Bin(n-2, u) <= k-2)
    return np.asarray((n - 1) / (k - 1) * u * at_most + betainc(k, n - k, u))


@lru_cache(maxsize=1)
def _table() -> tuple[Floats, Floats, dict[str, Floats]]:
    """Dimensions (D,), logit(u) at the edges of bins (B+1,), and phi in them (D, B) by shape."""
    with np.load(Path(__file__).with_name("calibration.npz")) as file:
        slopes = {shape: file[shape].astype(np.float64) for shape in get_args(Shape)}
        return file["dimensions"].astype(np.float64), file["edges"], slopes
