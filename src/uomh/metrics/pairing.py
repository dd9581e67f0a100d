"""What each point contributed to a run's numbers, kept beside them for differences between runs.

A number's influences (`uomh.metrics.intervals`) are as many as there are points, so they stand not
in ``metrics.json`` but in the run's cache: one file a metric, its groups included, under the hashes
of the weights and of all else that the number depends on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

import numpy as np

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


def correlation(first: dict[str, Floats], second: dict[str, Floats]) -> float | None:
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
