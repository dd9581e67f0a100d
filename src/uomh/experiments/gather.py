"""From the states of runs to what an experiment found, with its files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from uomh.errors import UomhError
from uomh.experiments.figures import save_figure
from uomh.experiments.plan import RUNS, Grid, Planned, shared
from uomh.experiments.result import (
    ArmResult,
    Ends,
    ExperimentResult,
    Pairs,
    RunResult,
    cells_of,
    run_result,
)
from uomh.experiments.running import state_of
from uomh.experiments.tables import save_markdown
from uomh.files import only_writer
from uomh.metrics.comparison import Comparison, compare


def gather(out: Path, grid: Grid, runs: Sequence[Planned]) -> ExperimentResult:
    """What the folder of the experiments tells of a grid, as far as it is done."""
    small = grid.scale < 1
    arms = tuple(
        ArmResult(
            name=arm.name,
            settings=(*arm.settings, *(arm.small if small else ())),
            against=arm.against,
        )
        for arm in grid.arms
    )
    found = tuple(
        run_result(
            run.arm,
            run.dataset,
            run.seed,
            f"../{RUNS}/{run.key}" if run.key else None,
            run.prepared.command if run.prepared else "",
            state_of(out, run),
        )
        for run in runs
    )
    experiment = grid.experiment
    return ExperimentResult(
        name=experiment.name,
        summary=experiment.summary,
        scale=grid.scale,
        settings=(*experiment.base, *(experiment.small if small else ()), *grid.settings),
        datasets=grid.datasets,
        seeds=grid.seeds,
        metrics=experiment.metrics,
        arms=arms,
        cells=cells_of(
            grid.datasets,
            arms,
            experiment.metrics,
            found,
            experiment.reference,
            pairs_in(out / experiment.name),
        ),
        runs=found,
        notes=(*experiment.notes, *shared(runs)),
    )


def pairs_in(folder: Path) -> Pairs:
    """How two runs differ on the points that both were measured on, as their folders tell.

    Args:
        folder: of the experiment, to which the folders of runs are relative.
    """

    @cache
    def compared(one: str, other: str) -> Comparison | None:
        try:
            return compare([one, other], to=other)
        except UomhError:  # such as an estimate of dimension, which is no run of a model
            return None

    def pairs(one: RunResult, other: RunResult, metric: str) -> Ends | None:
        if one.folder is None or other.folder is None or one.folder == other.folder:
            return None
        # Without "..", which leads nowhere from a folder that is not there yet.
        first, second = (os.path.normpath(folder / path) for path in (one.folder, other.folder))
        comparison = compared(first, second)
        found = comparison and comparison.difference(first, metric)
        return (found.low, found.high) if found else None

    return pairs


def save(result: ExperimentResult, out: Path) -> Path:
    """Write what was found to the experiment's folder, which is returned."""
    folder = out / result.name
    with only_writer(folder):
        save_markdown(result, folder)
        figures = save_figure(result, folder)
        result.model_copy(update={"figures": figures}).save(folder)
    return folder
