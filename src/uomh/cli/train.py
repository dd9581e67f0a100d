"""`uomh train`: settings to a trained, measured run in a folder."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from uomh.cli.console import (
    Display,
    given,
    metrics_table,
    out,
    parts_table,
    say,
    say_device,
    sentences,
)
from uomh.cli.options import (
    HOW,
    Backend,
    DataRoot,
    Dataset,
    Device,
    Jobs,
    Quiet,
    RayAddress,
    Resize,
    RunDir,
    Seed,
    SkipBroken,
    Threads,
    run_settings,
)
from uomh.errors import UomhError

if TYPE_CHECKING:
    from uomh.config import RunConfig
    from uomh.data.core import Data
    from uomh.parallel.core import Parallel


COMMAND = "uomh.command"
"""the key under which typer's context keeps the command line that was typed"""


class TrainCommand(TyperCommand):
    """`train`, which shows every setting in its help and keeps the command line that was typed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, and keep them as they were typed."""
        ctx.meta[COMMAND] = shlex.join(["uomh", "train", *args])
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the options, then the settings of a run without models, which import torch."""
        super().format_help(ctx, formatter)
        out.print(formatter.getvalue().rstrip())
        formatter.buffer.clear()
        from uomh.cli.listing import settings_table
        from uomh.config import RunConfig
        from uomh.settings import describe

        out.print("\nSettings, as key=value (those of models: uomh list models --settings)")
        out.print(settings_table(describe(RunConfig, {})))


@sentences
def train(
    context: typer.Context,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="settings")
    ] = None,
    dataset: Dataset = None,
    model: Annotated[str | None, typer.Option(help="see `uomh list models`")] = None,
    density: Annotated[
        str | None, typer.Option(help="second step: a model of the codes of --model", metavar="M2")
    ] = None,
    disconnected: Annotated[
        str | None, typer.Option(help="one model for each group: " + HOW, metavar="HOW")
    ] = None,
    conditional: Annotated[
        str | None, typer.Option(help="condition the model on groups: as above", metavar="HOW")
    ] = None,
    backend: Backend = "serial",
    jobs: Jobs = None,
    ray_address: RayAddress = None,
    run_dir: RunDir = None,
    config: Annotated[Path | None, typer.Option(help="settings from a file, JSON or YAML")] = None,
    data_root: DataRoot = None,
    resize: Resize = None,
    skip_broken: SkipBroken = None,
    seed: Seed = None,
    device: Device = None,
    threads: Threads = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print settings and cost; train and write nothing")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train a model, or go on with a run; then measure it and draw samples."""
    values = run_settings(dataset, data_root, resize, skip_broken, seed, device, threads)
    values["model"] = given(name=model, conditional=True if conditional else None)
    if conditional and disconnected:
        raise UomhError("choose --disconnected or --conditional: a part has no labels left")
    if how := conditional or disconnected:
        from uomh.clusters import settings_of

        values["clusters"] = settings_of(how)
    from uomh.parallel.core import Parallel

    parallel = Parallel(backend, jobs, ray_address)
    how_composed: dict[str, Any] = {"density": density, "disconnected": disconnected is not None}
    if dry_run:
        from uomh.cli.dryrun import show

        given_settings = {"values": values, "file": config, "overrides": overrides or []}
        settings = {**given_settings, **how_composed}
        show(*begin(settings, run_dir, quiet), run_dir, parallel, settings)
        return
    folder = run(values, overrides or [], config, run_dir, quiet, parallel, **how_composed)
    keep_command(folder, context.meta[COMMAND])


def run(
    values: dict[str, Any],
    overrides: list[str],
    file: Path | None,
    run_dir: Path | None,
    quiet: bool,
    parallel: Parallel | None = None,
    *,
    density: str | None = None,
    disconnected: bool = False,
) -> Path:
    """Train by nested values and overrides, measure, say where everything is.

    Returns:
        The run's folder.
    """
    from uomh.cost import Costs
    from uomh.training.complete import complete

    settings = {
        "values": values,
        "file": file,
        "overrides": overrides,
        "density": density,
        "disconnected": disconnected,
    }
    config, data = begin(settings, run_dir, quiet)
    if run_dir is None:
        name = "_".join(model_name.rpartition(":")[2] for model_name in names_of(config))
        run_dir = new_folder(usual_folder(data, name))
    with Display(quiet) as display:
        done = complete(config, run_dir, data, display, parallel)
    shown, grouped = done.values, done.data
    if config.clusters is not None:
        from uomh.clusters import compare

        say(f"{config.clusters.name}: {compare(grouped, data).sentence()}", quiet)
    if not quiet:
        title = f"{' + '.join(names_of(config))} on the test split of {data.name}"
        out.print(metrics_table(shown.values(), title))
        if (table := parts_table(shown.values())) is not None:
            out.print(table)
        places = {
            "samples": run_dir / "samples.png",
            "reconstructions": run_dir / "reconstructions.png",
            "metrics": run_dir / "metrics.json",
            "log": run_dir / "metrics.jsonl",
        }
        for name, path in places.items():
            if path.is_file():
                say(f"{name + ':':17}{path}")
        say(f"{'TensorBoard:':17}tensorboard --logdir {run_dir}")
        if (total := Costs.read(run_dir).total).epochs:
            say(total.sentence())
    return run_dir


def keep_command(folder: Path, command: str) -> None:
    """Add the line that made a run, or went on with it, to its ``command.txt``."""
    from uomh.files import replacing

    file = folder / "command.txt"
    before = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    if command not in before:
        with replacing(file) as temporary:
            temporary.write_text("\n".join([*before, command]) + "\n", encoding="utf-8")


def begin(settings: dict[str, Any], run_dir: Path | None, quiet: bool) -> tuple[RunConfig, Data]:
    """The settings of a run and its data; says what a person should know of both before training.

    Args:
        settings: the arguments of `uomh.resolve`.
        run_dir: folder of the run.
        quiet: say nothing.
    """
    from uomh.training.folder import read_config_file
    from uomh.training.resolve import resolve

    # A run goes on with the number of threads it began with: another one would change last bits.
    there = read_config_file(run_dir) if run_dir is not None else None
    if there is not None:
        settings["values"].setdefault("threads", there.asked.threads)
    config, data = resolve(**settings)
    say_device(config.device, quiet)
    spec = data.spec
    what = "x".join(map(str, spec.shape)) + (f", {spec.levels} grey levels" if spec.levels else "")
    say(f"{data.name}: {len(data.train)} training points of {what}", quiet)
    for note in data.notes:
        say(f"{data.name}: {note}", quiet)
    for sentence in not_measured(config, data):
        say(sentence, quiet)
    return config, data


def usual_folder(data: Data, model: str) -> Path:
    """Where a run goes that is given no folder: ``runs/DATASET_MODEL_TIME``."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{Path(data.name).name}_{model}_{stamp}"


def new_folder(path: Path) -> Path:
    """Make a folder that no other run has: this one, or the first free of PATH-2, PATH-3, ..."""
    folder, number = path, 1
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
            folder = path.with_name(f"{path.name}-{number}")


def not_measured(config: RunConfig, data: Data) -> list[str]:
    """What is left out where the data lack a validation or a test split, a sentence each."""
    sentences = []
    chooses = [m for m in config.train.metrics if m.name == config.train.selection_metric]
    of_samples = any(hasattr(metric, "reference") for metric in chooses)
    if not len(data.valid) and not of_samples:
        what = "no early stopping, and the last weights are kept as the best"
        hint = "data.valid_fraction holds points out"
        sentences.append(f"{data.name} has no validation split: {what}; {hint}")
    if not len(data.test) and config.evaluate.metrics:
        names = ", ".join(metric.name for metric in config.evaluate.metrics)
        hint = "data.test_fraction holds points out"
        sentences.append(f"{data.name} has no test split: not measured: {names}; {hint}")
    return sentences


def names_of(config: RunConfig) -> list[str]:
    """The models of a run: one, or those of its steps."""
    from uomh.models.trainable import LeafConfig
    from uomh.settings import all_settings

    model = config.model
    template = getattr(model, "part", model)
    return [part.name for part in all_settings(template) if isinstance(part, LeafConfig)]
