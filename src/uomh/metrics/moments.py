"""Mean and covariance of features that come in batches, without losing digits."""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy.linalg.blas import dsyrk
from torch import Tensor

from uomh.errors import UomhError
from uomh.neighbours.core import Points

BUFFER = 6
"""rows that wait to be taken into the factor, in multiples of their length: the factor goes through
the same product again each time, a sixth of its cost"""
WELL_CONDITIONED = 1e-4
"""least ratio of the diagonal of R at which R by Cholesky, from squares, is as good as by QR"""


class Moments:
    """Mean and covariance of points that come in batches, in float64.

    The covariance is kept as a factor R with R'R = (n - 1) S, which loses no digits where S is
    singular; up to D points the factor is the centred points.

    Attributes:
        n: number of points so far.
        dim: D, known after the first batch.
    """

    def __init__(self) -> None:
        self.n = 0
        self.dim = 0
        self._mean = torch.empty(0, dtype=torch.float64)
        self._factor = torch.empty(0, 0, dtype=torch.float64)
        self._waiting: list[Tensor] = []

    @classmethod
    def of(cls, X: Any) -> Moments:
        """The moments of points (n, ...)."""
        moments = cls()
        moments.update(X)
        return moments

    def update(self, batch: Any) -> None:
        """Take in points (b, ...): an array or a tensor of any real type.

        Raises:
            UomhError: they are not finite real numbers, or of another dimension than before.
        """
        points = batch if isinstance(batch, Points) else Points(batch, "features")
        points.largest()
        if self.n and points.dim != self.dim:
            raise UomhError(
                f"features of {points.dim} dimensions cannot join moments of {self.dim} dimensions"
            )
        if not self.n:
            self.dim = points.dim
            self._mean = torch.zeros(self.dim, dtype=torch.float64)
            self._factor = torch.empty(0, self.dim, dtype=torch.float64)
        room = max(BUFFER * self.dim, 256)
        for start in range(0, points.n, room):
            rows = points[start : min(start + room, points.n)]
            if sum(map(len, self._waiting)) + len(rows) > room:
                self._settle()
            self._waiting.append(rows.to(torch.float64, copy=True))
            self.n += len(rows)

    def merge(self, other: Moments) -> Moments:
        """The moments of the points of both."""
        if self.n and other.n and self.dim != other.dim:
            raise UomhError(f"moments of {self.dim} and of {other.dim} dimensions cannot be merged")
        if not self.n or not other.n:
            return self if self.n else other
        joint = Moments()
        joint.n, joint.dim = self.n, self.dim
        joint._mean, joint._factor = self.mean, self.factor
        joint._join(other.n, other.mean, other.factor)
        return joint

    @property
    def mean(self) -> Tensor:
        """The mean, float64 (D,)."""
        self._settle()
        return self._mean

    @property
    def factor(self) -> Tensor:
        """R, float64 (r, D) with r at most D: R'R / (n - 1) is the covariance."""
        self._settle()
        return self._factor

    @property
    def covariance(self) -> Tensor:
        """The covariance with divisor n - 1, float64 (D, D)."""
        return self.factor.T @ self.factor / (self.n - 1)

    @property
    def trace(self) -> float:
        """The trace of the covariance."""
        return float(self.factor.square().sum()) / (self.n - 1)

    def _settle(self) -> None:
        if not self._waiting:
            return
        rows = torch.cat(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
        self._waiting = []
        mean = rows.mean(0)
        rows.sub_(mean)
        total = self.n
        self.n -= len(rows)
        self._join(len(rows), mean, rows)
        assert self.n == total

    def _join(self, n: int, mean: Tensor, factor: Tensor) -> None:
        """Take in n points of this mean and factor (Chan, Golub & LeVeque 1979)."""
        step = mean - self._mean
        between = step * math.sqrt(self.n * n / (self.n + n))
        parts = [self._factor, factor, between[None]] if self.n else [factor]
        self._factor = _shortened(torch.cat(parts) if len(parts) > 1 else factor)
        self._mean = self._mean + step * (n / (self.n + n))
        self.n += n


def _shortened(rows: Tensor) -> Tensor:
    """A factor of the same R'R with at most D rows, or the rows where they are no more."""
    n, dim = rows.shape
    if n <= dim:
        return rows
    # The lower triangle alone, at half the cost of the product; torch has no such call.
    squares = torch.from_numpy(dsyrk(1.0, rows.numpy().T, lower=1))
    lower, failed = torch.linalg.cholesky_ex(squares)
    diagonal = lower.diagonal()
    if not failed and float(diagonal.min()) > WELL_CONDITIONED * float(diagonal.max()):
        triangle: Tensor = lower.T.contiguous()
    else:
        triangle = torch.linalg.qr(rows, mode="r").R
    return triangle
