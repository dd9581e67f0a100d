"""A classifier's accuracy by class against the intrinsic dimension of the class, drawn."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uomh.metrics.values import Value
from uomh.report.style import BLUE, GREY, ORANGE, PAGE, plain, save
from uomh.text import shortened

NAMED = 24
"""classes whose names stand beside their points; of more, the extreme ones alone"""


@dataclass(frozen=True)
class ClassPoint:
    """A class in the figure.

    Attributes:
        name: of the class.
        dimension: of its training points, with its interval.
        accuracy: of its held-out points, with its interval.
    """

    name: str
    dimension: Value
    accuracy: Value


def class_points(values: Mapping[str, Value]) -> list[ClassPoint]:
    """The classes of a run that have both numbers, from what was measured of it.

    Args:
        values: as in ``metrics.json``.
    """
    by_name: dict[str, dict[str, Value]] = {}
    for value in values.values():
        if value.group is not None and value.value is not None:
            by_name.setdefault(value.name, {})[value.group] = value
    accuracy = by_name.get("accuracy", {})
    dimensions = by_name.get("class_dimension", {})
    both = [name for name in dimensions if name in accuracy]
    return [ClassPoint(name, dimensions[name], accuracy[name]) for name in both]


def scatter_figure(arms: Mapping[str, Sequence[ClassPoint]], title: str = "") -> Figure:
    """Accuracy against dimension, a point for each class, bars for 95% intervals.

    Args:
        arms: the classes by the name of what trained the classifier; one or two.
        title: above the figure.
    """
    figure = Figure(figsize=(PAGE, 0.65 * PAGE), layout="constrained")
    ax = figure.subplots()
    for (name, points), colour in zip(arms.items(), (BLUE, ORANGE), strict=False):
        _draw(ax, points, name, colour)
    first = next(iter(arms.values()))
    _name(ax, first)
    ax.set_xlabel("intrinsic dimension of the class")
    ax.set_ylabel("accuracy on held-out points")
    ax.set_title(shortened(title, 90), fontsize=10.5, parse_math=False)
    plain(ax, "both")
    if len(arms) > 1:
        ax.legend(frameon=False, fontsize=9)
    return figure


def save_scatter(
    arms: Mapping[str, Sequence[ClassPoint]],
    directory: str | os.PathLike[str],
    title: str = "",
    name: str = "accuracy_by_dimension",
) -> list[Path]:
    """Write ``NAME.{png,pdf,svg}``, each whole or not at all; their paths."""
    return save(scatter_figure(arms, title), directory, name)


def _draw(ax: Axes, points: Sequence[ClassPoint], name: str, colour: str) -> None:
    x = [_number(point.dimension) for point in points]
    y = [_number(point.accuracy) for point in points]
    ax.errorbar(
        x,
        y,
        xerr=_reach([point.dimension for point in points]),
        yerr=_reach([point.accuracy for point in points]),
        fmt="o",
        ms=5,
        color=colour,
        ecolor=colour + "66",
        elinewidth=1,
        label=name,
    )


def _reach(values: Sequence[Value]) -> list[list[float]]:
    """How far the intervals reach down and up; nowhere where there is none."""
    ends = [
        (value.low, value.high) if None not in (value.low, value.high) else (None, None)
        for value in values
    ]
    pairs = list(zip(map(_number, values), ends, strict=True))
    down = [0.0 if low is None else max(0.0, at - low) for at, (low, _) in pairs]
    up = [0.0 if high is None else max(0.0, high - at) for at, (_, high) in pairs]
    return [down, up]


def _name(ax: Axes, points: Sequence[ClassPoint]) -> None:
    chosen = list(points)
    if len(chosen) > NAMED:
        ranked = (
            sorted(points, key=lambda point: _number(point.dimension)),
            sorted(points, key=lambda point: _number(point.accuracy)),
        )
        chosen = list({p.name: p for order in ranked for p in (*order[:3], *order[-3:])}.values())
    for point in chosen:
        ax.annotate(
            shortened(point.name, 24),
            (_number(point.dimension), _number(point.accuracy)),
            xytext=(5, 4),
            textcoords="offset points",
            fontsize=7.5,
            color=GREY,
            parse_math=False,  # a dollar sign in a name is one
        )


def _number(value: Value) -> float:
    assert value.value is not None
    return value.value
