"""Measured numbers with their intervals, as plain data: whoever reads them does without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

from uomh.text import html_table, with_interval

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
        name: of the number.
        metric: which yielded it; it may yield several numbers.
        group: the class or cluster that it is of; None: the whole.
        higher_is_better: its direction; None: it has none.
        by: what its interval is over, such as points or blocks of samples.
        settings: of the metric, those that are not its defaults.
        about: what has to stand beside it, such as the features that it is measured in.
        basis: what numbers of two models must have in common, beside points and settings, to be
            compared: the features and the numbers of samples, for instance.
        influences: of each point on the number, by the name of the set that the point is in (see
            `uomh.metrics.intervals`); empty where they are not known. Differences between models
            on the same points rest on them. They are kept beside the numbers, not in their file.

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
    name: str = ""
    metric: str = ""
    group: str | None = None
    higher_is_better: bool | None = None
    by: str = "points"
    settings: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    basis: str = ""
    influences: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

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
        influences = {"points": (points - mean).cpu().numpy()}
        return cls(mean, mean - half, mean + half, n, kind, influences=influences)

    @property
    def key(self) -> str:
        """Under which it stands in metrics.json: ``NAME``, or ``NAME[GROUP]``."""
        return self.name if self.group is None else f"{self.name}[{self.group}]"

    def to_dict(self) -> dict[str, Any]:
        """As it stands in metrics.json."""
        numbers = ("low", "high", "n", "kind", "by")
        left_out = ("influences", *(numbers if self.value is None else ("reason",)))
        always = ("value", "low", "high")
        values = {of.name: getattr(self, of.name) for of in fields(self) if of.name not in left_out}
        return {
            name: dict(value) if name == "settings" else value
            for name, value in values.items()
            if name in always or value not in (None, {}, "")
        }


class Values(dict[str, Value]):
    """Measured numbers by their `Value.key`; in notebooks a table."""

    def _repr_html_(self) -> str:
        """A row for each number: its interval, whether it is a bound, why there is none."""
        rows = [[key.replace("_", " "), *_in_words(value)] for key, value in self.items()]
        return html_table(["metric", "value (95% interval)", "points", "remarks"], rows)


def _in_words(value: Value) -> tuple[str, str, str]:
    if value.value is None:
        return "n/a", "", value.reason or ""
    kind = "" if value.kind == "exact" else value.kind
    remarks = "; ".join(filter(None, (kind, value.about)))
    return with_interval(value.value, value.low, value.high), f"{value.n:,}", remarks
