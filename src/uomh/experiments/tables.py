"""The table of an experiment as texts: for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from uomh.experiments.result import Cell, ExperimentResult, in_words
from uomh.files import replacing
from uomh.text import four_digits, interval, with_interval

Rows = list[list[str]]


def heading(result: ExperimentResult, dataset: str) -> str:
    """What a table is of; a scaled one says so."""
    seeds = f"{result.seeds} seed{'s' if result.seeds > 1 else ''}"
    scaled = f", SCALED to {result.scale:.3g} of images and epochs" if result.is_scaled else ""
    return f"{result.name} on {dataset}, {seeds}{scaled}"


def values_table(
    result: ExperimentResult, dataset: str, metrics: Sequence[str]
) -> tuple[list[str], Rows]:
    """Columns and rows, an arm each: values with their intervals."""
    by_place = _by_place(result, dataset)
    columns = ["arm", *(metric.replace("_", " ") for metric in metrics)]
    rows = [
        [arm.name, *(in_words(by_place.get((arm.name, metric))) for metric in metrics)]
        for arm in result.arms
    ]
    return columns, rows


def differences_table(result: ExperimentResult, dataset: str) -> tuple[list[str], Rows]:
    """Columns and rows of what differs from the arm that it is compared with."""
    columns = ["arm", "against", "metric", "difference", "95% interval", "p", "p (Holm)"]
    against = {arm.name: arm.against for arm in result.arms}
    rows = [
        [
            cell.arm,
            against[cell.arm],
            cell.metric.replace("_", " "),
            four_digits(cell.difference),
            interval(cell.difference_low, cell.difference_high),
            "" if cell.p_value is None else f"{cell.p_value:.2g}",
            "" if cell.p_holm is None else f"{cell.p_holm:.2g}",
        ]
        for cell in result.cells
        if cell.dataset == dataset and cell.difference is not None
    ]
    return columns, rows


def published_table(result: ExperimentResult, dataset: str) -> tuple[list[str], Rows]:
    """Columns and rows of what stands beside a published value, and how far it is from it."""
    columns = ["arm", "metric", "here", "95% interval", "paper", "deviation"]
    rows = [
        [
            cell.arm,
            cell.metric.replace("_", " "),
            four_digits(cell.value),
            interval(cell.low, cell.high),
            four_digits(cell.published),
            f"{cell.value - cell.published:+.2g}",
        ]
        for cell in result.cells
        if cell.dataset == dataset and cell.published is not None and cell.value is not None
    ]
    return columns, rows


def classes_table(result: ExperimentResult, dataset: str) -> tuple[list[str], Rows]:
    """Columns and rows, a class each: its dimension, and its accuracy by each arm."""
    here = [found for found in result.classes if found.dataset == dataset]
    arms = list(dict.fromkeys(found.arm for found in here))
    columns = ["class", "dimension", *(f"accuracy, {arm}" for arm in arms), "points"]
    by_place = {(found.group, found.arm): found for found in here}
    rows = []
    for group in dict.fromkeys(found.group for found in here):
        by_arm = [by_place.get((group, arm)) for arm in arms]
        first = next(found for found in by_arm if found is not None)
        rows.append(
            [
                group,
                with_interval(first.dimension, first.dimension_low, first.dimension_high),
                *(with_interval(f.accuracy, f.low, f.high) if f else "n/a" for f in by_arm),
                str(first.points),
            ]
        )
    return columns, rows


def reasons(result: ExperimentResult, dataset: str) -> list[str]:
    """A line for each reason why values are missing."""
    found: dict[str, dict[str, None]] = {}
    for cell in result.cells:
        if cell.dataset == dataset and cell.reason:
            found.setdefault(cell.reason, {})[f"{cell.metric} of {cell.arm}"] = None
    return [f"n/a ({_few(list(names))}): {reason}" for reason, names in found.items()]


def _few(names: Sequence[str], shown: int = 3) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def markdown(result: ExperimentResult) -> str:
    """All tables of an experiment."""
    parts = [f"# {result.name}", result.summary]
    for dataset in result.datasets:
        parts += [
            f"## {heading(result, dataset)}",
            _markdown(*values_table(result, dataset, result.metrics)),
        ]
        parts += [f"- {line}" for line in reasons(result, dataset)]
        for title, build in (
            ("Beside the paper", published_table),
            ("Differences", differences_table),
            ("By class", classes_table),
        ):
            columns, rows = build(result, dataset)
            if rows:
                parts += [f"### {title}", _markdown(columns, rows)]
    parts += [f"- {note}" for note in result.notes]
    return "\n\n".join(filter(None, parts)) + "\n"


def save_markdown(result: ExperimentResult, folder: Path) -> None:
    """Write ``experiment.md``, whole."""
    with replacing(folder / "experiment.md") as temporary:
        temporary.write_text(markdown(result), encoding="utf-8")


def _markdown(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(columns)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(c.replace('|', '/') for c in line)} |" for line in lines)


def _by_place(result: ExperimentResult, dataset: str) -> dict[tuple[str, str], Cell]:
    return {(cell.arm, cell.metric): cell for cell in result.cells if cell.dataset == dataset}
