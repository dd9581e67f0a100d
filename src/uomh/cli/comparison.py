"""Runs compared in a table: a row a run, a column a metric, or turned where that is too wide.

A cell has a number, its 95% interval, and its difference to the best run (or the first, where the
metric has no direction) with that interval; a star marks the best where the intervals allow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rich.console import RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from uomh.cli.console import PlainConsole
from uomh.metrics.comparison import Comparison, Difference, Row
from uomh.text import shown

SIZED = ("fid", "fid_infinity")
"""metrics that mean little without the number of samples, which is shown beside each value"""


def comparison_tables(
    comparison: Comparison, console: PlainConsole, groups: bool = False
) -> Iterator[RenderableType]:
    """The tables of a comparison, and the remarks below them.

    Args:
        comparison: of several runs.
        console: whose width they fit.
        groups: whether to show a table of each group, too.
    """
    named = dict.fromkeys(row.group for row in comparison.rows)
    folder, comparison = _below_one_folder(comparison)
    where = f" in {folder}" if folder else ""
    for group in named if groups else [None]:
        cells = _Cells(comparison, group)
        title = f"{len(comparison.runs)} runs{where}" + (
            "" if group is None else f", group {group}"
        )
        if cells.metrics:
            yield Text(shown(title))
            yield from _fitting(cells, console)
    yield Text("\n".join(map(shown, _notes(comparison))))


def _below_one_folder(comparison: Comparison) -> tuple[str, Comparison]:
    """The folder that all runs are in, empty where there is none, and the runs by names in it."""
    above = [os.path.dirname(run) for run in comparison.runs]
    folder = os.path.commonpath(above) if len({os.path.isabs(run) for run in above}) == 1 else ""
    if not folder:
        return folder, comparison
    names = {run: os.path.relpath(run, folder) for run in comparison.runs}
    rows = [replace(row, run=names[row.run]) for row in comparison.rows]
    differences = [
        replace(found, run=names[found.run], to=names[found.to]) for found in comparison.differences
    ]
    runs = tuple(names.values())
    return folder, replace(comparison, runs=runs, rows=tuple(rows), differences=tuple(differences))


class _Cells:
    """Numbers of a group by run and metric."""

    def __init__(self, comparison: Comparison, group: str | None) -> None:
        self.runs = comparison.runs
        self.rows: Mapping[tuple[str, str], Row] = {
            (row.run, row.metric): row for row in comparison.rows if row.group == group
        }
        self.differences: Mapping[tuple[str, str], Difference] = {
            (found.run, found.metric): found
            for found in comparison.differences
            if found.group == group
        }
        self.metrics = [
            metric
            for metric in dict.fromkeys(metric for _, metric in self.rows)
            if any(self.rows[run, metric].value is not None for run in self.runs)
        ]

    def cell(self, run: str, metric: str) -> Text:
        row, apart = self.rows[run, metric], self.differences.get((run, metric))
        if row.value is None:
            return Text("n/a")
        bound = " (bound)" if row.kind == "bound" else ""
        lines = [f"{row.value:.5g}{bound}" + (" *" if row.best else "")]
        if row.low is not None:
            lines.append(f"{row.low:.4g} to {row.high:.4g}")
        if metric in SIZED:
            lines.append(f"n = {row.n}")
        if apart is not None:
            lines.append(_difference(apart))
        text = Text("\n".join(lines))
        if row.best:
            text.stylize("bold", 0, len(lines[0]))
        return text


def _difference(apart: Difference) -> str:
    """A difference and its interval; in brackets where it is not of the same points."""
    if apart.low is None:
        return f"{apart.value:+.3g}"
    text = f"{apart.value:+.3g}, {apart.low:+.3g} to {apart.high:+.3g}"
    return text if apart.paired else f"({text})"


def _fitting(cells: _Cells, console: PlainConsole) -> Iterator[Table]:
    """One table with a row a run where that fits, else with a row a metric, else several tables."""
    upright = _by_run(cells, cells.metrics)
    if _fits(upright, console):
        yield upright
        return
    turned = _by_metric(cells)
    if _fits(turned, console):
        yield turned
        return
    start = 0
    while start < len(cells.metrics):
        size = 1
        while start + size < len(cells.metrics):
            more = cells.metrics[start : start + size + 1]
            if not _fits(_by_run(cells, more), console):
                break
            size += 1
        yield _by_run(cells, cells.metrics[start : start + size])
        start += size


def _fits(table: Table, console: PlainConsole) -> bool:
    wide = console.options.update(max_width=10_000)
    return Measurement.get(console, wide, table).maximum <= console.width


def _table() -> Table:
    return Table(box=None, pad_edge=False, leading=1)


def _by_run(cells: _Cells, metrics: Sequence[str]) -> Table:
    table = _table()
    table.add_column("run", overflow="fold", max_width=24)
    for metric in metrics:
        table.add_column(shown(metric.replace("_", " ")), justify="right")
    for run in cells.runs:
        table.add_row(shown(run), *(cells.cell(run, metric) for metric in metrics))
    return table


def _by_metric(cells: _Cells) -> Table:
    table = _table()
    table.add_column("metric", overflow="fold", max_width=20)
    for run in cells.runs:
        table.add_column(shown(run), justify="right", overflow="fold", max_width=28)
    for metric in cells.metrics:
        table.add_row(shown(metric), *(cells.cell(run, metric) for run in cells.runs))
    return table


def _notes(comparison: Comparison) -> Iterator[str]:
    """The remarks below the tables."""
    best = any(row.best for row in comparison.rows)
    if best:
        yield "*: best; its differences to all others exclude zero"
    if comparison.differences:
        to = "the best run (the first, where a metric has no direction)"
        yield f"last lines: differences to {to}, on the same points; in brackets: unpaired"
    yield from comparison.notes
    whole = [row for row in comparison.rows if row.group is None]
    runs: dict[tuple[str, str], list[str]] = {}
    for row in whole:
        about = row.about if row.value is not None else f"n/a, for {row.reason}"
        if about:
            runs.setdefault((row.metric, about), []).append(row.run)
    metrics: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (metric, about), of in runs.items():
        metrics.setdefault((tuple(of), about), []).append(metric)
    for (which, about), names in metrics.items():
        where = "" if len(which) == len(comparison.runs) else f" of {', '.join(which)}"
        yield f"{', '.join(names)}{where}: {about}"
