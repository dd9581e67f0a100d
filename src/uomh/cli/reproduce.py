"""`uomh reproduce`: the paper's experiments, and grids of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uomh.cli.console import Display, out, rows_table, say, sentences
from uomh.cli.options import DataRoot, Quiet
from uomh.errors import UomhError

if TYPE_CHECKING:
    from uomh.experiments.core import Experiment
    from uomh.experiments.plan import Grid
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
        typer.Option(help="names of arms, or words of them, with commas between (default: all)"),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="runs of each arm (default: the experiment's)")
    ] = None,
    scale: Annotated[float, typer.Option(help="share of images and of epochs")] = 1.0,
    backend: Annotated[
        str, typer.Option(help="where runs are made: serial, processes or ray")
    ] = "serial",
    jobs: Annotated[int | None, typer.Option(help="runs at a time")] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="of a Ray cluster, HOST:PORT or auto")
    ] = None,
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
    with Display(quiet) as display:
        carry_out(place, runs, asked.experiment.work, parallel, display)
    result = gather(place, asked, runs)
    where = save(result, place)
    if not quiet:
        show(result)
    say(f"{where}/experiment.json, .csv, .md", quiet)
    failed = [run for run in result.runs if run.state == "failed"]
    for run in failed:
        say(f"failed: {run.dataset}: {run.arm}, seed {run.seed}: {run.error}", quiet)
    if failed and len(failed) == len(result.runs):
        raise UomhError(f"no run could be made: {failed[0].error}")


def show(result: ExperimentResult) -> None:
    """Print the tables of an experiment, a few metrics side by side."""
    from uomh.experiments.tables import differences_table, heading, reasons, values_table

    for dataset in result.datasets:
        out.print(heading(result, dataset))
        for start in range(0, len(result.metrics), COLUMNS):
            columns, rows = values_table(result, dataset, result.metrics[start : start + COLUMNS])
            out.print(rows_table(columns, rows))
            out.print()
        columns, rows = differences_table(result, dataset)
        if rows:
            out.print(rows_table(columns, rows))
        for line in reasons(result, dataset):
            say(line)
    for note in result.notes:
        say(note)


def _names(text: str | None) -> list[str] | None:
    """Names with commas between."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]
