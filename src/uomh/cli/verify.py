"""`uomh verify`: the dimension of every group of a data set, and what the differences show."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from uomh.cli.console import Display, given, out, say, say_device, sentences
from uomh.cli.options import Backend, DataRoot, Device, Jobs, Quiet, Resize, SkipBroken, Threads
from uomh.devices import checked_device
from uomh.errors import UomhError, unknown
from uomh.files import only_writer, writable
from uomh.text import shown

if TYPE_CHECKING:
    from torch import Tensor

    from uomh.data import Data
    from uomh.dimension.result import DimensionReport
    from uomh.report.sheets import Sheets


SAID_FROM = 60.0
"""seconds of the search from which its time is said before"""


@sentences
def verify(
    more: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[D2 ...] [KEY=VALUE]...", help="more data sets; settings data.*, clusters.*"
        ),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="D", help="a name, a folder, a file .npz, .npy, .csv, or hub:ORG/NAME"
        ),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="HOW", help="groups: a clusterer, or a file of labels (.npz, .npy, .csv)"
        ),
    ] = "class",
    k: Annotated[
        str | None,
        typer.Option(help="numbers of neighbours; by default 3,10,20 (mle) or the estimator's own"),
    ] = None,
    estimator: Annotated[
        str, typer.Option(help="of the dimension: a name from uomh list, or file.py:Class")
    ] = "mle",
    instruments: Annotated[
        str | None,
        typer.Option(help="estimators: the first decides, the others are heard on the order"),
    ] = None,
    nulls: Annotated[int, typer.Option(help="shuffles of the labels")] = 199,
    duplicates: Annotated[str, typer.Option(help="drop, keep or error")] = "drop",
    near_duplicates: Annotated[
        str, typer.Option(help="keep, or drop all but the first of points that are nearly copies")
    ] = "keep",
    tolerance: Annotated[
        float, typer.Option(help="share of the typical nearest distance that is nearly a copy")
    ] = 1e-3,
    min_group: Annotated[
        int | None,
        typer.Option(metavar="N", help="leave smaller groups out; by default below k + 2 points"),
    ] = None,
    anchors: Annotated[
        int | None,
        typer.Option(metavar="N", help="estimate at N points; by default all, if quick enough"),
    ] = None,
    backend: Backend = "serial",
    jobs: Jobs = None,
    ray_address: Annotated[
        str | None, typer.Option(help="of a Ray cluster, HOST:PORT or auto; needs --out")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="folder for dimension.{json,csv,png,pdf,svg}"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the JSON alone")] = False,
    data_root: DataRoot = None,
    resize: Resize = None,
    skip_broken: SkipBroken = None,
    seed: Annotated[int, typer.Option(help="of shuffles and cuts")] = 0,
    device: Device = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Say whether data look like a union of manifolds of different dimension, and why.

    Several data sets, as ``--dataset A B`` or ``--dataset A --dataset B``, share one figure.
    """
    names = [*(dataset or []), *(word for word in more or [] if "=" not in word)]
    settings = _settings([word for word in more or [] if "=" in word])
    if not names:
        raise UomhError("which data set? give --dataset NAME")
    if duplicates not in ("drop", "keep", "error"):
        raise unknown("policy for duplicates", duplicates, ["drop", "keep", "error"])
    if near_duplicates not in ("keep", "drop"):
        raise unknown("policy for near-duplicates", near_duplicates, ["keep", "drop"])
    ks = None if k is None else _numbers(k)
    heard = [name.strip() for name in (instruments or estimator).split(",")]
    if instruments and estimator not in ("mle", heard[0]):
        raise UomhError(f"--estimator {estimator} or --instruments {instruments}: give one of them")
    device = device or "auto"
    checked_device(device)
    if threads:
        import torch

        torch.set_num_threads(threads)
    from uomh.data import load_data
    from uomh.data.cache import left_out
    from uomh.dimension.evidence import verify as evidence
    from uomh.parallel import Parallel
    from uomh.parallel.workers import look_for_cluster
    from uomh.report.sheets import sheets_of

    parallel = Parallel(backend, jobs, ray_address)
    if ray_address is not None:
        look_for_cluster(ray_address)  # before anything is read
    silent = quiet or as_json
    say_device(device, silent)
    reports, sheets = [], []
    for name in names:
        options = {
            **given(data_root=data_root, resize=resize, skip_broken=skip_broken),
            **settings["data"],
        }
        data = load_data(name, **{"valid_fraction": 0.0, "test_fraction": 0.0, **options})
        if by != "class" or settings["clusters"]:
            data = _grouped(data, by, seed, settings["clusters"], silent)
        x, y, classes = *_in_order(data), data.classes
        # The report says itself how many rows have no label, so that this note would say it twice.
        counted = left_out(data.unlabelled, "training")
        say(f"{name}: {len(x):,} training points, {_groups(y, classes)}", silent)
        for note in data.notes:
            say(f"{name}: {note}", silent)
        if output is not None:
            writable(output)
        _say_time(x, anchors, silent)
        with Display(silent, transient=True) as display:
            report = evidence(
                x,
                y,
                k=ks,
                estimator=heard[0],
                instruments=heard[1:],
                nulls=nulls,
                duplicates=duplicates,  # type: ignore[arg-type]  # checked above
                near_duplicates=near_duplicates,  # type: ignore[arg-type]  # checked above
                tolerance=tolerance,
                min_group=min_group,
                anchors=anchors,
                seed=seed,
                classes=classes or None,
                name=data.name,
                by=by if by == "class" else Path(by).name,
                from_points=data.grouping is not None and data.grouping.from_points,
                unlabelled=data.unlabelled,
                notes=[note for note in data.notes if note != counted],
                device=device,
                parallel=parallel,
                folder=output,
                progress=display,
            )
        reports.append(report)
        if output is not None and report.details is not None:
            sheets.append(sheets_of(report.details, x, data.levels))
        if not silent:
            show(report)
    if output is not None:
        with only_writer(output):
            save(reports, output, sheets)
        say(f"{output}/dimension.png, .pdf, .svg, .json, .csv", silent)
    if as_json:
        texts = [report.to_json() for report in reports]
        typer.echo(texts[0] if len(texts) == 1 else f"[{','.join(texts)}]")


def _say_time(x: Tensor, anchors: int | None, silent: bool) -> None:
    """Say how long the search takes, where that is more than a minute."""
    if silent:
        return
    import torch

    from uomh.dimension.anchored import anchors_of
    from uomh.neighbours.cost import search_seconds

    dim = x[0].numel()
    at = anchors_of(len(x), dim, anchors, 0)
    rows = None if at is None else at.count
    seconds = search_seconds(len(x), dim, whole=x.dtype == torch.uint8, rows=rows)
    if seconds > SAID_FROM:
        fewer = "" if anchors else "; --anchors N estimates at N points, in less"
        say(f"the neighbour search takes about {seconds / 60:.0f} minutes here{fewer}", silent)


def save(reports: list[DimensionReport], folder: Path, sheets: list[Sheets]) -> None:
    """Write one report into the folder, or several into folders in it, and one figure.

    The sheets of images of each stand beside it.
    """
    from uomh.report.figures import save_dimension_figure
    from uomh.report.sheets import save_sheets

    names: set[str] = set()
    for report, images in zip(reports, sheets, strict=True):
        place = folder
        if len(reports) > 1:
            base = report.dataset.replace("/", "_")
            numbered = (f"{base}-{i}" for i in itertools.count(2))  # two files may have one name
            name = next(name for name in itertools.chain([base], numbered) if name not in names)
            names.add(name)
            place = folder / name
        report.save(place)
        save_sheets(images, place)
        if place != folder:
            save_dimension_figure([report], place)
    save_dimension_figure(reports, folder)


def show(report: DimensionReport) -> None:
    """Print the groups, what is to be known of the data, the claims and the verdict."""
    out.print(groups_table(report))
    if report.unlabelled:
        out.print(f"{report.unlabelled:,} points have no label and were left out.", markup=False)
    for note in report.notes:
        out.print(note, markup=False)
    out.print(claims_table(report))
    out.print(shown(report.verdict))
    out.print()


def groups_table(report: DimensionReport) -> Table:
    """Estimates by group, the true dimension, and the size-matched estimate at the middle k.

    The true dimension is the learned one, or where no group has one the calibrated band; without a
    calibration there is neither.
    """
    ks = list(report.whole.k)
    middle = ks[len(ks) // 2]
    bands = [group.k[middle].calibrated for group in report.groups]
    calibrated = any(band is not None for band in bands)
    learned = any(group.learned is not None for group in report.groups)
    table = Table(box=None, pad_edge=False, padding=(0, 1), caption_justify="left")
    if report.groups:
        true = f"true: dimensions that would give the value at k = {middle}, from torus to ball. "
        if learned:
            true = "true: by groups of known dimension, with two standard errors. "
        table.caption = (
            f"±: half a 95% interval. {true if calibrated else ''}"
            "random: value of as many random points"
        )
    table.add_column(shown(report.by or ""), overflow="ellipsis", max_width=14, no_wrap=True)
    table.add_column("n", justify="right")
    for k in ks:
        table.add_column(f"k = {k}", justify="right")
    if calibrated:
        table.add_column("true", justify="right")
    if report.groups:
        table.add_column("random", justify="right")
    for group, band in zip(report.groups, bands, strict=True):
        true = "" if band is None else f"{band[0]:.1f}-{band[1]:.1f}"
        if learned:
            _, low, high = group.learned_values()
            true = "unknown" if low is None else f"{low:.1f}-{high:.1f}"
        table.add_row(
            shown(group.label),
            str(group.n),
            *(_with_error(e.dimension, e.low, e.high) for e in group.k.values()),
            *([true] if calibrated else []),
            f"{group.k[middle].size_matched:.2f}",
        )
    whole = (_with_error(e.dimension, e.low, e.high) for e in report.whole.k.values())
    table.add_row("all", str(report.n), *whole, style="bold")
    return table


def claims_table(report: DimensionReport) -> Table:
    """The claims, their status and what each rests on."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for style in ("", "bold", ""):
        table.add_column(style=style, overflow="fold")
    for name, claim in report.claims.by_name().items():
        table.add_row(name, claim.status, claim.row())
    return table


def _with_error(value: float, low: float, high: float) -> str:
    if low <= 0:
        return f"{value:.2f}"
    return f"{value:.2f} ±{(high - low) / 2:.2f}"


def _groups(y: Any, classes: tuple[str, ...]) -> str:
    if y is None:
        return "no labels"
    count = len(classes) or len(set(y.tolist()))
    return f"{count} groups"


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UomhError(f"--k takes whole numbers, as in 3,10,20; it is {text!r}") from None


def _settings(texts: list[str]) -> dict[str, dict[str, Any]]:
    """Settings ``data.*`` and ``clusters.*`` by their last key."""
    from uomh.settings import parse_value

    settings: dict[str, dict[str, Any]] = {"data": {}, "clusters": {}}
    for text in texts:
        key, _, value = text.partition("=")
        group, _, name = key.partition(".")
        if group not in settings or not name:
            raise UomhError(
                f"unknown setting {key!r}; verify takes data.* and clusters.*, as in "
                "data.limit=5000 and clusters.num_clusters=5"
            )
        settings[group][name] = parse_value(value)
    return settings


def _in_order(data: Data) -> tuple[Tensor, Tensor | None]:
    """Training points and labels in the order of the source, not in the order of the shuffle.

    `uomh.verify` on the arrays themselves then gives the same report.
    """
    split = data.train
    if split.rows is not None:
        split = split[split.rows.argsort()]
    return split.x, split.y


def _grouped(data: Data, by: str, seed: int, settings: dict[str, Any], silent: bool) -> Data:
    """The data labelled by a clusterer or a file; says how its groups agree with the classes."""
    from uomh.clusters import cluster, compare

    grouped = cluster(data, by, seed=seed, **settings)
    say(f"{by}: {compare(grouped, data).sentence()}", silent)
    return grouped
