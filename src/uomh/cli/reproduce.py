"""`uomh reproduce`: the paper's experiments, and grids of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uomh.cli.console import Display, out, rows_table, say, sentences
from uomh.cli.options import Backend, DataRoot, Jobs, Quiet, RayAddress
from uomh.errors import UomhError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uomh.experiments.core import RunEstimate
    from uomh.experiments.plan import Grid, Planned
    from uomh.experiments.result import ExperimentResult

COLUMNS = 3
"""metrics side by side in one table of a terminal"""


@sentences
def reproduce(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT|FILE",
            help="a name (see `uomh list experiments`), or a grid in a file .yaml or .py",
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="settings over those of every run"),
    ] = None,
    datasets: Annotated[
        str | None, typer.Option(help="names with commas between (default: the experiment's)")
    ] = None,
    arms: Annotated[
        str | None,
        typer.Option(help="arms by name, or by how names begin or end, with commas between"),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="runs of each arm (default: the experiment's)")
    ] = None,
    scale: Annotated[float, typer.Option(help="share of images and of epochs")] = 1.0,
    backend: Backend = "serial",
    jobs: Jobs = None,
    ray_address: RayAddress = None,
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="folder of experiments and their runs")
    ] = Path("experiments"),
    data_root: DataRoot = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print each run and its cost; make none")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="print what is done and what is not; make none")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Make the runs of an experiment that are missing; then compare all of them."""
    from uomh.experiments.gather import gather, save
    from uomh.experiments.grid import experiment_of
    from uomh.experiments.plan import grid, plan, shared
    from uomh.experiments.running import carry_out
    from uomh.parallel.core import Parallel

    parallel = Parallel(backend, jobs, ray_address)
    asked = grid(
        experiment_of(experiment),
        datasets=_names(datasets),
        seeds=seeds,
        arms=_names(arms),
        scale=scale,
        settings=settings or (),
        data_root=data_root,
    )
    runs = plan(asked)
    for sentence in shared(runs):
        say(sentence, quiet)
    place = folder.absolute()
    if dry_run:
        show_plan(place, runs, asked, jobs or 1)
        return
    if status:
        show_status(place, runs, jobs or 1)
        return
    try:
        with Display(quiet) as display:
            carry_out(place, runs, asked.experiment.work, parallel, display)
    except KeyboardInterrupt:
        save(gather(place, asked, runs), place)  # what is done by now
        raise
    result = gather(place, asked, runs)
    where = save(result, place)
    draw_dimensions(place, runs, where)
    draw_classes(result, where)
    if not quiet:
        show(result)
    say(f"{where}/experiment.json, .csv, .md, .png, .pdf, .svg", quiet)
    for run in result.runs:
        if run.state == "running":
            label = f"{run.dataset}: {run.arm}, seed {run.seed}"
            say(f"another process is doing {label}; repeat the command when it has ended", quiet)
    failed = [run for run in result.runs if run.state == "failed"]
    for run in failed:
        say(f"failed: {run.dataset}: {run.arm}, seed {run.seed}: {run.error}", quiet)
    if failed and len(failed) == len(result.runs):
        raise UomhError(f"no run could be made: {failed[0].error}")


def show(result: ExperimentResult) -> None:
    """Print the tables of an experiment, a few metrics side by side."""
    from uomh.experiments.tables import (
        classes_table,
        differences_table,
        heading,
        published_table,
        reasons,
        values_table,
    )

    for dataset in result.datasets:
        out.print(heading(result, dataset))
        for start in range(0, len(result.metrics), COLUMNS):
            columns, rows = values_table(result, dataset, result.metrics[start : start + COLUMNS])
            out.print(rows_table(columns, rows))
            out.print()
        for build in (published_table, differences_table, classes_table):
            columns, rows = build(result, dataset)
            if rows:
                out.print(rows_table(columns, rows))
                out.print()
        for line in reasons(result, dataset):
            say(line)
    for note in result.notes:
        say(note)


def draw_dimensions(folder: Path, runs: Sequence[Planned], where: Path) -> None:
    """The figure of `uomh verify` for the runs that are estimates of dimension."""
    from uomh.experiments.plan import RUNS

    made = dict.fromkeys(folder / RUNS / run.key for run in runs if run.key)
    places = [place for place in made if (place / "dimension.json").is_file()]
    if not places:
        return
    from uomh.dimension.result import DimensionReport
    from uomh.report.figures import save_dimension_figure

    save_dimension_figure([DimensionReport.load(place) for place in places], where)


def draw_classes(result: ExperimentResult, where: Path) -> None:
    """The figure of `uomh classify` for each arm of classifiers that is compared with another."""
    if not result.classes:
        return
    from uomh.experiments.tables import heading
    from uomh.metrics.values import Value
    from uomh.report.scatter import ClassPoint, save_scatter
    from uomh.training.shown import file_name

    points: dict[tuple[str, str], list[ClassPoint]] = {}
    for of in result.classes:
        dimension = Value(of.dimension, of.dimension_low, of.dimension_high)
        point = ClassPoint(of.group, dimension, Value(of.accuracy, of.low, of.high, of.points))
        points.setdefault((of.dataset, of.arm), []).append(point)
    for dataset in result.datasets:
        for arm in result.arms:
            pair = (arm.against, arm.name)
            arms = {name: points[dataset, name] for name in pair if (dataset, name) in points}
            if arm.against and arms:
                name = file_name(f"accuracy_by_dimension {Path(dataset).name} {arm.name}")
                save_scatter(arms, where, heading(result, dataset), name)


def show_plan(folder: Path, runs: Sequence[Planned], asked: Grid, jobs: int) -> None:
    """Print each run's command and cost, estimated once an arm, as its seeds cost the same."""
    from uomh.experiments.running import state_of

    known: dict[str, tuple[float, float]] = {}
    found: dict[tuple[str, str], RunEstimate | None] = {}
    total, unknown_ones, counted = 0.0, 0, set[str]()
    for run in runs:
        if run.prepared is None:
            say(f"{run.label}: {run.error}")
            continue
        place = (run.dataset, run.arm)
        if place not in found:
            found[place] = asked.work.estimate(run.prepared.settings, known)
        cost = found[place]
        done = state_of(folder, run).state == "done"
        numbers = f"{run.prepared.passes:,} images in all passes"
        if cost is not None:
            took = f"training {in_words(cost.training)}, measuring {in_words(cost.measuring)}"
            numbers = f"{cost.parameters:,} parameters, {numbers}, {took}"
        say(f"{run.label}: {numbers}{', done' if done else ''}")
        say(f"  {run.prepared.command}")
        if run.key not in counted and not done:
            counted.add(run.key)
            total += cost.seconds if cost else 0.0
            unknown_ones += cost is None
    more = f", and {unknown_ones} of unknown time" if unknown_ones else ""
    say(
        f"{len(counted)} runs to make{more}: about {in_words(total)} one after the other with one "
        f"thread here, {in_words(total / jobs)} {jobs} at a time where each has a processor"
    )
    say("nothing was trained and nothing written (--dry-run)")


def show_status(folder: Path, runs: Sequence[Planned], jobs: int) -> None:
    """Print a line for each run, then how many there are of each state and the time left."""
    from uomh.experiments.status import status

    found = status(folder, runs, jobs)
    rows = [
        [run.label, state.state, f"{state.seconds:.0f} s" if state.seconds else "", run.key]
        for run, state in zip(runs, found.states, strict=True)
    ]
    out.print(rows_table(("run", "state", "took", "folder"), rows))
    counts = ", ".join(f"{number} {state}" for state, number in sorted(found.counts.items()))
    left = found.seconds_left
    say(f"{counts}; time left: {'not known' if left is None else in_words(left)}")
    for run, state in zip(runs, found.states, strict=True):
        if state.error:
            say(f"failed: {run.label}: {state.error}")


def in_words(seconds: float) -> str:
    """A time in its unit.

    >>> in_words(75), in_words(5400), in_words(4)
    ('1.2 min', '1.5 h', '4 s')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _names(text: str | None) -> list[str] | None:
    """Names with commas between."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]
