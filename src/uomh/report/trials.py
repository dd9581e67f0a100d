"""What the page shows of an experiment: its table by data set, its runs and its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uomh.report.pictures import Album, Picture
from uomh.report.sections import in_words, words
from uomh.report.sources import Experiment
from uomh.text import four_digits, interval


@dataclass(frozen=True)
class Entry:
    """A number of an arm, and in words: itself, its interval, what it is compared with, a mark."""

    number: float | None
    value: str
    interval: str = ""
    more: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Trials:
    """A data set's table: metrics, and an arm a row with an entry each."""

    dataset: str
    metrics: list[str]
    rows: list[tuple[str, list[Entry]]]


@dataclass(frozen=True)
class ExperimentSection:
    """What the page shows of an experiment; what its file does not tell is left out."""

    name: str
    summary: str
    facts: list[tuple[str, str]]
    tables: list[Trials]
    runs: list[list[str]]
    notes: list[str]
    pictures: list[Picture]

    @classmethod
    def of(cls, experiment: Experiment, album: Album) -> ExperimentSection:
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
            (
                arm,
                [_entry(by_place.get((arm, metric), {}), best[metric]) for metric in metrics],
            )
            for arm in arms
        ]
        tables.append(Trials(dataset, metrics, rows))
    return tables


def _best(cells: Sequence[Mapping[str, Any]], metric: str) -> float | None:
    of_metric = [cell for cell in cells if cell.get("metric") == metric]
    values = [c["value"] for c in of_metric if isinstance(c.get("value"), int | float)]
    directions = {c.get("higher_is_better") for c in of_metric if c.get("value") is not None}
    if len(values) < 2 or len(directions) != 1 or directions == {None}:
        return None
    return float(max(values) if directions == {True} else min(values))


def _entry(cell: Mapping[str, Any], best: float | None) -> Entry:
    value = cell.get("value")
    if not isinstance(value, int | float):
        return Entry(None, "n/a", str(cell.get("reason") or ""))
    low, high = cell.get("low"), cell.get("high")
    over = f" over {cell.get('n')} seeds" if cell.get("interval") == "seeds" else ""
    more = ""
    if isinstance(cell.get("difference"), int | float):
        more = f"difference {cell['difference']:+.3g}"
        p = cell.get("p_holm") if cell.get("p_holm") is not None else cell.get("p_value")
        more += f", p = {p:.2g}" if isinstance(p, int | float) else ""
    mark = "best" if value == best else ""
    return Entry(value, four_digits(value), interval(low, high) + over, more, mark)
