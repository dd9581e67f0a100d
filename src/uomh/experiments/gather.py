"""From the states of runs to what an experiment found, with its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uomh.experiments.figures import save_figure
from uomh.experiments.plan import RUNS, Grid, Planned, shared
from uomh.experiments.result import ArmResult, ExperimentResult, cells_of, run_result
from uomh.experiments.running import state_of
from uomh.experiments.tables import save_markdown
from uomh.files import only_writer


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
        cells=cells_of(grid.datasets, arms, experiment.metrics, found, experiment.reference),
        runs=found,
        notes=(*experiment.notes, *shared(runs)),
    )


def save(result: ExperimentResult, out: Path) -> Path:
    """Write what was found to the experiment's folder, which is returned."""
    folder = out / result.name
    with only_writer(folder):
        save_markdown(result, folder)
        figures = save_figure(result, folder)
        result.model_copy(update={"figures": figures}).save(folder)
    return folder
