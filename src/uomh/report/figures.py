"""Figures of a verification, the paper's box plot first; known to users as ``uomh.figures``.

Each function draws into the axes that it is given, or into a new figure of a column's width, and
returns the axes:

    ax = uomh.figures.dimension_boxes(report)
    uomh.figures.save(ax.figure, "figures", "digits")

Curves of runs and `save` stand in files of their own and are offered here too.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from uomh.dimension.result import DimensionReport
from uomh.errors import UomhError
from uomh.report.curves import training_curves
from uomh.report.style import (
    BLUE,
    CYCLE,
    GREY,
    NAVY,
    ORANGE,
    RED,
    axes_of,
    plain,
    save,
)
from uomh.text import shortened

__all__ = [
    "dimension_bands",
    "dimension_boxes",
    "dimension_by_scale",
    "dimension_by_size",
    "dimension_figure",
    "save",
    "save_dimension_figure",
    "training_curves",
]

PANELS_A_ROW = 3
"""data sets side by side, before the next row begins"""
NAMED = 30
"""groups whose names can still be read below each other"""


def dimension_figure(reports: Sequence[DimensionReport]) -> Figure:
    """Box plots of the groups' dimensions by number of neighbours, one panel a data set.

    Boxes span the quartiles over groups and whiskers all of them; dots are the groups, the extreme
    two named. The diamond is the whole set. Beside each box, around the groups' mean, the bar that
    holds 95% of the groups of shuffled labels: a box no longer than its bar shows nothing.

    Args:
        reports: at least one.
    """
    columns = min(len(reports), PANELS_A_ROW)
    rows = math.ceil(len(reports) / columns)
    widths = [
        max(2.4, *(0.95 * len(report.whole.k) + 0.6 for report in reports[column::columns]))
        for column in range(columns)
    ]
    figure = Figure(figsize=(max(4.6, sum(widths) + 0.7), 3.7 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, width_ratios=widths)
    for ax in grid.flat[len(reports) :]:
        ax.remove()
    for ax, report in zip(grid.flat, reports, strict=False):
        dimension_boxes(report, ax)
        ax.set_ylabel("")
    for ax in grid[:, 0]:
        ax.set_ylabel("intrinsic dimension")
    figure.legend(
        handles=_legend(any(report.groups for report in reports)),
        loc="outside lower center",
        ncols=4 if sum(widths) > 8 else 2,
        frameon=False,
        fontsize=8.5,
        handlelength=1.6,
        columnspacing=1.6,
    )
    return figure


def save_dimension_figure(
    reports: Sequence[DimensionReport], directory: str | os.PathLike[str]
) -> list[Path]:
    """Write ``dimension.{png,pdf,svg}`` into a folder, each whole or not at all; their paths."""
    return save(dimension_figure(reports), directory, "dimension")


def dimension_boxes(report: DimensionReport, ax: Axes | None = None) -> Axes:
    """The paper's box plot of one data set: the groups' dimensions by number of neighbours.

    Boxes, dots, bars and the diamond mean what they mean in `dimension_figure`.

    Args:
        report: of `uomh.verify`.
        ax: to draw in; None makes a new figure.
    """
    ax = axes_of(ax)
    ks = list(report.whole.k)
    rng = np.random.default_rng(0)
    for x, k in enumerate(ks):
        whole = report.whole.k[k].dimension
        if report.groups:
            _groups(ax, x, k, report, rng)
        ax.plot(x, whole, marker="D", ms=6.5, color=RED, mec="white", mew=0.9, ls="none", zorder=6)
    ax.set_xlabel("neighbours k")
    ax.set_ylabel("intrinsic dimension")
    ax.set_title(shortened(report.dataset, 60), fontsize=11.5, pad=8, parse_math=False)
    ax.set_xticks(range(len(ks)), [str(k) for k in ks])
    ax.set_xlim(-0.6, len(ks) - 0.3)
    ax.margins(y=0.09)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    plain(ax)
    return ax


def dimension_bands(report: DimensionReport, k: int | None = None, ax: Axes | None = None) -> Axes:
    """Each group's estimate, its interval, and the true dimensions that would give it.

    Groups are sorted by their estimate. The thick bar is the calibrated band, the thin line the 95%
    interval of the estimator's mean, the diamond the learned true dimension with two standard
    errors.

    Args:
        report: of `uomh.verify`, with groups.
        k: number of neighbours; None is the largest of the report.
        ax: to draw in; None makes a new figure, as high as there are groups.

    Raises:
        UomhError: the report has no groups, or not this k.
    """
    k = _known(report, k)
    if not report.groups:
        raise UomhError(f"{report.dataset!r} has no groups to compare; verify labelled data")
    groups = sorted(report.groups, key=lambda group: group.k[k].dimension)
    ax = axes_of(ax, height=max(1.6, 0.9 + 0.2 * min(len(groups), 60)))
    for y, group in enumerate(groups):
        estimate = group.k[k]
        if estimate.calibrated is not None:
            low, high = estimate.calibrated
            if math.isfinite(high):
                ax.hlines(y, low, high, colors=BLUE + "66", lw=5, zorder=2)
            else:  # an arrow, for nothing in the calibration is too high
                style = {"arrowstyle": "->", "color": BLUE, "lw": 1.5}
                right = max(estimate.dimension, low) * 1.25
                ax.annotate("", (right, y), (low, y), arrowprops=style)
        if math.isfinite(estimate.high):
            ax.hlines(y, estimate.low, estimate.high, colors=NAVY, lw=1.4, zorder=3)
        ax.plot(estimate.dimension, y, "o", ms=3.4, color=NAVY, mew=0, zorder=4)
        if group.known is not None:
            ax.hlines(y + 0.25, *group.known.ends(), colors=RED, lw=0.8, zorder=3)
            ax.plot(group.known.dimension, y + 0.25, "D", ms=3.4, mfc="white", mec=RED, mew=0.8)
    ax.axvline(report.whole.k[k].dimension, color=RED, lw=1, ls=(0, (4, 3)), zorder=1)
    labels = [shortened(group.label, 24) for group in groups]
    if len(groups) > NAMED:  # the two ends alone can be read
        ax.set_yticks([0, len(groups) - 1], [labels[0], labels[-1]], parse_math=False)
    else:
        ax.set_yticks(range(len(groups)), labels, parse_math=False)
    ax.set_xlabel(f"intrinsic dimension, k = {k}")
    plain(ax, grid="x")
    return ax


def dimension_by_scale(report: DimensionReport, ax: Axes | None = None) -> Axes:
    """Each group's dimension against the number of neighbours, on a logarithmic axis.

    A curve that falls is noise seen from near or curvature seen from far; one dimension is a line.

    Args:
        report: of `uomh.verify`, with groups.
        ax: to draw in; None makes a new figure.

    Raises:
        UomhError: no group has estimates at several scales.
    """
    groups = [group for group in report.groups if group.scale]
    if not groups:
        raise UomhError(
            f"{report.dataset!r} has no group that was measured at several scales; verify labelled "
            "data with enough points a group"
        )
    ax = axes_of(ax)
    named = len(groups) <= len(CYCLE) + 2
    colours = [CYCLE[i % len(CYCLE)] if named else BLUE + "66" for i in range(len(groups))]
    for i, group in enumerate(groups):
        ks, dimensions = zip(*((at.k, at.dimension) for at in group.scale), strict=True)
        ax.plot(ks, dimensions, color=colours[i], lw=1.2, ls="-" if i < len(CYCLE) else "--")
    if named:
        ends = np.array([group.scale[-1].dimension for group in groups])
        low, high = ax.get_ylim()
        for i, y in enumerate(_apart(ends, (high - low) / 22)):
            ax.annotate(
                shortened(groups[i].label, 16),
                (max(at.k for group in groups for at in group.scale), y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
                color=colours[i],
                parse_math=False,
            )
    _log_axis(ax, [at.k for at in groups[0].scale])
    ax.set_xlabel("neighbours k")
    ax.set_ylabel("intrinsic dimension")
    plain(ax)
    return ax


def dimension_by_size(report: DimensionReport, ax: Axes | None = None) -> Axes:
    """The whole set's dimension on random subsets of growing size, a line for each k.

    Args:
        report: of `uomh.verify`.
        ax: to draw in; None makes a new figure.
    """
    ax = axes_of(ax)
    for i, k in enumerate(report.whole.k):
        points = [(n, at[k]) for n, at in report.whole.size if k in at]
        colour = CYCLE[i % len(CYCLE)]
        ax.plot(*zip(*points, strict=True), "o-", ms=3, color=colour, lw=1.2, label=f"k = {k}")
    _log_axis(ax, [n for n, _ in report.whole.size])
    ax.set_xlabel("points")
    ax.set_ylabel("intrinsic dimension")
    ax.legend(frameon=False, fontsize=8)
    plain(ax)
    return ax


def _known(report: DimensionReport, k: int | None) -> int:
    known = list(report.whole.k)
    if k is None:
        return known[-1]
    if k not in known:
        raise UomhError(
            f"k = {k} was not measured on {report.dataset!r}; choose one of "
            f"{', '.join(map(str, known))}"
        )
    return k


def _apart(values: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Places for names near the values, in their order and at least a gap apart."""
    order = np.argsort(values, kind="stable")
    steps = gap * np.arange(len(values))
    # Least squares under an order: the steps are taken away, what falls is levelled, they return.
    levelled = isotonic_regression(values[order] - steps).x + steps
    places = np.empty(len(values))
    places[order] = levelled
    return places


def _log_axis(ax: Axes, measured: Sequence[int]) -> None:
    """A logarithmic axis with ticks at values that were measured, as many as have room."""
    room = math.log(max(measured) / min(measured)) / 6
    ticks: list[int] = []
    for value in sorted(measured, reverse=True):  # the largest is the set as it is
        if not ticks or math.log(ticks[-1] / value) >= room:
            ticks.append(value)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(ScalarFormatter())


def _groups(ax: Axes, x: int, k: int, report: DimensionReport, rng: np.random.Generator) -> None:
    values = np.array([group.k[k].dimension for group in report.groups])
    _box(ax, x, values)
    shifts = rng.uniform(-0.13, 0.13, len(values)) if len(values) > 2 else np.zeros(len(values))
    ax.plot(x + shifts, values, "o", ms=3.2, color=NAVY, alpha=0.75, mew=0, zorder=4)
    for i, side in ((int(values.argmin()), "top"), (int(values.argmax()), "bottom")):
        ax.annotate(
            shortened(report.groups[i].label, 24),
            (x, values[i]),
            xytext=(0, -4 if side == "top" else 4),
            textcoords="offset points",
            ha="center",
            va=side,
            fontsize=7.5,
            color=GREY,
            parse_math=False,  # a dollar sign in a name is one
        )
    test = report.claims.labels_matter.k.get(k)
    if test is not None:
        low, middle, high = test.null
        centre = float(values.mean())
        ax.plot(
            [x + 0.36] * 2,
            [centre + low - middle, centre + high - middle],
            color=ORANGE,
            lw=5,
            solid_capstyle="butt",
            zorder=3,
        )


def _box(ax: Axes, x: int, values: NDArray[np.float64]) -> None:
    """A box of the quartiles with whiskers to the ends.

    Not by ``Axes.boxplot``, which reads all of matplotlib's settings, and by that chooses the
    backend of the program that calls us.
    """
    least, low, middle, high, most = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
    ax.add_patch(
        Rectangle((x - 0.21, low), 0.42, high - low, fc=BLUE + "55", ec=BLUE, lw=1.1, zorder=2)
    )
    ax.vlines([x, x], [least, high], [low, most], colors=BLUE, lw=1.1, zorder=2)
    ax.hlines([least, most], x - 0.105, x + 0.105, colors=BLUE, lw=1.1, zorder=2)
    ax.hlines(middle, x - 0.21, x + 0.21, colors=NAVY, lw=1.6, zorder=3)


def _legend(groups: bool) -> list[Line2D | Patch]:
    whole = Line2D([], [], marker="D", ms=6.5, color=RED, mec="white", ls="none")
    whole.set_label("the whole set")
    if not groups:
        return [whole]
    dot = Line2D(
        [], [], marker="o", ms=4, color=NAVY, alpha=0.75, mew=0, ls="none", label="one group"
    )
    box = Patch(facecolor=BLUE + "55", edgecolor=BLUE, label="groups: quartiles and range")
    null = Line2D([], [], color=ORANGE, lw=5, label="95% of shuffled groups")
    return [box, dot, null, whole]
