"""What an experiment found, as a file: readable without torch, by `ExperimentResult.read`."""

from __future__ import annotations

import csv
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from uomh.errors import UomhError
from uomh.experiments import statistics
from uomh.experiments.classes import ClassResult
from uomh.experiments.running import RunState, State
from uomh.files import replacing
from uomh.metrics.pairing import paired_difference
from uomh.metrics.values import Value
from uomh.text import html_table, shown, with_interval

Ends = tuple[float | None, float | None]
Pairs = Callable[["RunResult", "RunResult", str], Ends | None]
"""the interval of the difference of a metric of two runs, where it is known from their folders"""

FILE = "experiment.json"


class _Plain(BaseModel):
    """Frozen plain values; what a later version adds to them is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ArmResult(_Plain):
    """An arm.

    Attributes:
        name: of it.
        settings: texts ``key=value`` over the base, those of the scaled form included.
        against: the arm that it is compared with; empty: none.
    """

    name: str
    settings: tuple[str, ...] = ()
    against: str = ""


class RunResult(_Plain):
    """A run.

    Attributes:
        arm: its name.
        dataset: its name.
        seed: of it.
        folder: relative to the experiment's; None where it could not be begun.
        state: ``missing``, ``running``, ``interrupted``, ``failed`` or ``done``.
        error: why it failed, in a sentence.
        seconds: that it took, training and measuring.
        command: that makes it alone.
        values: what was measured, as in ``metrics.json``, of the whole.
    """

    arm: str
    dataset: str
    seed: int
    folder: str | None = None
    state: State = "missing"
    error: str | None = None
    seconds: float = 0.0
    command: str = ""
    values: dict[str, dict[str, Any]] = {}


class Cell(_Plain):
    """A metric of an arm on a data set, over seeds.

    Attributes:
        dataset: name.
        arm: name.
        metric: name.
        value: the mean over seeds, None where no run has one.
        deviation: standard deviation over seeds, None of one.
        low: lower end of the 95% interval; over seeds, or, of one seed, that of the run.
        high: upper end.
        interval: what it is over, such as ``seeds`` or ``points``.
        n: number of seeds.
        kind: ``exact``, ``bound`` or ``estimate``.
        higher_is_better: the direction, None: it has none.
        reason: why there is no value.
        published: value of the paper, None where it has none.
        difference: to the arm that it is compared with, in the mean of pairs of equal seed.
        difference_low: lower end of its 95% interval; of one seed, paired by the points that both
            runs were measured on where these are known, else of independent estimates.
        difference_high: upper end.
        p_value: of the paired t-test, None of one seed.
        p_holm: corrected for all comparisons of this metric.
    """

    dataset: str
    arm: str
    metric: str
    value: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    n: int = 0
    kind: str = "exact"
    higher_is_better: bool | None = None
    reason: str | None = None
    published: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p_value: float | None = None
    p_holm: float | None = None


class ExperimentResult(_Plain):
    """An experiment as far as it is done.

    Attributes:
        name: of it.
        summary: one line about it.
        scale: share of images and epochs; below 1 its values are those of scaled runs.
        settings: texts ``key=value`` of all runs.
        datasets: names.
        seeds: how many.
        metrics: names, in the order of the table.
        arms: in the order of the table.
        cells: for each data set, arm and metric.
        classes: of classifiers, for each data set, arm and class.
        runs: for each data set, arm and seed.
        notes: what has to stand beside the table.
        figures: names of files beside this one.
    """

    name: str
    summary: str = ""
    scale: float = 1.0
    settings: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    seeds: int = 1
    metrics: tuple[str, ...] = ()
    arms: tuple[ArmResult, ...] = ()
    cells: tuple[Cell, ...] = ()
    classes: tuple[ClassResult, ...] = ()
    runs: tuple[RunResult, ...] = ()
    notes: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()

    @property
    def is_scaled(self) -> bool:
        """Whether its runs saw fewer images and epochs than the experiment says."""
        return self.scale < 1

    @classmethod
    def read(cls, folder: Path) -> ExperimentResult:
        """What an experiment's folder tells.

        Raises:
            UomhError: there is none, or it is damaged.
        """
        path = folder / FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise UomhError(f"there is no experiment in {str(folder)!r} (no {FILE})") from None
        except OSError as error:
            raise UomhError(f"cannot read {str(path)!r} ({error.strerror})") from None
        except ValidationError:
            raise UomhError(f"{str(path)!r} is damaged; repeat `uomh reproduce`") from None

    def _repr_html_(self) -> str:
        """A table for each data set, an arm a row, for notebooks."""
        columns = ["arm", *(metric.replace("_", " ") for metric in self.metrics)]
        parts = [self.name if not self.summary else f"{self.name}: {self.summary}"]
        parts += [f"scaled to {self.scale:.3g} of images and epochs"] if self.is_scaled else []
        text = "".join(f"<p>{html.escape(shown(part))}</p>" for part in parts)
        for dataset in self.datasets:
            here = {(cell.arm, cell.metric): cell for cell in self.cells if cell.dataset == dataset}
            rows = [
                [arm.name, *(in_words(here.get((arm.name, metric))) for metric in self.metrics)]
                for arm in self.arms
            ]
            text += f"<p><b>{html.escape(shown(dataset))}</b></p>{html_table(columns, rows)}"
        return text + "".join(f"<p>{html.escape(shown(note))}</p>" for note in self.notes)

    def save(self, folder: Path) -> None:
        """Write ``experiment.json`` and ``experiment.csv``, each whole."""
        with replacing(folder / FILE) as temporary:
            temporary.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        with (
            replacing(folder / "experiment.csv") as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow([*Cell.model_fields, "scale"])
            writer.writerows([*cell.model_dump().values(), self.scale] for cell in self.cells)


def in_words(cell: Cell | None) -> str:
    """A value with its interval; a bound says so."""
    if cell is None or cell.value is None:
        return "n/a"
    mark = {"bound": ">= " if cell.higher_is_better else "<= "}.get(cell.kind, "")
    return f"{mark}{with_interval(cell.value, cell.low, cell.high)}"


def cells_of(
    datasets: Iterable[str],
    arms: Sequence[ArmResult],
    metrics: Sequence[str],
    runs: Iterable[RunResult],
    published: Mapping[tuple[str, str, str], float] | None = None,
    pairs: Pairs | None = None,
) -> tuple[Cell, ...]:
    """Every metric of every arm on every data set, compared where an arm says with which.

    Args:
        datasets: names.
        arms: in the order of the table.
        metrics: names.
        runs: of all arms.
        published: values of the paper by (data set, arm, metric).
        pairs: of single runs; None: these are taken as independent.
    """
    by_place: dict[tuple[str, str], dict[int, RunResult]] = {}
    for run in runs:
        by_place.setdefault((run.dataset, run.arm), {})[run.seed] = run
    found = []
    for metric in metrics:
        column = [
            _cell(dataset, arm, metric, by_place, pairs) for dataset in datasets for arm in arms
        ]
        tested = [i for i, cell in enumerate(column) if cell.p_value is not None]
        corrected = statistics.holm([column[i].p_value or 0.0 for i in tested])
        for i, p in zip(tested, corrected, strict=True):
            column[i] = column[i].model_copy(update={"p_holm": p})
        found += column
    known = published or {}
    found = [
        cell.model_copy(update={"published": known.get((cell.dataset, cell.arm, cell.metric))})
        for cell in found
    ]
    return tuple(found)


def _cell(
    dataset: str,
    arm: ArmResult,
    metric: str,
    by_place: dict[tuple[str, str], dict[int, RunResult]],
    pairs: Pairs | None,
) -> Cell:
    runs = by_place.get((dataset, arm.name), {})
    values = _of_metric(runs, metric)
    cell = Cell(dataset=dataset, arm=arm.name, metric=metric)
    if not values:
        reasons = [_reason(run, metric) for run in runs.values()]
        return cell.model_copy(update={"reason": next(iter(reasons), "no run")})
    first = next(iter(values.values()))
    mean = statistics.mean_of([value["value"] for value in values.values()])
    low, high, over = mean.low, mean.high, "seeds"
    if mean.n == 1:
        low, high, over = first.get("low"), first.get("high"), first.get("by", "points")
    changes: dict[str, Any] = {
        "value": mean.value,
        "deviation": mean.deviation,
        "low": low,
        "high": high,
        "interval": over if low is not None else "",
        "n": mean.n,
        "kind": first.get("kind", "exact"),
        "higher_is_better": first.get("higher_is_better"),
    }
    if arm.against:
        changes |= _difference(runs, by_place.get((dataset, arm.against), {}), metric, pairs)
    return cell.model_copy(update=changes)


def _difference(
    runs: dict[int, RunResult],
    other_runs: dict[int, RunResult],
    metric: str,
    pairs: Pairs | None,
) -> dict[str, Any]:
    """The comparison over the seeds that both have."""
    values, others = _of_metric(runs, metric), _of_metric(other_runs, metric)
    seeds = sorted({*values} & {*others})
    if not seeds:
        return {}
    pair = [[found[seed]["value"] for seed in seeds] for found in (values, others)]
    apart = statistics.paired(*pair)
    low, high = apart.low, apart.high
    if apart.n == 1:
        (seed,) = seeds
        known = None if pairs is None else pairs(runs[seed], other_runs[seed], metric)
        one, other = (
            Value(of["value"], of.get("low"), of.get("high")) for of in (values[seed], others[seed])
        )
        low, high = known or paired_difference(one, other, paired=False)[1:3]
    return {
        "difference": apart.value,
        "difference_low": low,
        "difference_high": high,
        "p_value": apart.p_value,
    }


def _of_metric(runs: dict[int, RunResult], metric: str) -> dict[int, dict[str, Any]]:
    """The values of a metric by seed, where there is one."""
    found = {seed: run.values.get(metric) for seed, run in runs.items()}
    return {
        seed: value for seed, value in found.items() if value and value.get("value") is not None
    }


def _reason(run: RunResult, metric: str) -> str:
    if run.error:
        return run.error
    if run.state != "done":
        return f"the run is {run.state}"
    return str((run.values.get(metric) or {}).get("reason") or "it is not measured")


def run_result(
    arm: str, dataset: str, seed: int, folder: str | None, command: str, state: RunState
) -> RunResult:
    """A run by its state."""
    return RunResult(
        arm=arm,
        dataset=dataset,
        seed=seed,
        folder=folder,
        state=state.state,
        error=state.error,
        seconds=state.seconds,
        command=command,
        values=state.values if state.state == "done" else {},
    )
