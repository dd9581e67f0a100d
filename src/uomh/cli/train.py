"""`uomh train`: settings to a trained, measured run in a folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from uomh.cli.console import TrainingDisplay, given, metrics_table, out, say, sentences

Dataset = Annotated[
    str | None, typer.Option(help="a name, a folder, a file .npz, or hub:ORG/NAME; see `uomh list`")
]
DataRoot = Annotated[str | None, typer.Option(help="folder where data sets are looked for first")]
Resize = Annotated[int | None, typer.Option(help="bring images to this height and width")]
Seed = Annotated[int | None, typer.Option(help="all randomness follows from it")]
Device = Annotated[str | None, typer.Option(help="torch device")]
Threads = Annotated[int | None, typer.Option(help="processor threads")]
Quiet = Annotated[bool, typer.Option("--quiet", help="print errors alone")]


class TrainCommand(TyperCommand):
    """`train` with every setting in its help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the options, then the settings of a run of the named model."""
        super().format_help(ctx, formatter)
        out.print(formatter.getvalue().rstrip())
        formatter.buffer.clear()
        from uomh.cli.listing import settings_table
        from uomh.config import RunConfig
        from uomh.settings import describe

        out.print(
            "\nSettings, as key=value (of the model vae; others: uomh list models --settings)"
        )
        out.print(settings_table(describe(RunConfig, {"model": "vae"})))


@sentences
def train(
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="settings")
    ] = None,
    dataset: Dataset = None,
    model: Annotated[str | None, typer.Option(help="see `uomh list models`")] = None,
    conditional: Annotated[
        str | None, typer.Option(help="condition the model on: class", metavar="HOW")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="folder of the run (default: runs/DATASET_MODEL_TIME)")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="settings from a file, JSON or YAML")] = None,
    data_root: DataRoot = None,
    resize: Resize = None,
    seed: Seed = None,
    device: Device = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Train a model, or go on with a run; then measure it and draw samples."""
    from uomh.errors import unknown

    if conditional not in (None, "class"):
        raise unknown("way to condition", str(conditional), ["class"])
    values: dict[str, Any] = given(seed=seed, device=device, threads=threads)
    values["data"] = given(dataset=dataset, data_root=data_root, resize=resize)
    values["model"] = given(name=model, conditional=True if conditional else None)
    run(values, overrides or [], config, run_dir, quiet)


def run(
    values: dict[str, Any],
    overrides: list[str],
    file: Path | None,
    run_dir: Path | None,
    quiet: bool,
) -> None:
    """Train by nested values and overrides, measure, and say where everything is."""
    from uomh.config import resolve
    from uomh.training.run import build, fit, measure, measured, read_record

    # The number of threads belongs to the run: going on elsewhere keeps it.
    there = read_record(run_dir) if run_dir is not None else None
    if there is not None:
        values.setdefault("threads", there["config"]["threads"])
    config, data = resolve(values=values, file=file, overrides=overrides)
    if run_dir is None:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        model_name = config.model.name.rpartition(":")[2]
        run_dir = Path("runs") / f"{Path(data.name).name}_{model_name}_{stamp}"
    spec = data.spec
    what = "x".join(map(str, spec.shape)) + (f", {spec.levels} grey levels" if spec.levels else "")
    say(f"{data.name}: {len(data.train)} training points of {what}", quiet)
    model = build(config, data)
    with TrainingDisplay(quiet) as display:
        fit(model, data, config, run_dir, display)
    shown = measured(run_dir, config.evaluate.metrics)
    if shown is None:
        shown = measure(model, data, config, run_dir=run_dir)
    if not quiet:
        out.print(metrics_table(shown, f"{config.model.name} on the test split of {data.name}"))
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
