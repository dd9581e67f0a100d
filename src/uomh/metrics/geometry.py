"""Whether samples have the dimension of the data: their intrinsic dimension against the data's.

An estimate of dimension depends on the number of points, so both sets are brought to one size. The
two are independent, so the interval of their difference follows from those of each (MOVER; Zou &
Donner 2008): with d1 in [l1, u1] and d2 in [l2, u2],

    low = d1 - d2 - sqrt((d1 - l1)^2 + (u2 - d2)^2),    high likewise.

Distances are those of pixels, of grey levels like the data's: samples are rounded to them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from uomh.data.core import Split
from uomh.dimension.thinning import list_length
from uomh.errors import UomhError
from uomh.metrics.cache import Arrays
from uomh.metrics.core import Metric, MetricConfig
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.pairing import paired_difference
from uomh.metrics.sources import TRAIN, PointSource
from uomh.metrics.values import Value
from uomh.neighbours import Neighbours, distinct, nearest_neighbours
from uomh.registry import register
from uomh.text import counted


class DimensionConfig(MetricConfig):
    """Settings of metrics of dimension."""

    k: tuple[int, ...] = Field((10, 3, 20), min_length=1)
    """numbers of neighbours; the first is the one of the value that bears the metric's name"""
    points: int = Field(5000, ge=2)
    """points of each set at most"""
    samples: int | None = Field(None, ge=1)
    """samples in all groups together; null: as many as the evaluation draws"""


@register("metrics", "id")
class Dimension(Metric):
    """Intrinsic dimension of samples, and its difference to that of training points."""

    Config = DimensionConfig
    config: DimensionConfig
    higher_is_better = None

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Of sets of one size, by maximum likelihood (MacKay & Ghahramani 2005), at each k."""
        sources = TRAIN, PointSource("samples", self.config.samples)
        splits = [evaluation.points(source) for source in sources]
        real, drawn = of_one_size(splits[0], splits[1], self.config.points)
        most = max(self.config.k)
        of_train, of_samples = (
            lists_of(evaluation, source, points, most)
            for source, points in zip(sources, (real, drawn), strict=True)
        )
        for i, k in enumerate(self.config.k):
            suffix = f"_k{k}" if i else ""
            try:
                of_drawn, of_real = dimension(drawn, k, of_samples), dimension(real, k, of_train)
            except UomhError as error:  # another k may do
                yield f"{self.name}{suffix}", Value(None, reason=str(error))
                continue
            yield f"{self.name}{suffix}", replace(of_drawn, about=f"k = {k}")
            yield f"{self.name}_real{suffix}", replace(of_real, about=f"k = {k}")
            apart = difference(of_drawn, of_real)
            yield f"{self.name}_difference{suffix}", replace(apart, about=f"k = {k}")


@register("metrics", "clustered_id")
class ClusteredDimension(Metric):
    """Mean over classes of the dimension of their samples less that of their training points.

    A sample is of the class that it was drawn for, or that of the nearest training point.
    """

    Config = DimensionConfig
    config: DimensionConfig
    groups = "none"
    higher_is_better = None

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """The difference of each class, and the mean of those that have one with an interval."""
        data, k = evaluation.data, self.config.k[0]
        if data.train.y is None or not data.classes:
            raise UomhError(f"{data.name} has no classes")
        drawn = evaluation.samples(self.config.samples)
        labels = drawn.y if drawn.y is not None else nearest_class(data.train, drawn)
        found: list[Value] = []
        for label, name in enumerate(data.classes):
            try:
                sets = data.train[data.train.y == label], drawn[labels == label]
                pair = of_one_size(*sets, self.config.points)
                apart = difference(dimension(pair[1], k), dimension(pair[0], k))
            except UomhError as error:
                yield self.name, Value(None, reason=str(error), group=name)
                continue
            found.append(apart)
            yield self.name, replace(apart, group=name, about=f"k = {k}")
        if not found:
            raise UomhError("no class has samples enough for a dimension with an interval")
        whole = mean_of(found)
        yield (
            self.name,
            replace(whole, about=f"k = {k}, of {len(found)} of {len(data.classes)} classes"),
        )


def of_one_size(real: Split, drawn: Split, most: int) -> tuple[Tensor, Tensor]:
    """As many points of each, the first ones, as vectors (n, D).

    Raises:
        UomhError: there are fewer than two.
    """
    n = min(len(real), len(drawn), most)
    if n < 2:
        raise UomhError(
            f"{counted(len(drawn), 'sample')} and {counted(len(real), 'training point')} are too "
            "few for a dimension; draw more samples"
        )
    return real.x[:n].flatten(1), drawn.x[:n].flatten(1)


def lists_of(evaluation: Evaluation, source: PointSource, points: Tensor, k: int) -> Neighbours:
    """The neighbours of the distinct points among the first of a source, searched once.

    Args:
        evaluation: which keeps them.
        source: whose points they are.
        points: the first n of them, (n, D).
        k: neighbours that are needed; the lists are long enough for intervals at k, or hold all.

    Raises:
        UomhError: there are fewer than two distinct points.
    """
    n = len(points)
    width = list_length(k, n)

    def search() -> Arrays:
        within = nearest_neighbours(
            points, most_k(points, width), duplicates="drop", device=evaluation.device
        )
        return {name: getattr(within, name) for name in ("distances", "indices", "rows")}

    arrays: Any = evaluation.kept("lists", (source,), (n, width), search)
    return Neighbours(**arrays)


def most_k(points: Tensor, k: int) -> int:
    """As many neighbours as the distinct points have, k at most.

    Raises:
        UomhError: there are fewer than two distinct points.
    """
    number = len(distinct(points.numpy()))
    if number < 2:
        raise UomhError(
            f"all {len(points)} points are equal, and have no dimension; look at the samples"
        )
    return min(k, number - 1)


def dimension(points: Tensor, k: int, lists: Neighbours | None = None) -> Value:
    """The dimension of points (n, D) at k neighbours, with its interval.

    Args:
        points: (n, D).
        k: number of neighbours.
        lists: of neighbours among the distinct points, from `lists_of`; None: searched here.

    Raises:
        UomhError: there are too few distinct points, of a dimension or of its interval.
    """
    from uomh.dimension.mle import MLE  # brings scikit-learn, which other metrics do without

    number = len(points) if lists is None else len(lists)
    if number <= k:
        which = "" if number == len(points) else " distinct"
        raise UomhError(
            f"{number}{which} points are too few for a dimension at k = {k}; draw more samples or "
            "lower k"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # sums of large points, which are checked
        try:
            fitted = MLE(k).fit(points.numpy(), neighbours=lists)
        except UserWarning as warning:  # k was clipped, or a dimension beyond the coordinates
            raise UomhError(
                f"{len(points)} points have no dimension at k = {k} ({warning}); draw more samples "
                "or lower k"
            ) from None
    low, high = fitted.interval_
    if not math.isfinite(high):
        raise UomhError(
            f"{len(points)} points are too few for an interval of the dimension at k = {k}; "
            "draw more samples or lower k"
        )
    return Value(fitted.dimension_, low, high, len(points), "estimate")


def difference(first: Value, second: Value) -> Value:
    """The first less the second, which is independent of it."""
    apart = paired_difference(first, second, paired=False)
    return Value(apart.value, apart.low, apart.high, min(first.n, second.n), "estimate")


def mean_of(values: list[Value]) -> Value:
    """The mean of independent values that have intervals, with its interval."""
    ends = [(v.low, v.value, v.high) for v in values]
    lows, numbers, highs = np.array(ends, dtype=np.float64).T
    below, above = (np.linalg.norm(part) / len(ends) for part in (numbers - lows, highs - numbers))
    mean, n = float(numbers.mean()), sum(value.n for value in values)
    return Value(mean, mean - float(below), mean + float(above), n, "estimate")


def nearest_class(train: Split, points: Split) -> Tensor:
    """The class of the nearest training point of each point, (n,)."""
    assert train.y is not None
    found = nearest_neighbours(train.x, 1, points.x, duplicates="keep")
    return train.y[torch.from_numpy(found.indices[:, 0])]
