"""Measured numbers with their intervals, as plain data: whoever reads them does without torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["exact", "bound", "estimate"]

NORMAL_95 = NormalDist().inv_cdf(0.975)
"""97.5% quantile of the standard normal"""


@dataclass(frozen=True)
class Value:
    """A measured number.

    Attributes:
        value: the number, or None where it cannot be had.
        low: lower end of its 95% interval over points.
        high: upper end.
        n: number of points.
        kind: whether the number is exact, a bound or an estimate of what its name says.
        reason: why there is no number.
        weights: hash of the weights that it is of, from `weights_of`.
        setup: hash of what else it depends on: the seed, the model's settings, the points.

    A number that is not finite is none, and that is the reason.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    kind: Kind = "exact"
    reason: str | None = None
    weights: str | None = None
    setup: str | None = None

    def __post_init__(self) -> None:
        """Take a number that is not finite for none."""
        if self.value is not None and not math.isfinite(self.value):
            object.__setattr__(self, "reason", f"it is {self.value}")
            object.__setattr__(self, "value", None)
        ends = [end for end in (self.low, self.high) if end is not None]
        if self.value is None or not all(map(math.isfinite, ends)):
            object.__setattr__(self, "low", None)
            object.__setattr__(self, "high", None)

    @classmethod
    def mean(cls, points: Tensor, kind: Kind = "exact") -> Value:
        """The mean of one number for each point, (n,), with its normal interval."""
        points = points.double()
        mean, n = points.mean().item(), len(points)
        if not math.isfinite(mean):
            bad = int((~points.isfinite()).sum())
            return cls(None, n=n, reason=f"it is not finite on {bad} of {n} points")
        if n < 2:
            return cls(mean, n=n, kind=kind)
        half = NORMAL_95 * points.std().item() / math.sqrt(n)
        return cls(mean, mean - half, mean + half, n, kind)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in metrics.json."""
        if self.value is None:
            kept = ("value", "reason", "weights", "setup")
            values = {key: value for key, value in asdict(self).items() if key in kept}
            return {key: value for key, value in values.items() if key == "value" or value}
        return {key: value for key, value in asdict(self).items() if key != "reason"}
