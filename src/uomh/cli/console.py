"""What the command line shows: progress and tables.

Names of classes, files and data sets come from outside, so none of them is read as markup, and
control characters in them are escaped.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from rich.console import Console, Group
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.table import Table
from rich.text import Text

from uomh import memory
from uomh.cli.faults import sentences as sentences
from uomh.devices import checked_device, described
from uomh.parallel.progress import Progress
from uomh.text import shown

if TYPE_CHECKING:
    from uomh.metrics import Value


class PlainConsole(Console):
    """A console that prints ``[red]`` and ``:smile:`` as they are: classes have such names."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """The text, its control characters escaped except for line ends."""
        return super().render_str(shown(text, keep="\n"), **settings)

    def on_broken_pipe(self) -> NoReturn:
        """Raise where rich would exit, so that `uomh.cli.faults` chooses the exit code."""
        raise BrokenPipeError


out = PlainConsole()


def prepare_process() -> None:
    """What a command sets before anything heavy is imported."""
    # How long waiting threads spin before they sleep: long spinning slows a busy machine by an
    # order of magnitude, sleeping at once slows an idle machine by a fifth. This lies between.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    memory.allow()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Lines are written as they come, so that progress can be followed in a file; a letter
            # that the terminal's encoding lacks is escaped instead of raising.
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


STAGES = {
    "neighbours": "searching neighbours",
    "nulls": "shuffling labels",
    "groups": "measuring groups",
    "merges": "merging clusters",
}
"""stages of work, as they are shown"""


BETWEEN_LINES = 0.5
"""seconds between two lines of epochs, at least, where there are no bars"""


class Display(Progress):
    """Shows progress: bars on a terminal, a line an epoch or a stage elsewhere, nothing if quiet.

    Without bars, lines of epochs that come faster than they can be read are left out, except the
    last line of each leaf.

    Args:
        quiet: show nothing.
        transient: take the bars away at the end.
    """

    def __init__(self, quiet: bool, transient: bool = False) -> None:
        self.quiet = quiet
        self.bars: Bars | None = None
        if not quiet and out.is_terminal:
            self.bars = Bars(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=out,
                transient=transient,
            )
        self.tasks: dict[str, TaskID] = {}
        self.points: dict[str, int] = {}
        self.epochs: dict[str, int] = {}
        self.began: dict[str, float] = {}
        self.left_out: dict[str, str] = {}  # the latest line of a leaf, where it was not shown
        self.next_line = 0.0

    def __enter__(self) -> Self:
        if self.bars:
            self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bars:
            self.bars.stop()

    def start(self, path: str, done: int, epochs: int, points: int) -> None:
        """A leaf begins."""
        self.points[path], self.epochs[path] = points, epochs
        if self.bars and path in self.tasks:  # again, after its worker died
            self.bars.update(self.tasks[path], completed=done)
        elif self.bars:
            self.tasks[path] = self.bars.add_task(
                shown(path), total=epochs, completed=done, note=""
            )

    def advance(self, path: str, points: int) -> None:
        """Move a leaf's bar by a share of an epoch."""
        if self.bars and path in self.tasks:
            self.bars.advance(self.tasks[path], points / self.points[path])

    def epoch(
        self, path: str, epoch: int, values: Mapping[str, Mapping[str, float]], seconds: float
    ) -> None:
        """Show the values of an epoch."""
        found = ", ".join(
            f"{split} {name} {value:.5g}"
            for split, named in values.items()
            for name, value in named.items()
        )
        if self.bars:
            self.bars.update(self.tasks[path], completed=epoch, note=found)
        elif not self.quiet:
            line = f"{shown(path)}  epoch {epoch}/{self.epochs[path]}  {found}  {seconds:.1f} s"
            if time.monotonic() < self.next_line:
                self.left_out[path] = line
                return
            self.left_out.pop(path, None)
            self.next_line = time.monotonic() + BETWEEN_LINES
            out.print(line)

    def stop(self, path: str, why: str) -> None:
        """Say how a leaf ended."""
        if not self.quiet:
            if path in self.left_out:
                out.print(self.left_out.pop(path))
            out.print(f"{shown(path)}: {why}")

    def stage(self, name: str, done: int, total: int) -> None:
        """Move a stage's bar, or say at its end how long it took."""
        what = STAGES.get(name, shown(name))
        if self.bars:
            if name not in self.tasks:
                self.tasks[name] = self.bars.add_task(what, total=total, note="")
            self.bars.update(self.tasks[name], completed=done, total=total)
        elif not self.quiet:
            began = self.began.setdefault(name, time.monotonic())
            if done >= total:
                say(f"{what}: {time.monotonic() - began:.1f} s")


def metrics_table(values: Iterable[Value], title: str) -> Table:
    """Metrics of the whole with their intervals; below, remarks, and why some have no value."""
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, collapse_padding=True
    )
    for column in ("metric", "value", "95% interval", "n", "kind"):
        words = column in ("metric", "kind")
        table.add_column(
            column,
            justify="left" if words else "right",
            no_wrap=column != "metric",
            overflow="fold",
        )
    notes: dict[str, list[str]] = {}
    for value in values:
        name = shown(value.name)
        if value.group is not None:
            continue
        if value.value is None:
            table.add_row(name, "n/a")
        else:
            interval = "" if value.low is None else f"{value.low:.5g} to {value.high:.5g}"
            table.add_row(name, f"{value.value:.6g}", interval, str(value.n), value.kind)
        about = value.about if value.value is not None else f"n/a, for {value.reason}"
        if about:
            notes.setdefault(about, []).append(value.name)
    lines = [f"{', '.join(names)}: {about}" for about, names in notes.items()]
    table.caption, table.caption_justify = "\n".join(map(shown, lines)) or None, "left"
    return table


COLUMNS = 5
"""numbers of groups side by side in one table"""


def parts_table(values: Iterable[Value]) -> Group | None:
    """Metrics of groups, a row for each group, a few columns a table; None where there are none.

    Below, why a group has no value, unless `metrics_table` gives the same reason for the whole.
    """
    values = list(values)
    by_group: dict[str, dict[str, Value]] = {}
    for value in values:
        if value.group is not None:
            by_group.setdefault(value.group, {})[value.name] = value
    if not by_group:
        return None
    found = [value for group in by_group.values() for value in group.values()]
    alike: dict[
        tuple[int, ...], list[str]
    ] = {}  # metrics measured on as many points share a table, whose column n then holds for all
    for name in dict.fromkeys(value.name for value in found if value.value is not None):
        of_name = [group.get(name) for group in by_group.values()]
        sizes = tuple(value.n for value in of_name if value is not None and value.value is not None)
        alike.setdefault(sizes, []).append(name)
    columns = [
        names[i : i + COLUMNS] for names in alike.values() for i in range(0, len(names), COLUMNS)
    ]
    tables = [_groups_by(names, by_group) for names in columns]
    below = [Text(shown(line)) for line in _why_none(values)]
    return Group(*tables, *below) if tables or below else None


def _why_none(values: Iterable[Value]) -> list[str]:
    """A line for each reason why groups have no value, without the reasons of the whole."""
    known: set[tuple[str, str | None]] = set()
    of: dict[str, tuple[dict[str, None], dict[str, None]]] = {}  # names and groups, each once
    for value in sorted(values, key=lambda value: value.group is not None):  # the whole first
        if value.group is None:
            known.add((value.metric, value.reason))
        elif value.reason and (value.metric, value.reason) not in known:
            names, groups = of.setdefault(value.reason, ({}, {}))
            names[value.name], groups[value.group] = None, None
    return [
        f"{', '.join(names)} of {', '.join(groups)}: n/a, for {reason}"
        for reason, (names, groups) in of.items()
    ]


def _groups_by(columns: Sequence[str], by_group: Mapping[str, Mapping[str, Value]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("group", overflow="ellipsis", max_width=16, no_wrap=True)
    table.add_column("n", justify="right")
    for name in columns:
        table.add_column(name.replace("_", " "), justify="right")
    for group, of_group in by_group.items():
        numbers = [of_group[name].value if name in of_group else None for name in columns]
        cells = ["n/a" if number is None else f"{number:.5g}" for number in numbers]
        sizes = [of_group[name].n for name in columns if name in of_group]
        n = max(sizes or [value.n for value in of_group.values()])
        table.add_row(shown(group), str(n), *cells)
    return table


def rows_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """A table of text."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", max_width=20 if column == "default" else None)
    for row in rows:
        table.add_row(*(shown(cell) for cell in row))
    return table


def say(message: str, quiet: bool = False) -> None:
    """A line for the person at the terminal."""
    if not quiet:
        out.print(shown(message), soft_wrap=True)


def say_device(asked: str, quiet: bool = False) -> None:
    """The line that says which device the setting means here."""
    how = ", chosen by device=auto" if asked == "auto" else ""
    say(f"computing on {described(checked_device(asked))}{how}", quiet)


def given(**values: Any) -> dict[str, Any]:
    """The options that were given: those that are not None."""
    return {key: value for key, value in values.items() if value is not None}
