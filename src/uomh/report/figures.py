"""Figures, drawn without pyplot, so that nobody's settings or open figures are touched."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from uomh.dimension.result import DimensionReport
from uomh.files import replacing
from uomh.text import shortened

FORMATS = ("png", "pdf", "svg")

_BOX = "#4c78a8"
_POINT = "#27425f"
_NULL = "#e8a33d"
_WHOLE = "#b3243c"
_GREY = "#5a5f66"


def dimension_figure(reports: Sequence[DimensionReport]) -> Figure:
    """Box plots of the groups' dimensions by number of neighbours, one panel a data set.

    Boxes span the quartiles over groups and whiskers all of them; dots are the groups, the extreme
    two named. The diamond is the whole set. Beside each box, around the groups' mean, the bar that
    holds 95% of the groups of shuffled labels: a box no longer than its bar shows nothing.

    Args:
        reports: at least one.
    """
    widths = [max(2.4, 0.95 * len(report.whole.k) + 0.6) for report in reports]
    figure = Figure(figsize=(max(4.6, sum(widths) + 0.7), 4.2), layout="constrained")
    axes = figure.subplots(1, len(reports), squeeze=False, width_ratios=widths)[0]
    for ax, report in zip(axes, reports, strict=True):
        _panel(ax, report)
    axes[0].set_ylabel("intrinsic dimension")
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
    return save_figure(dimension_figure(reports), directory, "dimension")


def save_figure(figure: Figure, directory: str | os.PathLike[str], name: str) -> list[Path]:
    """Write ``NAME.{png,pdf,svg}`` into a folder, each whole or not at all; their paths."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{kind}" for kind in FORMATS]
    for path in paths:
        kind = path.suffix[1:]
        still: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind, {})
        with replacing(path) as temporary, warnings.catch_warnings():
            # A letter that the font lacks is drawn as a box; nothing to warn of.
            warnings.filterwarnings("ignore", "Glyph .* missing")
            figure.savefig(temporary, format=kind, dpi=220, metadata=still)
    return paths


def _panel(ax: Axes, report: DimensionReport) -> None:
    ks = list(report.whole.k)
    rng = np.random.default_rng(0)
    for x, k in enumerate(ks):
        whole = report.whole.k[k].dimension
        if report.groups:
            _groups(ax, x, k, report, rng)
        ax.plot(
            x, whole, marker="D", ms=6.5, color=_WHOLE, mec="white", mew=0.9, ls="none", zorder=6
        )
    ax.set_xlabel("neighbours k", fontsize=9.5, color=_GREY)
    ax.set_title(shortened(report.dataset, 60), fontsize=11.5, pad=8, parse_math=False)
    ax.set_xticks(range(len(ks)), [str(k) for k in ks])
    ax.set_xlim(-0.6, len(ks) - 0.3)
    ax.margins(y=0.09)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.grid(axis="y", color="#e4e6ea", lw=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color("#b9bdc4")
    ax.tick_params(length=0, labelsize=9.5, labelcolor="#2c3036")


def _groups(ax: Axes, x: int, k: int, report: DimensionReport, rng: np.random.Generator) -> None:
    values = np.array([group.k[k].dimension for group in report.groups])
    _box(ax, x, values)
    shifts = rng.uniform(-0.13, 0.13, len(values)) if len(values) > 2 else np.zeros(len(values))
    ax.plot(x + shifts, values, "o", ms=3.2, color=_POINT, alpha=0.75, mew=0, zorder=4)
    for i, side in ((int(values.argmin()), "top"), (int(values.argmax()), "bottom")):
        ax.annotate(
            shortened(report.groups[i].label, 24),
            (x, values[i]),
            xytext=(0, -4 if side == "top" else 4),
            textcoords="offset points",
            ha="center",
            va=side,
            fontsize=7.5,
            color=_GREY,
            parse_math=False,  # a dollar sign in a name is one
        )
    test = report.claims.labels_matter.k.get(k)
    if test is not None:
        low, middle, high = test.null
        centre = float(values.mean())
        ax.plot(
            [x + 0.36] * 2,
            [centre + low - middle, centre + high - middle],
            color=_NULL,
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
        Rectangle((x - 0.21, low), 0.42, high - low, fc=_BOX + "55", ec=_BOX, lw=1.1, zorder=2)
    )
    ax.vlines([x, x], [least, high], [low, most], colors=_BOX, lw=1.1, zorder=2)
    ax.hlines([least, most], x - 0.105, x + 0.105, colors=_BOX, lw=1.1, zorder=2)
    ax.hlines(middle, x - 0.21, x + 0.21, colors=_POINT, lw=1.6, zorder=3)


def _legend(groups: bool) -> list[Line2D | Patch]:
    whole = Line2D([], [], marker="D", ms=6.5, color=_WHOLE, mec="white", ls="none")
    whole.set_label("the whole set")
    if not groups:
        return [whole]
    dot = Line2D(
        [], [], marker="o", ms=4, color=_POINT, alpha=0.75, mew=0, ls="none", label="one group"
    )
    box = Patch(facecolor=_BOX + "55", edgecolor=_BOX, label="groups: quartiles and range")
    null = Line2D([], [], color=_NULL, lw=5, label="95% of shuffled groups")
    return [box, dot, null, whole]
