"""Figures of runs: how values went epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from uomh.errors import UomhError
from uomh.report.records import RunRecord
from uomh.report.style import CYCLE, axes_of, plain
from uomh.text import shortened


def training_curves(
    runs: Sequence[RunRecord],
    name: str = "loss",
    split: str = "valid",
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """A value of every epoch, a line for each leaf of each run.

    Args:
        runs: as `RunRecord.read` gives them.
        name: of a loss or a validation metric.
        split: ``train`` or ``valid``.
        log: a logarithmic axis.
        ax: to draw in; None makes a new figure.

    Raises:
        UomhError: no run has such a value.
    """
    lines = [
        (run.folder.name, path, rows)
        for run in runs
        for (path, of_split, of_name), rows in run.curves().items()
        if (of_split, of_name) == (split, name)
    ]
    if not lines:
        known = sorted({f"{row.split} {row.name}" for run in runs for row in run.rows})
        raise UomhError(
            f"no run has {split} {name} by epoch; there are: {', '.join(known) or 'none'}"
        )
    ax = axes_of(ax)
    several = len({folder for folder, _, _ in lines}) > 1
    for i, (folder, path, rows) in enumerate(lines):
        label = f"{folder}: {path}" if several else path
        style = "-" if i < len(CYCLE) else "--"
        ax.plot(
            [row.epoch for row in rows],
            [row.value for row in rows],
            color=CYCLE[i % len(CYCLE)],
            ls=style,
            lw=1.2,
            label=shortened(label, 32),
        )
    if log:
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel(f"{split} {name}".replace("_", " "))
    if 1 < len(lines) <= 2 * len(CYCLE):
        legend = ax.legend(frameon=False, fontsize=7)
        for text in legend.get_texts():
            text.set_parse_math(False)
    plain(ax)
    return ax
