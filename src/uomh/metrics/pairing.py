"""What each point contributed to a run's numbers, kept beside them for differences between runs.

A number's influences (`uomh.metrics.intervals`) are as many as there are points, so they stand not
in ``metrics.json`` but in the run's cache: one file a metric, its groups included, under the hashes
of the weights and of all else that the number depends on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from uomh.errors import UomhError
from uomh.metrics.cache import Arrays, Cache
from uomh.metrics.intervals import Floats, variance_of
from uomh.metrics.values import Value

KIND = "influences"


def _key(value: Value) -> tuple[object, ...]:
    settings = json.dumps(dict(value.settings), sort_keys=True)
    return (value.weights, value.setup, value.metric, settings)


def keep_influences(cache: Cache, values: Iterable[Value]) -> None:
    """Keep those of values that are marked with the weights and the setup that they are of."""
    files: dict[tuple[object, ...], list[tuple[str, str, Floats]]] = {}
    for value in values:
        of_metric = files.setdefault(_key(value), [])
        of_metric += [(value.key, name, array) for name, array in value.influences.items()]
    for key, found in files.items():
        arrays = {str(i): array.astype(np.float32) for i, (_, _, array) in enumerate(found)}
        names = np.array([[of, name] for of, name, _ in found], dtype=str).reshape(-1, 2)
        cache.put(KIND, key, {**arrays, "names": names})


def has_influences(cache: Cache, value: Value) -> bool:
    """Whether those of the metric that gave this value are kept, or it has none."""
    return value.value is None or cache.has(KIND, _key(value))


class Influences:
    """Those of a run, read a metric at a time."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self._files: dict[tuple[object, ...], Arrays | None] = {}

    def of(self, value: Value) -> dict[str, Floats]:
        """The influences of each point on a value, by set; none where they are not kept."""
        key = _key(value)
        if key not in self._files:
            self._files[key] = self.cache.get(KIND, key)
        arrays = self._files[key]
        if arrays is None:
            return {}
        names = arrays["names"].tolist()
        return {
            name: arrays[str(i)].astype(np.float64)
            for i, (of, name) in enumerate(names)
            if of == value.key
        }


class Measured(Protocol):
    """A `Value` or an `Estimate`: a number with its interval and influences."""

    @property
    def value(self) -> float | None:
        """The number."""

    @property
    def low(self) -> float | None:
        """Lower end of its 95% interval."""

    @property
    def high(self) -> float | None:
        """Upper end."""

    @property
    def influences(self) -> Mapping[str, Floats]:
        """Of each point, by set."""


class PairedDifference(NamedTuple):
    """One number less another.

    Attributes:
        value: the difference.
        low: lower end of its 95% interval; None where either number has no interval.
        high: upper end.
        paired: whether the interval knows of points that both were measured on.
    """

    value: float
    low: float | None
    high: float | None
    paired: bool


def paired_difference(one: Measured, other: Measured, *, paired: bool = True) -> PairedDifference:
    r"""One number less another, measured on some of the same points, with its 95% interval.

    Two models that are measured on the same points vary together: a point that is hard for one is
    hard for the other, and Frechet distances of both have the same sample of real points. With a
    and b the numbers, [l, u] their intervals and r the correlation of their influences over the
    points that they share, the interval of a - b is

        low = a - b - sqrt((1 - r) ((a - l_a)^2 + (u_b - b)^2) + r ((a - l_a) - (b - l_b))^2),

    high likewise. Of intervals with equal sides this is that of Zou (2007, "Toward using confidence
    intervals to compare correlations", Psychological Methods 12), and so it is where r is 0: a low
    and b high are what makes a - b low. What two numbers have in common moves them the same way
    instead, a low where b is low, so that leaning intervals cancel as well; below 0, r weighs
    ((a - l_a) + (u_b - b))^2 by its size. For means of points it is the interval of the mean of the
    differences; where no shared influences are known, r is 0.

    Args:
        one: a number, such as from `uomh.measure` or ``frechet_estimate``.
        other: another of the same kind.
        paired: whether sets of points of one name and size are the same points in the same order.

    Raises:
        UomhError: either has no number.
    """
    if one.value is None or other.value is None:
        raise UomhError("a difference needs two numbers; one of these has none")
    apart = one.value - other.value
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return PairedDifference(apart, None, None, False)
    shared = correlation(one.influences, other.influences) if paired else None
    below, above = one.value - one.low, one.high - one.value
    other_below, other_above = other.value - other.low, other.high - other.value
    low = apart - _side(below, other_above, other_below, shared or 0.0)
    high = apart + _side(above, other_below, other_above, shared or 0.0)
    return PairedDifference(apart, low, high, shared is not None)


def _side(one: float, against: float, along: float, r: float) -> float:
    """How far a difference reaches to a side: ``along`` is the other's reach to the same side."""
    common = one - along if r > 0 else one + against
    return math.sqrt((1 - abs(r)) * (one**2 + against**2) + abs(r) * common**2)


def correlation(first: Mapping[str, Floats], second: Mapping[str, Floats]) -> float | None:
    """The correlation of two numbers over the sets of points that both are of.

    Sets pair by name, and by the order of their points, which is the same where models are measured
    on the same data with the same seed.

    Args:
        first: influences on one number.
        second: influences on the other.

    Returns:
        In [-1, 1]; None where they have no set in common.
    """
    shared = [
        name
        for name, values in first.items()
        if name in second and len(second[name]) == len(values) > 1
    ]
    if not shared:
        return None
    scale = math.sqrt(variance_of(first) * variance_of(second))
    if not scale:
        return 0.0
    covariance = sum(
        float(np.cov(first[name], second[name])[0, 1]) / len(first[name]) for name in shared
    )
    return min(max(covariance / scale, -1.0), 1.0)
