r"""The Frechet distance between Gaussians fitted to two sets of features (FID).

    d^2 = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

(Heusel et al. 2017, "GANs trained by a two time-scale update rule"), m and S the means and the
covariances (divisor n - 1). With S1 = A1'A1 and S2 = A2'A2 for any factors, the eigenvalues of
S1 S2 are the squares of the singular values of A1 A2', so that

    tr (S1 S2)^(1/2) = sum of the singular values of A1 A2'.

Nothing is inverted and no root of a matrix that is not symmetric is taken, so this is right for
singular covariances, where other implementations return imaginary parts. The factor is the centred
points themselves, or, of more points than dimensions, the triangle R of their QR decomposition; the
product has min(n, D) rows.

*Interval.* The influence of a point x of the first set (Rippl, Munk & Sturm 2016, "Limit laws of
the empirical Wasserstein distance: Gaussian distributions") is

    |x - m1|^2 + 2 (m1 - m2)'(x - m1) - (x - m1)' T (x - m1) - constant,

where T is the optimal map from N(m1, S1) to N(m2, S2); with A1 A2' = U s V' it is
A2' V s^-1 V' A2, again without an inverse.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uomh.errors import UomhError
from uomh.metrics.inputs import two_sets
from uomh.metrics.intervals import Estimate, Floats, squared, variance_of
from uomh.metrics.moments import Moments
from uomh.neighbours.core import Points

SMALL = 256
"""matrices whose singular values are taken directly"""
NEGLIGIBLE = 1e-11
"""error of the sum of singular values, relative to the traces, at which another way is taken"""
EPS = float(np.finfo(np.float64).eps)


def _nuclear_norm(M: Tensor, negligible: float) -> tuple[float, float]:
    """The sum of the singular values of a matrix, and what rounding may have done to it.

    The roots of the eigenvalues of M'M cost a quarter of the singular values of M, and lose the
    digits of the small ones: where that could be seen, the singular values are taken.

    Args:
        M: (p, q).
        negligible: error that does not matter.
    """
    if M.shape[0] < M.shape[1]:
        M = M.T
    if M.shape[1] > SMALL:
        squares = torch.linalg.eigvalsh(M.T @ M).clamp_(min=0)
        largest = float(squares[-1])
        # An eigenvalue is off by about eps times the largest, its root by that over twice the root;
        # the errors are of either sign.
        error = 0.5 * EPS * largest * math.sqrt(float((1 / squares).sum()))
        if error <= negligible:
            return float(squares.sqrt_().sum()), error
    values = torch.linalg.svdvals(M)
    return float(values.sum()), EPS * len(values) * float(values.max())


def frechet_from_moments(real: Moments, generated: Moments) -> float:
    """The squared Frechet distance of the Gaussians of these moments; see `frechet_distance`.

    Raises:
        UomhError: either has fewer than two points, or they differ in dimension.
    """
    for moments, name in ((real, "real"), (generated, "generated")):
        if moments.n < 2:
            raise UomhError(
                f"the {name} features are of {moments.n} points, and a covariance needs at least "
                "2; give more"
            )
    if real.dim != generated.dim:
        raise UomhError(
            f"real features have {real.dim} dimensions and generated ones {generated.dim}; they "
            "must come from the same extractor"
        )
    traces = real.trace + generated.trace
    scale = math.sqrt((real.n - 1.0) * (generated.n - 1.0))
    M = (real.factor @ generated.factor.T).div_(scale)
    norm, error = _nuclear_norm(M, NEGLIGIBLE * traces)
    rest = traces - 2 * norm
    if rest <= 4 * error + 16 * EPS * min(M.shape) * traces:  # nothing but rounding
        rest = 0.0
    return float((real.mean - generated.mean).square().sum()) + rest


def frechet_distance(real: Any, generated: Any) -> float:
    """The squared Frechet distance between Gaussians fitted to two sets of points (FID).

    It is symmetric, in squared units of the features, and biased upwards by about c/n: compare
    values at equal numbers of points, or see `fid_infinity`.

    Args:
        real: (n, ...) features, an array or a tensor; trailing axes are flattened.
        generated: (m, ...) features of the same size.

    Returns:
        |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2), at least 0; 0 where only rounding is left.

    Raises:
        UomhError: fewer than two points, NaN or infinite values, different dimensions.

    Examples:
        >>> frechet_distance([[0.0, 0.0], [2.0, 0.0]], [[3.0, 0.0], [5.0, 0.0]])
        9.0
    """
    first, second = two_sets(real, generated, 2, "a Frechet distance")
    return frechet_from_moments(Moments.of(first), Moments.of(second))


def frechet_estimate(real: Any, generated: Any, *, fixed_real: bool = False) -> Estimate:
    """`frechet_distance` with a 95% interval of its mean at these numbers of points.

    Args:
        real: (n, ...) features.
        generated: (m, ...) features of the same size.
        fixed_real: whether the real points are taken as they are, and not as a sample of more.

    Returns:
        The distance, with the influence of each point on it.

    Raises:
        UomhError: as `frechet_distance`.
    """
    first, second = two_sets(real, generated, 4, "an interval of a Frechet distance")
    whole = Moments.of(first), Moments.of(second)
    influences, of_first, of_second = _variances(first, second, whole, fixed_real)
    return squared(frechet_from_moments(*whole), of_first + of_second, influences)


def _variances(
    first: Points, second: Points, moments: tuple[Moments, Moments], fixed_real: bool
) -> tuple[dict[str, Floats], float, float]:
    """The influences of all points, and the parts of first and second order of the variance."""
    influences = _influences(first, second, moments)
    # The influences by the even rows and by the odd ones, each at all points.
    halves = [
        _influences(
            first,
            second,
            (Moments.of(_every_other(first, start)), Moments.of(_every_other(second, start))),
        )
        for start in (0, 1)
    ]
    if fixed_real:
        del influences["real"]
    # `both` holds the part of second order twice; `shared`, from influences that know nothing of
    # each other, not at all.
    both, shared = variance_of(influences), 0.0
    for name, values in influences.items():
        even, odd = (half[name] for half in halves)
        covariances = [np.cov(even[start::2], odd[start::2])[0, 1] for start in (0, 1)]
        shared += float(np.mean(covariances)) / len(values)
    of_first = min(max(shared, 0.0), both)
    return influences, of_first, (both - of_first) / 2


def _every_other(points: Points, start: int) -> Points:
    return points.only(np.arange(start, points.n, 2))


def _influences(
    first: Points, second: Points, moments: tuple[Moments, Moments]
) -> dict[str, Floats]:
    """The influence of each point of both sets on the distance, by these moments."""
    a, b = moments
    A, B = a.factor / math.sqrt(a.n - 1), b.factor / math.sqrt(b.n - 1)
    U, s, Vh = torch.linalg.svd(A @ B.T, full_matrices=False)
    kept = s > 1e-10 * s.max()
    root = s[kept].sqrt()[:, None]
    return {
        "real": _influence(first, a.mean, b.mean, (Vh[kept] @ B) / root),
        "generated": _influence(second, b.mean, a.mean, (U[:, kept].T @ A) / root),
    }


def _influence(points: Points, mean: Tensor, other: Tensor, root: Tensor) -> Floats:
    """The influence of each point, (n,); ``root`` is the root of the optimal map."""
    values = np.empty(points.n)
    for rows, block in points.blocks():
        x = block.double() - mean
        inside = (x @ root.T).square_().sum(1)
        values[rows] = (x.square().sum(1) + 2 * x @ (mean - other) - inside).numpy()
    centred: Floats = values - values.mean()
    return centred


def fid_infinity(real: Any, generated: Any, *, fixed_real: bool = False, seed: int = 0) -> float:
    """The Frechet distance extrapolated to samples without end (Chong & Forsyth 2020).

    The distance of n points is biased by about c/n. It is measured on all points, on two disjoint
    halves and on four quarters, and a line in 1/n through the three means is taken to 1/n = 0.
    Both sets shrink together, so that the bias that either leaves is gone.

    Args:
        real: (n, ...) features, at least 8 points.
        generated: (m, ...) features of the same size, at least 8 points.
        fixed_real: leave the real set whole, and extrapolate in the generated one alone, as Chong
            and Forsyth do against a reference that is the population.
        seed: of the order in which points are dealt out.

    Returns:
        The extrapolated value, in squared units of the features; unlike a distance it can be
        slightly negative. The line holds where each quarter has clearly more points than the
        features have dimensions.

    Raises:
        UomhError: fewer than 8 points, NaN or infinite values, different dimensions.
    """
    first, second = two_sets(real, generated, 8, "an extrapolation from quarters")
    return _extrapolated(first, second, fixed_real, seed)[0]


def fid_infinity_estimate(
    real: Any, generated: Any, *, fixed_real: bool = False, seed: int = 0
) -> Estimate:
    """`fid_infinity` with a 95% interval of its mean at these numbers of points.

    The line gives the whole, the halves and the quarters the weights 16/13, 2/13 and -5/13, which
    add up to 1, and each level is a mean over all points: the part of first order of the variance
    is that of the plain distance. In the part of second order a pair of points weighs 16/13 where
    it is parted already in halves, 20/13 where it is parted in quarters, and nothing within a
    quarter, so that it is (16^2 / 2 + 20^2 / 4) / 13^2 = 228/169 times that of the plain distance.

    Args:
        real: (n, ...) features.
        generated: (m, ...) features of the same size.
        fixed_real: as of `fid_infinity`.
        seed: of the order in which points are dealt out.

    Returns:
        The extrapolated value, with the influence of each point on it.

    Raises:
        UomhError: as `fid_infinity`.
    """
    first, second = two_sets(real, generated, 8, "an extrapolation from quarters")
    value, whole = _extrapolated(first, second, fixed_real, seed)
    influences, of_first, of_second = _variances(first, second, whole, fixed_real)
    variance = of_first + 228 / 169 * of_second
    # The square whose root is nearly normal is the distance with its bias.
    return squared(value, variance, influences, frechet_from_moments(*whole) - value)


def _extrapolated(
    first: Points, second: Points, fixed_real: bool, seed: int
) -> tuple[float, tuple[Moments, Moments]]:
    """See `fid_infinity`; and the moments of all points."""
    b = _nested(second, 4, seed)
    a = [[Moments.of(first)] * len(level) for level in b] if fixed_real else _nested(first, 4, seed)
    means = [
        float(np.mean([frechet_from_moments(p, q) for p, q in zip(left, right, strict=True)]))
        for left, right in zip(a, b, strict=True)
    ]
    # At 4/n, 2/n and 1/n: by least squares, weighted by the points that each is of.
    line = np.polyfit([4.0, 2.0, 1.0], means, 1, w=np.sqrt([1.0, 2.0, 4.0]))
    return float(line[1]), (a[-1][0], b[-1][0])


def _nested(points: Points, parts: int, seed: int) -> list[list[Moments]]:
    """The moments of the parts of a random deal, of pairs of those, and so on to the whole."""
    order = np.random.default_rng(seed).permutation(points.n)
    level = [Moments.of(points.only(np.sort(rows))) for rows in np.array_split(order, parts)]
    levels = [level]
    while len(level) > 1:
        level = [a.merge(b) for a, b in zip(level[::2], level[1::2], strict=True)]
        levels.append(level)
    return levels
