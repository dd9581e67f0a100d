"""The figure of an experiment: every metric a panel, every arm a point with its interval."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from uomh.experiments.result import Cell, ExperimentResult
from uomh.files import replacing

COLUMNS = 4
FORMATS = ("png", "pdf", "svg")
LEFT_OUT = ("parameters", "training_seconds", "training_tflop")
"""metrics that the table tells, and no panel shows"""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""of data sets, told apart by everyone (Okabe & Ito)"""


def save_figure(result: ExperimentResult, folder: Path) -> tuple[str, ...]:
    """Draw an experiment as ``experiment.{png,pdf,svg}``; the names of the files.

    Where nothing is measured there is no figure.
    """
    known = {cell.metric for cell in result.cells if cell.value is not None}
    metrics = [name for name in result.metrics if name in known and name not in LEFT_OUT]
    if not metrics:
        return ()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    arms = [arm.name for arm in result.arms]
    columns = min(COLUMNS, len(metrics))
    rows = math.ceil(len(metrics) / columns)
    height = max(1.6, 0.24 * len(arms) * max(1, len(result.datasets)) ** 0.5 + 0.8)
    figure = Figure(figsize=(2.2 + 2.6 * columns, rows * height + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for panel, metric in zip(axes, metrics, strict=False):
        _panel(panel, result, metric, arms)
    for panel in axes[len(metrics) :]:
        panel.set_visible(False)
    if len(result.datasets) > 1:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(result.datasets))
    scaled = f" (scaled to {result.scale:.3g} of images and epochs)" if result.is_scaled else ""
    figure.suptitle(f"{result.name}{scaled}", fontsize=10)
    names = tuple(f"experiment.{kind}" for kind in FORMATS)
    for name, kind in zip(names, FORMATS, strict=True):
        with replacing(folder / name) as temporary:
            figure.savefig(temporary, format=kind, dpi=120)
    return names


def _panel(panel: Any, result: ExperimentResult, metric: str, arms: list[str]) -> None:
    """The values of a metric, an arm a line, a data set a colour; published ones as crosses."""
    cells = [cell for cell in result.cells if cell.metric == metric]
    many = len(result.datasets)
    for i, dataset in enumerate(result.datasets):
        here = {cell.arm: cell for cell in cells if cell.dataset == dataset}
        shift = 0.0 if many == 1 else 0.5 * (i / (many - 1) - 0.5)
        found = [(j + shift, here[arm]) for j, arm in enumerate(arms) if arm in here]
        _points(panel, found, COLOURS[i % len(COLOURS)], dataset)
    panel.set_title(metric.replace("_", " "), fontsize=8)
    panel.set_yticks(range(len(arms)), arms, fontsize=7)
    panel.set_ylim(len(arms) - 0.5, -0.5)
    panel.tick_params(axis="x", labelsize=7)
    panel.grid(axis="x", alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def _points(panel: Any, found: list[tuple[float, Cell]], colour: str, label: str) -> None:
    valued = [(height, cell) for height, cell in found if cell.value is not None]
    heights = [height for height, _ in valued]
    values = [cell.value or 0.0 for _, cell in valued]
    panel.plot(values, heights, "o", color=colour, markersize=3.5, label=label)
    for height, cell in valued:
        if cell.low is not None and cell.high is not None:
            panel.plot([cell.low, cell.high], [height, height], "-", color=colour, linewidth=1)
    published = [(cell.published, height) for height, cell in found if cell.published is not None]
    if published:
        panel.plot(*zip(*published, strict=True), "x", color=colour, markersize=5, label=None)
