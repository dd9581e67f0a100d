"""Runs against each other: their numbers side by side, and the differences with intervals.

Differences are paired by the points that two runs share (`uomh.metrics.pairing`).
Everything here is read from the folders of the runs, without torch and without the data.
"""

from __future__ import annotations

import csv
import html
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from uomh.errors import UomhError
from uomh.files import replacing
from uomh.metrics.measured import MeasuredRun
from uomh.metrics.pairing import paired_difference
from uomh.metrics.values import Value
from uomh.text import html_table, shown, with_interval


@dataclass(frozen=True)
class Row:
    """A number of a run.

    Attributes:
        run: folder of the run, as it was given.
        group: class or cluster that it is of; None: the whole.
        metric: name of the number.
        value: it, or None where there is none.
        low: lower end of its 95% interval.
        high: upper end.
        n: number of points.
        kind: exact, bound or estimate.
        best: whether it is better than that of every other run, beyond doubt of 5%.
        higher_is_better: None: it has no direction.
        reason: why there is no number.
        about: what stands beside it.
    """

    run: str
    group: str | None
    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    kind: str
    best: bool
    higher_is_better: bool | None
    reason: str | None
    about: str


@dataclass(frozen=True)
class Difference:
    """The number of a run less that of another, with its 95% interval.

    Attributes:
        run: the one.
        to: the other.
        group: class or cluster that they are of; None: the whole.
        metric: name of the numbers.
        value: the difference.
        low: lower end of its interval; None where either has no interval.
        high: upper end.
        paired: whether the interval knows which points both were measured on.
    """

    run: str
    to: str
    group: str | None
    metric: str
    value: float
    low: float | None
    high: float | None
    paired: bool

    @property
    def certain(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; plain values, of which `dataclasses.asdict` gives JSON.

    Attributes:
        runs: their folders, as they were given.
        rows: every number of every run.
        differences: to the best run of each metric, or to the first where it has no direction, or
            to the one that was asked for.
        notes: sentences on what was not compared, and why.
    """

    runs: tuple[str, ...]
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    def difference(self, run: str, metric: str, group: str | None = None) -> Difference | None:
        """That of a run, or None where there is none."""
        key = (run, metric, group)
        found = (d for d in self.differences if (d.run, d.metric, d.group) == key)
        return next(found, None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def to_csv(self) -> str:
        """A line for each number under a line of names; what is missing is empty."""
        differences = {(d.run, d.metric, d.group): d for d in self.differences}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in self.rows:
            values = asdict(row)
            if (apart := differences.get((row.run, row.metric, row.group))) is not None:
                values |= {"difference": apart.value, "to": apart.to, "paired": apart.paired}
                values |= {"difference_low": apart.low, "difference_high": apart.high}
            writer.writerow([values.get(name) for name in COLUMNS])
        return text.getvalue()

    def save_csv(self, path: str | os.PathLike[str]) -> None:
        """Write `to_csv` to a file, whole or not at all.

        Raises:
            UomhError: it cannot be written.
        """
        try:
            with replacing(Path(path)) as temporary:
                temporary.write_text(self.to_csv(), encoding="utf-8")
        except OSError as error:
            raise UomhError(f"cannot write {os.fspath(path)!r} ({error.strerror})") from None

    def _repr_html_(self) -> str:
        """A row for each run, a column for each number of the whole, for notebooks."""
        whole = {(row.run, row.metric): row for row in self.rows if row.group is None}
        metrics = list(dict.fromkeys(metric for _, metric in whole))
        lines = [[run, *(_cell(whole[run, metric]) for metric in metrics)] for run in self.runs]
        table = html_table(["run", *(metric.replace("_", " ") for metric in metrics)], lines)
        best = ["*: best, beyond the intervals of its differences to all others"]
        notes = [*(best if any(row.best for row in whole.values()) else []), *self.notes]
        return table + "".join(f"<p>{html.escape(shown(note))}</p>" for note in notes)


def _cell(row: Row) -> str:
    if row.value is None:
        return "n/a"
    bound = " (bound)" if row.kind == "bound" else ""
    best = " *" if row.best else ""
    return f"{with_interval(row.value, row.low, row.high)}{bound}{best}"


COLUMNS = (
    *("run", "group", "metric", "value", "low", "high", "n", "kind", "best"),
    *("difference", "difference_low", "difference_high", "to", "paired", "about", "reason"),
)
"""of a CSV file"""


@dataclass(frozen=True)
class _Number:
    """A value, and the run that it is of."""

    run: MeasuredRun
    value: Value

    @property
    def number(self) -> float:
        assert self.value.value is not None
        return self.value.value

    def with_influences(self) -> Value:
        return replace(self.value, influences=self.run.influences.of(self.value))


def compare(
    runs: Sequence[str | os.PathLike[str]],
    metrics: Iterable[str] | None = None,
    to: str | os.PathLike[str] | None = None,
) -> Comparison:
    """Compare what was measured of runs; `uomh evaluate` and `uomh.measure` measure.

    A number is marked as the best where its difference to every other excludes zero, and none of
    the others is a bound whose true number may be better. Numbers in other features, of other
    settings, of other groups or of other data stand beside without a difference, which `notes` say.
    Runs on other points of the same data are compared unpaired.

    Args:
        runs: their folders; one alone has rows and no differences.
        metrics: names of metrics or of their numbers; None: all that were measured.
        to: the run that differences are taken to; None: the best of each metric, or the first where
            a metric has no direction.

    Raises:
        UomhError: no run, one that is named twice, nothing measured of one, or a metric that was
            measured of none.
    """
    names = [os.fspath(run) for run in runs]
    if not names:
        raise UomhError("there is no run to compare; name the folder of at least one")
    if len({Path(name).resolve() for name in names}) < len(names):
        raise UomhError("a run is named twice; name each folder once")
    reference = None if to is None else os.fspath(to)
    if reference is not None and reference not in names:
        raise UomhError(f"differences to {reference!r} need it among the runs; name it there, too")
    found = [MeasuredRun.read(run) for run in runs]
    rows: list[Row] = []
    differences: list[Difference] = []
    notes = _Notes(found)
    for key in _keys(found, metrics):
        numbers = [
            _Number(run, run.values[key])
            for run in found
            if key in run.values and run.values[key].value is not None
        ]
        alike = [number for number in numbers if notes.comparable(number, numbers[0])]
        best = _best(numbers, alike)
        rows += [_row(run, key, found, best) for run in found]
        other = next((number for number in alike if number.run.name == reference), None)
        if reference is None and alike:
            other = _leading(alike) or alike[0]
        if other is not None:
            differences += [_difference(one, other) for one in alike if one is not other]
    return Comparison(tuple(names), tuple(rows), tuple(differences), tuple(notes.sentences()))


def _keys(runs: Sequence[MeasuredRun], metrics: Iterable[str] | None) -> Iterator[str]:
    """The keys of the numbers that are asked for, those of the whole first."""
    values = {key: value for run in reversed(runs) for key, value in run.values.items()}
    order = {key: None for run in runs for key in run.values}
    if metrics is not None:
        wanted = list(metrics)
        known = {name for value in values.values() for name in (value.metric, value.name)}
        for name in wanted:
            if name not in known:
                raise UomhError(
                    f"{name!r} was measured of none of the runs; run `uomh evaluate` with it"
                )
        order = {key: None for key in order if {values[key].metric, values[key].name} & set(wanted)}
    yield from sorted(order, key=lambda key: values[key].group is not None)


def _row(run: MeasuredRun, key: str, runs: Sequence[MeasuredRun], best: _Number | None) -> Row:
    value = run.values.get(key)
    if value is None:
        like = next(other.values[key] for other in runs if key in other.values)
        reason = "it was not measured"
        value = Value(None, reason=reason, name=like.name, group=like.group)
    return Row(
        run.name,
        value.group,
        value.name,
        value.value,
        value.low,
        value.high,
        value.n,
        value.kind,
        best is not None and best.run is run,
        value.higher_is_better,
        value.reason,
        value.about,
    )


def _leading(numbers: Sequence[_Number]) -> _Number | None:
    """That of the best value; None where values have no direction."""
    better = numbers[0].value.higher_is_better
    if better is None:
        return None
    return (max if better else min)(numbers, key=lambda number: number.number)


def _best(numbers: Sequence[_Number], alike: Sequence[_Number]) -> _Number | None:
    """The number that is better than all others, where the intervals allow to say so."""
    if len(alike) < 2 or len(alike) < len(numbers):
        return None
    leading = _leading(alike)
    for other in alike if leading is not None else ():
        if other is leading:
            continue
        assert leading is not None
        hidden = other.value.kind == "bound" != leading.value.kind
        if hidden or not _difference(leading, other).certain:
            return None
    return leading


def _difference(one: _Number, other: _Number) -> Difference:
    """One number less another, paired where both runs are of the same points."""
    paired = one.run.of_same_points(other.run)
    a, b = (number.with_influences() if paired else number.value for number in (one, other))
    apart = paired_difference(a, b, paired=paired)
    return Difference(one.run.name, other.run.name, a.group, a.name, *apart)


class _Notes:
    """What is not compared with what, said once."""

    def __init__(self, runs: Sequence[MeasuredRun]) -> None:
        self.lines: dict[str, dict[str, None]] = {}
        first = runs[0]
        for run in runs[1:]:
            if not run.of_same_kind(first):
                self._add(
                    f"{run.name} is of other data ({run.data.name}) than {first.name} "
                    f"({first.data.name}), so no differences between them are taken"
                )
            elif not run.of_same_points(first):
                self._add(
                    f"{run.name} was measured on other points of {run.data.name} than "
                    f"{first.name}, so differences between them are not paired"
                )

    def comparable(self, one: _Number, other: _Number) -> bool:
        """Whether two numbers measure the same; if not, it is noted."""
        a, b = one.value, other.value
        if not one.run.of_same_kind(other.run):
            return False
        if a.group is not None and one.run.grouping != other.run.grouping:
            self._add(f"the groups of {one.run.name} are not those of {other.run.name}")
            return False
        if a.basis == b.basis and dict(a.settings) == dict(b.settings):
            return True
        what = "other settings" if a.basis == b.basis else "other features, sizes or units"
        self._add(f"measured in {what} of {one.run.name} than of {other.run.name}", a.name)
        return False

    def _add(self, sentence: str, name: str = "") -> None:
        names = self.lines.setdefault(sentence, {})
        if name:
            names[name] = None

    def sentences(self) -> Iterator[str]:
        """A line for each reason, with the numbers that it is of."""
        for sentence, names in self.lines.items():
            yield f"{', '.join(names)}: {sentence}" if names else sentence
