"""`uomh classify`: a classifier, and its accuracy by class against the dimension of the class.

With `--seeds`, the loss weighted by dimension is compared with the plain one.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uomh.cli.console import Display, given, metrics_table, out, rows_table, say, sentences
from uomh.cli.options import (
    DataRoot,
    Dataset,
    Device,
    Quiet,
    Resize,
    RunDir,
    Seed,
    SkipBroken,
    Threads,
    run_settings,
)
from uomh.cli.train import begin, new_folder, usual_folder
from uomh.errors import UomhError, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uomh.config import RunConfig
    from uomh.data.core import Data
    from uomh.experiments.weighting import WeightingResult
    from uomh.metrics.values import Value

NETWORKS = ("resnet18", "resnet34", "vgg19", "small")
PUBLISHED_NETWORKS = {"res18": "resnet18", "res34": "resnet34", "vgg": "vgg19"}
PUBLISHED = ("lr", "run_name", "model", "resume", "do_weight")
"""options of the paper's classifier"""
SMALL_SEEDS = 3
"""over which the small network is compared by default; larger ones are by ``--seeds`` alone"""


@sentences
def classify(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="settings, as of `uomh train`"),
    ] = None,
    dataset: Dataset = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="resnet18, resnet34, vgg19 or small (default: resnet18 for images of 32x32 and "
            "more, else small)"
        ),
    ] = None,
    weight_by_dimension: Annotated[
        bool, typer.Option("--weight-by-dimension", help="weight the loss by 100 ID_c / sum(ID)")
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="train weighted and plain over so many seeds and compare them; 0: this run alone "
            "(default: 3 with the small network, else 0)",
        ),
    ] = None,
    published: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            metavar="NAME=VALUE",
            help=f"an option of the paper's classifier: {', '.join(PUBLISHED)}",
        ),
    ] = None,
    run_dir: RunDir = None,
    data_root: DataRoot = None,
    resize: Resize = None,
    skip_broken: SkipBroken = None,
    seed: Seed = None,
    device: Device = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Train a classifier, or go on with one; accuracy by class against intrinsic dimension."""
    from uomh.settings import merged

    if model is not None and model not in NETWORKS:
        raise unknown("network", model, NETWORKS)
    values = run_settings(dataset, data_root, resize, skip_broken, seed, device, threads)
    values["model"] = {"name": "classifier", **given(network=model)}
    if weight_by_dimension:
        values["model"]["weight_by_dimension"] = True
    theirs, folder = from_published(published or [])
    twice = [
        name for name, there in (("model", "network"), ("do_weight", "weight_by_dimension"))
        if there in values["model"] and there in theirs.get("model", {})
    ]  # fmt: skip
    if twice or (folder is not None and run_dir is not None):
        name = twice[0] if twice else "run_name"
        raise UomhError(f"--config {name} says again what an option of its own says; give one")
    values, run_dir = merged(theirs, values), run_dir or folder
    config, data = begin({"values": values, "overrides": overrides or []}, run_dir, quiet)
    network = getattr(config.model, "network", None)
    if network is None:
        raise UomhError("model.name: uomh classify trains the classifier; leave it out")
    if network == "small" and "threads" not in config.model_fields_set:
        # More do not make so small a network faster, and beside other work much slower.
        config = config.model_copy(update={"threads": 1})
    if run_dir is None:
        run_dir = new_folder(usual_folder(data, network))
    _run(config, data, run_dir, seeds, quiet)


def from_published(options: list[str]) -> tuple[dict[str, Any], Path | None]:
    """Settings, nested, and the run's folder that options of the paper's classifier mean.

    Raises:
        UomhError: an option is unknown, or its value has no meaning; there is no run to resume.

    >>> from_published(["model=res18", "lr=0.1", "do_weight=1", "run_name=first"])[1]
    PosixPath('runs/first')
    """
    from uomh.cli.paper import run_folder
    from uomh.settings import parse_value

    values: dict[str, Any] = {}
    folder: Path | None = None
    resume = False
    for option in options:
        name, equals, text = option.partition("=")
        value = parse_value(text)
        if name not in PUBLISHED:
            raise unknown("option", name, PUBLISHED)
        if not equals or text == "":
            raise UomhError(f"--config {name} needs a value, as {name}=VALUE")
        if name in ("resume", "do_weight") and value not in (0, 1, True, False):
            raise UomhError(f"--config {option}: {name} is 0 or 1")
        if name == "model" and value not in PUBLISHED_NETWORKS:
            raise unknown("network", str(value), PUBLISHED_NETWORKS)
        match name:
            case "lr":
                values["train"] = {"lr": value}
            case "model":
                values.setdefault("model", {})["network"] = PUBLISHED_NETWORKS[str(value)]
            case "do_weight":
                values.setdefault("model", {})["weight_by_dimension"] = bool(value)
            case "run_name":
                folder = run_folder(text)
            case "resume":
                resume = bool(value)
    if resume and (folder is None or not (folder / "config.json").is_file()):
        where = "run_name=NAME names none" if folder is None else f"{str(folder)!r} is none"
        raise UomhError(f"--config resume=1: there is no run to go on with ({where})")
    return values, folder


def _run(config: RunConfig, data: Data, run_dir: Path, seeds: int | None, quiet: bool) -> None:
    """Train, measure, compare, draw; say what was found and where everything is."""
    from uomh.experiments.weighting import FILE, FOLDER, compare
    from uomh.models.class_dimension import check_dimensions
    from uomh.report.scatter import class_points, save_scatter
    from uomh.training.complete import complete
    from uomh.training.folder import read_config_file

    with Display(quiet) as display:
        done = complete(config, run_dir, data, display)
    arm = "weighted" if config.model.weight_by_dimension else "plain"
    asked = seeds if seeds is not None else SMALL_SEEDS * (config.model.network == "small")
    found: WeightingResult | None = None
    record = read_config_file(run_dir)
    assert record is not None
    assert record.config is not None
    if asked:
        try:
            check_dimensions(done.data, record.config.model.dimensions)
        except UomhError as error:
            if seeds:
                raise
            say(f"weighted and plain are not compared: {error}", quiet)
        else:
            with Display(quiet or not out.is_terminal, transient=True) as display:
                found = compare(config, data, run_dir, asked, partial(_told, display, quiet))
    arms = {arm: class_points(done.values)}
    if found is not None:
        arms = {name: class_points(found.class_means(name)) for name in found.values}
    if any(arms.values()):
        save_scatter(arms, run_dir, f"{data.name}: {_sentence(done.values)}")
    if quiet:
        return
    title = f"{config.model.network}, {arm} loss, on the test split of {data.name}"
    out.print(metrics_table(done.values.values(), title))
    out.print(_classes_table(done.values, found))
    if found is not None:
        _show(found)
        say(f"{'comparison:':13}{run_dir / FOLDER / FILE}")
    for name, file in (("figure", "accuracy_by_dimension.png"), ("metrics", "metrics.json")):
        if (run_dir / file).is_file():
            say(f"{name + ':':13}{run_dir / file}")
    say(f"{'TensorBoard:':13}tensorboard --logdir {run_dir}")


def _told(display: Display, quiet: bool, arm: str, seed: int) -> Display:
    """Say which run of the comparison begins; returns what shows its progress."""
    say(f"comparing: {arm} loss, seed {seed}", quiet)
    return display


def _sentence(values: Mapping[str, Value]) -> str:
    """The rank correlation of accuracy and dimension in words."""
    r, p = values.get("dimension_correlation"), values.get("dimension_correlation_p")
    if r is None or r.value is None:
        return "accuracy by class"
    interval = "" if r.low is None else f" [{r.low:.2f}, {r.high:.2f}]"
    test = "" if p is None or p.value is None else f", p = {p.value:.2g}"
    return f"Spearman {r.value:.2f}{interval}{test}"


def _classes_table(values: Mapping[str, Value], found: WeightingResult | None) -> Any:
    """A row for each class: its dimension, its accuracy, and those of both arms over seeds."""
    from uomh.report.scatter import class_points

    columns = ["class", "dimension", "accuracy", "n"]
    means: dict[str, dict[str, float | None]] = {}
    if found is not None:
        for arm in found.values:
            points = class_points(found.class_means(arm))
            means[arm] = {point.name: point.accuracy.value for point in points}
            columns.append(f"{arm} x{len(found.seeds)}")
    rows = [
        [
            point.name,
            _with_interval(point.dimension, 1),
            _with_interval(point.accuracy, 2),
            str(point.accuracy.n),
            *(f"{mean.get(point.name) or 0:.3f}" for mean in means.values()),
        ]
        for point in class_points(values)
    ]
    return rows_table(columns, rows)


def _with_interval(value: Value, digits: int) -> str:
    if value.low is None or value.high is None:
        return f"{value.value:.{digits}f}"
    return f"{value.value:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"


def _show(found: WeightingResult) -> None:
    """Weighted less plain, and whether classes of higher dimension gained."""
    rows = []
    for name, difference in found.differences.items():
        arms = [fmean(run[name].value or 0.0 for run in runs) for runs in found.values.values()]
        interval = "one seed has none"
        if difference.low is not None and difference.high is not None:
            interval = f"{_short(difference.low)} to {_short(difference.high)}"
        p = "" if difference.p_value is None else f"{difference.p_value:.2g}"
        means = [f"{mean:.4g}" for mean in arms]
        rows.append([name.replace("_", " "), *means, _short(difference.value), interval, p])
    columns = ("", *found.values, "difference", "95% interval", "p")
    out.print(rows_table(columns, rows))
    for name, r in found.gains.items():
        interval = "" if r.low is None else f" [{r.low:.2f}, {r.high:.2f}]"
        say(
            f"gain in {name.replace('_', ' ')} by dimension: Spearman {r.value:.2f}{interval}, "
            f"p = {r.p_value:.2g}, over {r.n} classes"
        )


def _short(number: float) -> str:
    """A difference in two digits; one that is rounding alone, such as 1e-17, is shown as 0."""
    return f"{round(number, 12):.2g}"
