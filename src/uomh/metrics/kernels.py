r"""The maximum mean discrepancy of two sets of points: by a cubic kernel (KID), and by a Gaussian.

For a kernel k and samples x of P and y of Q, the unbiased estimate

    mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)

has the mean |mu_P - mu_Q|^2 for any number of points (Gretton et al. 2012); it can be negative. The
table of the kernel is never held: its blocks are summed by row.

*Intervals.* The variance of this U-statistic has a part of first order, from the influences

    2 (mean_j k(x_i, x_j) - mean_j k(x_i, y_j)) - constant,

and one of second order, which is all of it where P = Q. The variance of the influences as measured,
each by a mean over a sample, holds the second part twice; with the doubly centred variances z of
the three tables that part is 2 z_xx / n^2 + 2 z_yy / m^2 + 4 z_xy / (n m), and it is subtracted
once (as Sutherland & Deka 2019 to leading order). The interval is symmetric for the root of the
square |mean_i k(x_i, .) - mean_j k(y_j, .)|^2, which exceeds the estimate by what pairs of a point
with itself add.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uomh.errors import UomhError
from uomh.metrics.inputs import two_sets
from uomh.metrics.intervals import Estimate, Floats, squared, variance_of
from uomh.neighbours.checks import real_number, whole_number
from uomh.neighbours.core import Points

BLOCK = 1024
"""rows of a block of the kernel's table"""
MEDIAN_OF = 2000
"""points of the joint set whose distances give the median"""

Kernel = Callable[[Tensor, Tensor], Tensor]


def kid(
    real: Any,
    generated: Any,
    *,
    subsets: int | None = None,
    subset_size: int = 1000,
    seed: int = 2020,
) -> float:
    """The kernel distance of Binkowski et al. 2018: MMD^2 with k(x, y) = (x'y / D + 1)^3.

    Args:
        real: (n, ...) features, an array or a tensor; trailing axes are flattened.
        generated: (m, ...) features of the same size.
        subsets: None measures all points, which is the estimate of least variance; a number is of
            random subsets, over which the estimate is averaged as in torch-fidelity, with its draws
            at the same seed.
        subset_size: points of each set in a subset.
        seed: of the subsets.

    Returns:
        The unbiased estimate; its mean is 0 where both sets are of one distribution.

    Raises:
        UomhError: fewer than two points, or fewer than ``subset_size`` where subsets are asked
            for; NaN or infinite values, different dimensions.
    """
    first, second = two_sets(real, generated, 2, "a kernel distance")
    if subsets is None:
        return _Tables(_cubic, first, second).value
    count = whole_number(subsets, "subsets", 1)
    size = whole_number(subset_size, "subset_size", 2)
    if min(first.n, second.n) < size:
        raise UomhError(
            f"subsets of {size} points cannot be drawn from {first.n} real and {second.n} "
            "generated ones; lower subset_size"
        )
    rng = np.random.RandomState(seed)
    values = []
    for _ in range(count):
        y = second.only(rng.choice(second.n, size, replace=False))
        x = first.only(rng.choice(first.n, size, replace=False))
        values.append(_Tables(_cubic, x, y).value)
    return float(np.mean(values))


def kid_estimate(real: Any, generated: Any, *, fixed_real: bool = False) -> Estimate:
    """`kid` of all points with a 95% interval.

    Args:
        real: (n, ...) features.
        generated: (m, ...) features of the same size.
        fixed_real: whether the real points are taken as they are, and not as a sample of more.

    Raises:
        UomhError: as `kid`; or fewer than four points.
    """
    first, second = two_sets(real, generated, 4, "an interval of a kernel distance")
    return _Tables(_cubic, first, second).estimate(fixed_real)


def mmd(real: Any, generated: Any, *, bandwidth: float | None = None) -> float:
    """MMD^2 with the Gaussian kernel k(x, y) = exp(-|x - y|^2 / (2 s^2)) (Gretton et al. 2012).

    Args:
        real: (n, ...) points, an array or a tensor; trailing axes are flattened.
        generated: (m, ...) points of the same size.
        bandwidth: s, in units of the points; None takes the median distance between points of both
            sets together (of at most 2,000 points of them, evenly spread).

    Returns:
        The unbiased estimate, at most 2; its mean is 0 only where both have one distribution.

    Raises:
        UomhError: fewer than two points, a bandwidth that is not positive, or none given where
            half of the points are equal; NaN or infinite values, different dimensions.
    """
    first, second = two_sets(real, generated, 2, "a maximum mean discrepancy")
    return _Tables(_gaussian(first, second, bandwidth), first, second).value


def mmd_estimate(
    real: Any, generated: Any, *, bandwidth: float | None = None, fixed_real: bool = False
) -> Estimate:
    """`mmd` with a 95% interval, at this bandwidth.

    Args:
        real: (n, ...) points.
        generated: (m, ...) points of the same size.
        bandwidth: as for `mmd`.
        fixed_real: whether the real points are taken as they are, and not as a sample of more.

    Raises:
        UomhError: as `mmd`; or fewer than four points.
    """
    first, second = two_sets(real, generated, 4, "an interval of a maximum mean discrepancy")
    return _Tables(_gaussian(first, second, bandwidth), first, second).estimate(fixed_real)


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T).div_(x.shape[1]).add_(1).pow_(3)


def _gaussian(first: Points, second: Points, bandwidth: float | None) -> Kernel:
    # About a common centre, so that large means do not eat the digits of distances.
    centre = first[slice(0, min(first.n, BLOCK))].double().mean(0)
    if bandwidth is None:
        half = MEDIAN_OF // 2
        some = torch.cat(
            [
                points.take(np.unique(np.linspace(0, points.n - 1, half).astype(int))).double()
                for points in (first, second)
            ]
        )
        bandwidth = float(torch.pdist(some - centre).median())
        if bandwidth == 0:
            raise UomhError("the median distance between points is 0; give a bandwidth")
    scale = real_number(bandwidth, "bandwidth")
    if scale <= 0:
        raise UomhError(f"bandwidth must be positive; it is {scale}")

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        x, y = (x - centre) / scale, (y - centre) / scale
        squares = torch.addmm(x.square().sum(1)[:, None] + y.square().sum(1), x, y.T, alpha=-2)
        return squares.clamp_(min=0).mul_(-0.5).exp_()

    return kernel


@dataclass(frozen=True)
class _Sums:
    """Of a table of a kernel: sums by row and by column, and of all squares.

    Where the table is of a set with itself its diagonal is left out, and its sum is kept.
    """

    rows: Floats
    columns: Floats
    squares: float
    diagonal: float = 0.0

    def centred_variance(self, pairs_in_row: int, pairs_in_column: int) -> float:
        """Variance of the doubly centred table."""
        rows, columns = self.rows / pairs_in_row, self.columns / pairs_in_column
        variance = self.squares / (len(rows) * pairs_in_row) - float(rows.mean()) ** 2
        return max(variance - float(rows.var()) - float(columns.var()), 0.0)


class _Tables:
    """The kernel's tables within the sets and across, as sums."""

    def __init__(self, kernel: Kernel, real: Points, generated: Points) -> None:
        self.n, self.m = real.n, generated.n
        self.real = _within(kernel, real)
        self.generated = _within(kernel, generated)
        self.across = _across(kernel, real, generated)
        if not all(math.isfinite(t.squares) for t in (self.real, self.generated, self.across)):
            raise UomhError(
                "squares of the kernel at points as large as these are beyond float64; give "
                "features of a smaller scale"
            )
        n, m = self.n, self.m
        self.value = float(
            self.real.rows.sum() / (n * (n - 1))
            + self.generated.rows.sum() / (m * (m - 1))
            - 2 * self.across.rows.sum() / (n * m)
        )

    def estimate(self, fixed_real: bool) -> Estimate:
        n, m = self.n, self.m
        x = 2 * (self.real.rows / (n - 1) - self.across.rows / m)
        y = 2 * (self.generated.rows / (m - 1) - self.across.columns / n)
        influences = {"real": x - x.mean(), "generated": y - y.mean()}
        second = 2 * self.generated.centred_variance(m - 1, m - 1) / m**2
        if fixed_real:
            del influences["real"]
        else:
            second += 2 * self.real.centred_variance(n - 1, n - 1) / n**2
            second += 4 * self.across.centred_variance(m, n) / (n * m)
        both = variance_of(influences)
        # The part of second order is at most half of what is measured.
        variance = max(both - second, both / 2)
        return squared(self.value, variance, influences, self._offset())

    def _offset(self) -> float:
        """What the square of the module's note exceeds the unbiased estimate by."""
        parts = ((self.n, self.real), (self.m, self.generated))
        return sum(
            (table.diagonal - float(table.rows.sum()) / (size - 1)) / size**2
            for size, table in parts
        )


def _blocks(points: Points) -> list[slice]:
    return [slice(a, min(a + BLOCK, points.n)) for a in range(0, points.n, BLOCK)]


def _within(kernel: Kernel, points: Points) -> _Sums:
    rows, squares, diagonal = np.zeros(points.n), 0.0, 0.0
    blocks = _blocks(points)
    for i, band in enumerate(blocks):
        x = points[band].double()
        for other in blocks[i:]:
            same = other == band
            table = kernel(x, x if same else points[other].double())
            if same:
                diagonal += float(table.trace())
                table.fill_diagonal_(0)
            rows[band] += table.sum(1).numpy()
            if not same:
                rows[other] += table.sum(0).numpy()
            squares += (1 if same else 2) * float(table.square_().sum())
    return _Sums(rows, rows, squares, diagonal)


def _across(kernel: Kernel, first: Points, second: Points) -> _Sums:
    rows, columns, squares = np.zeros(first.n), np.zeros(second.n), 0.0
    for band in _blocks(first):
        x = first[band].double()
        for other in _blocks(second):
            table = kernel(x, second[other].double())
            rows[band] += table.sum(1).numpy()
            columns[other] += table.sum(0).numpy()
            squares += float(table.square_().sum())
    return _Sums(rows, columns, squares)
