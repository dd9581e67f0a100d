"""What the page shows of an experiment: its table by data set, its runs and its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uomh.report.compare import DIRECTIONS
from uomh.report.pictures import Album, PageImage
from uomh.report.sections import in_words, words
from uomh.report.sources import PageExperiment
from uomh.text import four_digits, interval, with_interval


@dataclass(frozen=True)
class ArmNumber:
    """A number of an arm, and in words: itself, its interval, what it is compared with, a mark."""

    number: float | None
    value: str
    interval: str = ""
    more: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Trials:
    """A data set's table: metrics, each with its better direction, and an arm a row."""

    dataset: str
    metrics: list[tuple[str, str]]
    rows: list[tuple[str, list[ArmNumber]]]


@dataclass(frozen=True)
class Classes:
    """A data set's classes, one a row: dimension, and accuracy by each arm."""

    dataset: str
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class ExperimentSection:
    """What the page shows of an experiment; what its file does not tell is left out."""

    name: str
    summary: str
    facts: list[tuple[str, str]]
    tables: list[Trials]
    classes: list[Classes]
    runs: list[list[str]]
    notes: list[str]
    pictures: list[PageImage]

    @classmethod
    def of(cls, experiment: PageExperiment, album: Album) -> ExperimentSection:
        """From the plain values of ``experiment.json``."""
        content = experiment.content
        name = str(content.get("name") or experiment.folder.name)
        facts = [("Folder", str(experiment.folder))]
        facts += [
            (words(key).capitalize(), in_words(content[key]))
            for key in ("seeds", "settings")
            if content.get(key)
        ]
        if isinstance(content.get("scale"), float) and content["scale"] < 1:
            share = f"{content['scale']:.3g} of the images and epochs"
            facts.append(("Scaled", f"runs saw {share} of the experiment; not the paper's numbers"))
        runs = _objects(content.get("runs"))
        failed = [
            [in_words(run.get(key)) for key in ("dataset", "arm", "seed", "state", "error")]
            for run in runs
            if run.get("state") != "done"
        ]
        pictures = [
            album.file(path, words(path.stem), f"figure {path.stem} of {name}", "")
            for path in sorted(experiment.folder.glob("*.png"))
        ]
        notes = content.get("notes")
        return cls(
            name,
            str(content.get("summary") or ""),
            facts,
            _tables(_objects(content.get("cells"))),
            _classes(_objects(content.get("classes"))),
            failed,
            [str(note) for note in notes] if isinstance(notes, list) else [],
            [picture for picture in pictures if picture is not None],
        )


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _tables(cells: Sequence[Mapping[str, Any]]) -> list[Trials]:
    tables = []
    for dataset in dict.fromkeys(str(cell.get("dataset")) for cell in cells):
        of_set = [cell for cell in cells if str(cell.get("dataset")) == dataset]
        metrics = list(dict.fromkeys(str(cell.get("metric")) for cell in of_set))
        arms = list(dict.fromkeys(str(cell.get("arm")) for cell in of_set))
        by_place = {(str(cell.get("arm")), str(cell.get("metric"))): cell for cell in of_set}
        best = {metric: _best(of_set, metric) for metric in metrics}
        rows = [
            (arm, [_entry(by_place.get((arm, metric), {}), best[metric]) for metric in metrics])
            for arm in arms
        ]
        heads = [(metric, DIRECTIONS[_direction(of_set, metric)]) for metric in metrics]
        tables.append(Trials(dataset, heads, rows))
    return tables


def _classes(found: Sequence[Mapping[str, Any]]) -> list[Classes]:
    tables = []
    for dataset in dict.fromkeys(str(row.get("dataset")) for row in found):
        of_set = [row for row in found if str(row.get("dataset")) == dataset]
        arms = list(dict.fromkeys(str(row.get("arm")) for row in of_set))
        by_class: dict[str, dict[str, Mapping[str, Any]]] = {}
        for row in of_set:
            by_class.setdefault(str(row.get("group")), {})[str(row.get("arm"))] = row
        rows = []
        for group, by_arm in by_class.items():
            first = next(iter(by_arm.values()))
            dimension = _said(first, "dimension", "dimension_low", "dimension_high")
            accuracies = [_said(by_arm.get(arm, {}), "accuracy", "low", "high") for arm in arms]
            rows.append([group, dimension, *accuracies, in_words(first.get("points"))])
        columns = ["class", "dimension", *(f"accuracy, {arm}" for arm in arms), "points"]
        tables.append(Classes(dataset, columns, rows))
    return tables


def _said(row: Mapping[str, Any], name: str, low: str, high: str) -> str:
    """A number with its interval."""
    numbers = (row.get(key) for key in (name, low, high))
    value, *ends = (n if isinstance(n, int | float) else None for n in numbers)
    return "n/a" if value is None else with_interval(value, *ends)


def _direction(cells: Sequence[Mapping[str, Any]], metric: str) -> bool | None:
    """Whether higher is better; None where cells disagree, or none says."""
    found = {c.get("higher_is_better") for c in cells if _of(c, metric)}
    return bool(found.pop()) if len(found) == 1 and found != {None} else None


def _of(cell: Mapping[str, Any], metric: str) -> bool:
    return cell.get("metric") == metric and isinstance(cell.get("value"), int | float)


def _best(cells: Sequence[Mapping[str, Any]], metric: str) -> Mapping[str, Any] | None:
    found = [cell for cell in cells if _of(cell, metric)]
    higher = _direction(cells, metric)
    if len(found) < 2 or higher is None:
        return None
    return (max if higher else min)(found, key=lambda cell: float(cell["value"]))


def _entry(cell: Mapping[str, Any], best: Mapping[str, Any] | None) -> ArmNumber:
    value = cell.get("value")
    if not isinstance(value, int | float):
        return ArmNumber(None, "n/a", str(cell.get("reason") or ""))
    low, high = cell.get("low"), cell.get("high")
    over = f" over {cell.get('n')} seeds" if cell.get("interval") == "seeds" else ""
    more = ""
    if isinstance(cell.get("difference"), int | float):
        more = f"difference {cell['difference']:+.3g}"
        p = cell.get("p_holm") if cell.get("p_holm") is not None else cell.get("p_value")
        more += f", p = {p:.2g}" if isinstance(p, int | float) else ""
    mark = ""
    if best is not None:
        mark = "best" if value == best["value"] else "level" if _meet(cell, best) else ""
    return ArmNumber(value, four_digits(value), interval(low, high) + over, more, mark)


def _meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two intervals share a number."""
    ends = [cell.get(end) for cell in (one, other) for end in ("low", "high")]
    if not all(isinstance(end, int | float) for end in ends):
        return False
    low, high, other_low, other_high = map(float, ends)  # type: ignore[arg-type]
    return low <= other_high and other_low <= high
