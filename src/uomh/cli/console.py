"""What the command line shows: progress, tables, and errors as one sentence."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from rich.console import Console
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

from uomh.errors import UomhError
from uomh.progress import Progress

if TYPE_CHECKING:
    from uomh.metrics import Value

P = ParamSpec("P")
R = TypeVar("R")

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def prepare_process() -> None:
    """What a command sets before anything heavy is imported."""
    # Threads that spin for long while they wait slow a busy machine by an order of magnitude; ones
    # that sleep at once slow an idle machine by a fifth.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # progress in a file is seen as it comes


def sentences(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what a user can mend into one sentence and exit code 2; Ctrl-C into 130."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except UomhError as error:
            err.print(f"uomh: {error}", markup=False)
            raise SystemExit(2) from None
        except OSError as error:
            err.print(f"uomh: {error.filename or 'file'}: {error.strerror or error}", markup=False)
            raise SystemExit(2) from None
        except KeyboardInterrupt:
            err.print("uomh: interrupted; the same command goes on from what was saved")
            raise SystemExit(130) from None

    return guarded


class TrainingDisplay(Progress):
    """Shows training: bars on a terminal, one line an epoch elsewhere, nothing if quiet."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.bars: Bars | None = None
        if not quiet and out.is_terminal:
            self.bars = Bars(
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=out,
            )
        self.tasks: dict[str, TaskID] = {}
        self.points: dict[str, int] = {}
        self.epochs: dict[str, int] = {}

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
            self.tasks[path] = self.bars.add_task(path, total=epochs, completed=done, note="")

    def advance(self, path: str, points: int) -> None:
        """Move a leaf's bar by a share of an epoch."""
        if self.bars and path in self.tasks:
            self.bars.advance(self.tasks[path], points / self.points[path])

    def epoch(
        self, path: str, epoch: int, values: Mapping[str, Mapping[str, float]], seconds: float
    ) -> None:
        """Show the values of an epoch."""
        shown = ", ".join(
            f"{split} {name} {value:.5g}"
            for split, named in values.items()
            for name, value in named.items()
        )
        if self.bars:
            self.bars.update(self.tasks[path], completed=epoch, note=shown)
        elif not self.quiet:
            out.print(f"{path}  epoch {epoch}/{self.epochs[path]}  {shown}  {seconds:.1f} s")

    def stop(self, path: str, why: str) -> None:
        """Say how a leaf ended."""
        if not self.quiet:
            out.print(f"{path}: {why}")


def metrics_table(values: Mapping[str, Value], title: str) -> Table:
    """Metrics with their intervals, or why there is none."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("metric", "value", "95% interval", "n", "kind"):
        words = column in ("metric", "kind")
        table.add_column(column, justify="left" if words else "right", no_wrap=column == "metric")
    for name, each in values.items():
        if each.value is None:
            table.add_row(name, "n/a", "", "", each.reason or "")
        else:
            interval = "" if each.low is None else f"{each.low:.6g} to {each.high:.6g}"
            table.add_row(name, f"{each.value:.6g}", interval, str(each.n), each.kind)
    return table


def parts_table(values: Mapping[str, Value], groups: Iterable[str]) -> Table:
    """Metrics of the parts of a disconnected model (``METRIC[GROUP]``), a row for each group."""
    names = dict.fromkeys(key.partition("[")[0] for key in values if "[" in key)
    shown = [
        name
        for name in names
        if any(values[key].value is not None for key in values if key.startswith(f"{name}["))
    ]
    table = Table(box=None, pad_edge=False)
    table.add_column("group", overflow="ellipsis", max_width=16, no_wrap=True)
    table.add_column("n", justify="right")
    for name in shown:
        table.add_column(name.replace("_", " "), justify="right")
    for group in groups:
        found = [values.get(f"{name}[{group}]") for name in shown]
        cells = ["n/a" if v is None or v.value is None else f"{v.value:.5g}" for v in found]
        n = max((v.n for v in found if v is not None), default=0)
        table.add_row(group, str(n), *cells)
    return table


def rows_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """A plain table."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", max_width=20 if column == "default" else None)
    for row in rows:
        table.add_row(*row)
    return table


def say(message: str, quiet: bool = False) -> None:
    """A line for the person at the terminal."""
    if not quiet:
        out.print(message, markup=False, soft_wrap=True)


def given(**values: Any) -> dict[str, Any]:
    """The options that were given."""
    return {key: value for key, value in values.items() if value is not None}
