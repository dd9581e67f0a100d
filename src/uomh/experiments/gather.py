"""From the states of runs to what an experiment found, with its files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from uomh.errors import UomhError
from uomh.experiments.classes import ClassResult, class_results, in_sentences, read_values
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

CORRELATION = "dimension_correlation"
"""which a run has measured whose classes have accuracy and dimension"""


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
    classes = classes_of(out / experiment.name, grid.datasets, arms, found)
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
        classes=classes,
        runs=found,
        notes=(*experiment.notes, *about_classes(classes, arms), *shared(runs)),
    )


def classes_of(
    folder: Path, datasets: Iterable[str], arms: Sequence[ArmResult], runs: Iterable[RunResult]
) -> tuple[ClassResult, ...]:
    """The classes of classifiers, as the folders of their runs tell; of other models none.

    Args:
        folder: of the experiment, to which the folders of runs are relative.
        datasets: names, in the order of the table.
        arms: in the order of the table.
        runs: of all arms.
    """
    folders: dict[tuple[str, str], list[Path]] = {}
    for run in runs:
        if run.folder is not None and CORRELATION in run.values:
            folders.setdefault((run.dataset, run.arm), []).append(_place(folder, run.folder))
    places = [(dataset, arm.name) for dataset in datasets for arm in arms]
    return tuple(
        found
        for dataset, arm in places
        for found in class_results(dataset, arm, read_values(folders.get((dataset, arm), [])))
    )


def about_classes(classes: Iterable[ClassResult], arms: Sequence[ArmResult]) -> list[str]:
    """A sentence for each correlation of accuracy with dimension over classes."""
    by_place: dict[tuple[str, str], list[ClassResult]] = {}
    for found in classes:
        by_place.setdefault((found.dataset, found.arm), []).append(found)
    against = {arm.name: arm.against for arm in arms}
    return [
        sentence
        for (dataset, arm), rows in by_place.items()
        for sentence in in_sentences(
            f"{dataset}: {arm}", rows, by_place.get((dataset, against[arm]), [])
        )
    ]


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
        first, second = (str(_place(folder, path)) for path in (one.folder, other.folder))
        comparison = compared(first, second)
        found = comparison and comparison.difference(first, metric)
        return (found.low, found.high) if found else None

    return pairs


def _place(folder: Path, run: str) -> Path:
    """A run's folder, without "..", which leads nowhere from a folder that is not there yet."""
    return Path(os.path.normpath(folder / run))


def save(result: ExperimentResult, out: Path) -> Path:
    """Write what was found to the experiment's folder, which is returned."""
    folder = out / result.name
    with only_writer(folder):
        save_markdown(result, folder)
        figures = save_figure(result, folder)
        result.model_copy(update={"figures": figures}).save(folder)
    return folder
