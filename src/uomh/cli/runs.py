"""`uomh evaluate` and `uomh sample`: measures and samples of the model in a run's folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uomh.cli.console import (
    given,
    metrics_table,
    out,
    parts_table,
    say,
    say_device,
    sentences,
)
from uomh.cli.options import DataRoot, Device, Quiet, Seed, Threads
from uomh.devices import checked_device
from uomh.errors import UomhError, unknown
from uomh.text import counted

if TYPE_CHECKING:
    from uomh.metrics import Value


@sentences
def evaluate(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="folders of runs")],
    metrics: Annotated[
        str | None,
        typer.Option(
            help="names, or settings as {name:fid,samples:1000}, with commas between; or all"
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="samples to draw (default: as many as trained on)")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="in which samples are compared; see `uomh list extractors`"),
    ] = None,
    feature_weights: Annotated[
        Path | None, typer.Option(help="file of the weights of --features")
    ] = None,
    ood: Annotated[
        str | None,
        typer.Option(
            metavar="D",
            help="data set to be told apart from the run's; without --metrics, by every score",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="write every number, with its interval, to this file"),
    ] = None,
    groups: Annotated[
        bool, typer.Option("--groups", help="compare several runs by class or cluster, too")
    ] = False,
    data_root: DataRoot = None,
    device: Device = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Measure runs on their test split; adds to each RUN/metrics.json.

    Several runs are compared in one table.
    """
    from uomh.config import EvaluateConfig, RunConfig
    from uomh.data import load_data
    from uomh.features import extractor_settings
    from uomh.metrics.comparison import compare
    from uomh.metrics.core import built
    from uomh.report.evaluated import draw_measured
    from uomh.settings import merged
    from uomh.training.load import load_run
    from uomh.training.lock import writing
    from uomh.training.measure import complete_measures
    from uomh.training.resolve import grouped

    checked_device(device)
    how = given(samples=samples, ood=ood)
    if metrics is not None:
        how["metrics"] = named_metrics(metrics)
    elif ood is not None:
        how["metrics"] = metrics_of_other_data()
    if features is not None or feature_weights is not None:
        weights = None if feature_weights is None else str(feature_weights)
        how["features"] = extractor_settings(features or "classifier", weights).model_dump()
    chosen = EvaluateConfig.of(how)  # an unknown metric or extractor is refused before any work
    if csv is not None and not csv.parent.is_dir():
        raise UomhError(f"there is no folder {str(csv.parent)!r} to write {csv.name!r} to")
    several = len(runs) > 1
    if len({path.resolve() for path in runs}) < len(runs):
        raise UomhError("a run is named twice; name each folder once")

    def evaluate_run(path: Path) -> None:
        run = load_run(path)
        changes = {"device": device, "threads": threads}
        config = RunConfig.of(
            merged(run.config.model_dump(mode="json"), given(**changes), {"evaluate": how})
        )
        say_device(config.device, quiet)
        where = config.data
        if data_root is not None:
            where = where.model_copy(update={"data_root": data_root})
            config = config.model_copy(update={"data": where})
        data = load_data(where)
        if data.fingerprint != run.fingerprint:
            raise UomhError(
                f"{str(path)!r} was trained on other data than {where.dataset!r} holds now; "
                "give the --data-root where its data are"
            )
        data = grouped(run.config, data, path)
        values = complete_measures(run.model, data, config, path, paired=several)
        for picture in draw_measured(path):
            say(f"picture: {picture}", quiet)
        if not quiet and not several:
            show_values(values.values(), f"{path}: test split of {data.name}")

    for path in runs:
        if not (path / "config.json").exists():
            load_run(path)  # raises; the lock below would make the folder
    for path in runs:
        if several:
            say(f"measuring {path}", quiet)
        with writing(path):  # nobody may train on between reading weights and writing numbers
            evaluate_run(path)
    if not several and csv is None:
        return
    names = [built(metric).name for metric in chosen.metrics] if "metrics" in how else None
    comparison = compare(runs, names)
    if several and not quiet:
        from uomh.cli.comparison import comparison_tables

        for table in comparison_tables(comparison, out, groups):
            out.print(table)
    if csv is not None:
        comparison.save_csv(csv)
        say(f"{counted(len(comparison.rows), 'number')}: {csv}", quiet)


def show_values(values: Iterable[Value], title: str) -> None:
    """Print what was measured of a run, or why nothing was."""
    values = list(values)
    reasons = {value.reason for value in values}
    if values and all(value.value is None for value in values) and len(reasons) == 1:
        say(f"{title}: nothing is measured, for {reasons.pop()}")
        return
    out.print(metrics_table(values, title))
    if (table := parts_table(values)) is not None:
        out.print(table)


@sentences
def sample(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a run")],
    target: Annotated[Path, typer.Option("--out", help="a file .png (a grid) or .npz")],
    n: Annotated[int, typer.Option("-n", min=1, help="how many")] = 64,
    label: Annotated[
        str | None, typer.Option(help="class, by name or number, of a conditional model")
    ] = None,
    seed: Seed = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Draw samples from a run's model into a picture or a file of arrays."""
    import numpy as np
    import torch

    from uomh.data.images import image_grid, save_png
    from uomh.models.core import Generative
    from uomh.seeds import seeded
    from uomh.training.budget import for_sampling
    from uomh.training.load import load_run
    from uomh.training.samples import draw

    if target.suffix not in (".png", ".npz"):
        raise UomhError(f"--out {target} should end in .png or .npz")
    if not target.parent.is_dir():
        raise UomhError(f"there is no folder {str(target.parent)!r} to write {target.name!r} to")
    checked_device(device)
    loaded = load_run(run)
    levels = loaded.spec.levels
    asked = device or loaded.config.device
    if not isinstance(loaded.model, Generative):
        raise UomhError(f"{str(run)!r} holds a classifier, which draws nothing; sample another run")
    model = loaded.model.to(checked_device(asked))
    if target.suffix == ".png" and levels is None:
        raise UomhError("the model makes vectors, not images; give --out FILE.npz")
    number = None
    if label is not None:
        number = class_number(label, loaded.classes)
        if not getattr(model, "num_classes", 0):
            raise UomhError(f"{str(run)!r} is not conditional, so --label has no meaning for it")
    picture = target.suffix == ".png"
    say_device(asked, quiet)
    with for_sampling(model, n, number, picture):
        y = None if number is None else torch.full((n,), number, device=model.device)
        with seeded(loaded.config.seed if seed is None else seed, "sample"):
            points = draw(model, n, y, levels=levels)
        if picture:
            assert levels is not None
            save_png(image_grid(points, levels), target)
        elif y is None:
            np.savez_compressed(target, x=points.numpy())
        else:
            np.savez_compressed(target, x=points.numpy(), y=y.cpu().numpy())
    say(f"{counted(n, 'sample')}: {target}", quiet)


def named_metrics(text: str) -> list[object]:
    """Names or settings of metrics with commas between, or all there are.

    Raises:
        UomhError: there is none.
    """
    from uomh import registry
    from uomh.settings import parse_value

    names: list[object] = list(registry.entries("metrics"))
    if text != "all":
        names = parse_value(f"[{text}]")
    if not names:
        raise UomhError("--metrics names none; see `uomh list metrics`, or give all")
    return names


def metrics_of_other_data() -> list[str]:
    """Metrics that tell other data apart from a run's own, one for each score of a point."""
    from uomh import registry

    return [name for name in registry.entries("metrics") if "_ood_acc" in name]


def class_number(label: str, classes: tuple[str, ...]) -> int:
    """The number of a class given by name or number."""
    if label in classes:
        return classes.index(label)
    if label.isdigit() and int(label) < len(classes):
        return int(label)
    raise unknown("class", label, classes)
