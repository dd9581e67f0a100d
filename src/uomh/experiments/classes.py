"""Classifiers class by class: accuracy over seeds beside the dimension of training points.

The accuracy of a class is a mean over the seeds of an arm. Their runs share the points that they
are measured on, so its interval is that of one run's points (Wilson's). Correlations are over
classes, of these means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import get_args

from pydantic import BaseModel, ConfigDict

from uomh.errors import UomhError
from uomh.metrics.correlation import Correlation, How, correlation
from uomh.metrics.intervals import wilson
from uomh.metrics.measured import MeasuredRun
from uomh.metrics.values import Value

RunValues = Mapping[str, Value]


class ClassResult(BaseModel):
    """A class by an arm.

    Attributes:
        dataset: name.
        arm: name.
        group: name of the class.
        dimension: of its training points.
        dimension_low: lower end of its 95% interval; None: the points are too few for one.
        dimension_high: upper end.
        accuracy: on its held-out points, in mean over seeds.
        low: lower end of its 95% interval, over points.
        high: upper end.
        points: held-out points of the class.
        seeds: how many.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    dataset: str
    arm: str
    group: str
    dimension: float
    dimension_low: float | None = None
    dimension_high: float | None = None
    accuracy: float
    low: float | None = None
    high: float | None = None
    points: int = 0
    seeds: int = 1


def read_values(folders: Sequence[Path]) -> list[RunValues]:
    """What was measured of each run, its classes included; of runs that can be read."""
    found = []
    for folder in folders:
        try:
            found.append(MeasuredRun.read(folder).values)
        except UomhError:  # such as a folder that was removed; the table of the whole stands
            continue
    return found


def class_results(dataset: str, arm: str, runs: Sequence[RunValues]) -> list[ClassResult]:
    """The classes of an arm that have a dimension, in their order."""
    means = class_means(runs) if runs else {}
    found = []
    for dimension in means.values():
        accuracy = means.get(_key("accuracy", dimension.group))
        if dimension.name != "class_dimension" or dimension.value is None:
            continue
        if dimension.group is None or accuracy is None or accuracy.value is None:
            continue
        found.append(
            ClassResult(
                dataset=dataset,
                arm=arm,
                group=dimension.group,
                dimension=dimension.value,
                dimension_low=dimension.low,
                dimension_high=dimension.high,
                accuracy=accuracy.value,
                low=accuracy.low,
                high=accuracy.high,
                points=accuracy.n,
                seeds=len(runs),
            )
        )
    return found


def class_means(runs: Sequence[RunValues]) -> dict[str, Value]:
    """Accuracy of each class in mean over the runs of an arm, and its dimension."""
    means = {}
    for key, value in runs[0].items():
        if value.name == "class_dimension":
            means[key] = value
        elif value.name == "accuracy" and value.group is not None:
            mean = fmean(numbers(runs, key))
            low, high = wilson(mean, value.n)
            means[key] = replace(value, value=mean, low=low, high=high)
    return means


def gain_by_dimension(
    runs: Sequence[RunValues], others: Sequence[RunValues], name: str
) -> Correlation | None:
    """The rank correlation of the dimension of a class with what it gained, in mean over runs.

    Args:
        runs: of an arm.
        others: of the arm that it is compared with.
        name: of the number that is gained, such as ``accuracy``.

    Returns:
        None where there are too few classes, or none gained anything.
    """
    dimensions, gained = [], []
    for dimension in others[0].values():
        if dimension.name != "class_dimension" or dimension.value is None:
            continue
        key = _key(name, dimension.group)
        both = [fmean(numbers(of, key)) for of in (runs, others)]
        if all(map(math.isfinite, both)):
            dimensions.append(dimension.value)
            gained.append(both[0] - both[1])
    return _correlation(dimensions, gained)


def in_sentences(
    arm: str, rows: Sequence[ClassResult], against: Sequence[ClassResult]
) -> list[str]:
    """How accuracy goes with dimension over the classes of an arm, and what they gained by it.

    Args:
        arm: its name, with that of the data set.
        rows: its classes.
        against: those of the arm that it is compared with; empty: it is compared with none.
    """
    dimensions = [row.dimension for row in rows]
    by_name = {"accuracy": [row.accuracy for row in rows]}
    plain = {row.group: row.accuracy for row in against}
    if plain and all(row.group in plain for row in rows):
        gains = [row.accuracy - plain[row.group] for row in rows]
        by_name[f"gain in accuracy over {against[0].arm!r}"] = gains
    said = []
    for what, y in by_name.items():
        both = {how: _correlation(dimensions, y, how) for how in get_args(How)}
        words = [f"{how.title()} {in_words(r)}" for how, r in both.items() if r is not None]
        if words:
            start = f"{arm}: {what} by dimension, over {len(rows)} classes"
            said.append(f"{start}: {'; '.join(words)}")
    return said


def in_words(r: Correlation) -> str:
    """A correlation with its interval and p-value.

    >>> in_words(Correlation(-0.5, -0.9, 0.3, 0.143, 8))
    '-0.50 [-0.90, 0.30], p = 0.14'
    """
    interval = "" if r.low is None or r.high is None else f" [{r.low:.2f}, {r.high:.2f}]"
    return f"{r.value:.2f}{interval}, p = {r.p_value:.2g}"


def numbers(runs: Sequence[RunValues], key: str) -> list[float]:
    """The value of each run; NaN where there is none."""
    found = [run[key].value if key in run else None for run in runs]
    return [math.nan if number is None else number for number in found]


def _correlation(
    x: Sequence[float], y: Sequence[float], how: How = "spearman"
) -> Correlation | None:
    try:
        return correlation(x, y, how)
    except UomhError:  # too few classes, or all are alike
        return None


def _key(name: str, group: str | None) -> str:
    return Value(None, name=name, group=group).key
