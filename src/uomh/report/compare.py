"""Runs side by side: their metrics with the best of each column, and how their settings differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uomh.metrics.values import Value
from uomh.report.records import RunRecord

UNSAID = ("data.data_root", "device")
"""settings that say where a run was made, not what it is"""
MEANINGS = {
    "clustered_id": "samples less data, by class",
    "id_difference": "samples less data",
    "between": "samples far from data",
}
"""what metrics are of, where their names do not tell"""
DIRECTIONS = {True: "higher is better", False: "lower is better", None: ""}
MARKS = {"best": "best", "level": "level with best"}
"""what stands below a marked number"""


@dataclass(frozen=True)
class ComparedNumber:
    """A number of a run.

    Attributes:
        value: it, or None where the run has none at all.
        mark: ``best``, ``level`` where its interval meets that of the best, or nothing.
        note: number of the remark below the table, or None.
    """

    value: Value | None
    mark: str = ""
    note: int | None = None


@dataclass(frozen=True)
class Column:
    """A metric over runs: its name, which way is better, a cell a run."""

    name: str
    better: str
    cells: tuple[ComparedNumber, ...]

    @property
    def kind(self) -> str:
        """Whether its numbers are exact, bounds or estimates; empty where that differs."""
        kinds = {
            cell.value.kind for cell in self.cells if cell.value and cell.value.value is not None
        }
        return kinds.pop() if len(kinds) == 1 else ""

    @property
    def note(self) -> int | None:
        """Number of the remark, where all its numbers have the same."""
        notes = {cell.note for cell in self.cells if cell.value is not None}
        return notes.pop() if len(notes) == 1 else None

    @property
    def filled(self) -> bool:
        """Whether some run has a number."""
        return any(cell.value is not None and cell.value.value is not None for cell in self.cells)


@dataclass(frozen=True)
class MetricTable:
    """Metrics of the whole, a column each, and remarks by number, from 1."""

    columns: tuple[Column, ...]
    notes: tuple[str, ...]


def compared(records: Sequence[RunRecord]) -> MetricTable:
    """The metrics of runs side by side.

    The best of a column is marked only among runs of the same data, and where the metric's
    settings, its basis and what stands beside it are the same for all.
    """
    names = list(
        dict.fromkeys(v.name for r in records for v in r.metrics.values() if v.group is None)
    )
    notes: dict[str, int] = {}

    def remark(value: Value | None) -> int | None:
        if value is None:
            return None
        text = f"n/a, for {value.reason}" if value.value is None else value.about
        return notes.setdefault(text, len(notes) + 1) if text else None

    columns = []
    for name in names:
        values = [record.metrics.get(name) for record in records]
        marks = marked(values, records)
        better = next((v.higher_is_better for v in values if v and v.value is not None), None)
        cells = tuple(
            ComparedNumber(v, mark, remark(v)) for v, mark in zip(values, marks, strict=True)
        )
        columns.append(Column(name, DIRECTIONS[better], cells))
    columns.sort(key=lambda column: not column.filled)
    return MetricTable(tuple(columns), tuple(notes))


def marked(values: Sequence[Value | None], records: Sequence[RunRecord]) -> list[str]:
    """The mark of each value of a column; none where the values cannot be compared."""
    marks = [""] * len(values)
    there = [i for i, v in enumerate(values) if v is not None and v.value is not None]
    for place in dict.fromkeys(_setting(values[i], records[i]) for i in there):
        alike = [i for i in there if _setting(values[i], records[i]) == place]
        higher = getattr(values[alike[0]], "higher_is_better", None)
        if len(alike) < 2 or higher is None:
            continue
        numbers = {i: v.value for i in alike if (v := values[i]) and v.value is not None}
        best = (max if higher else min)(numbers.values())
        for i, found in numbers.items():
            if found == best:
                marks[i] = "best"
        winner = values[next(i for i in numbers if marks[i] == "best")]
        for i in alike:
            if not marks[i] and _meet(values[i], winner):
                marks[i] = "level"
    return marks


def _setting(value: Value | None, record: RunRecord) -> tuple[str, ...]:
    """What two numbers have to share to be compared."""
    assert value is not None
    data = record.data.fingerprint if record.data else str(record.folder)
    return data, value.metric, str(sorted(value.settings.items())), value.basis, value.about


def _meet(one: Value | None, other: Value | None) -> bool:
    ends = [end for v in (one, other) if v for end in (v.low, v.high)]
    if one is None or other is None or len(ends) < 4 or None in ends:
        return False
    low, high, other_low, other_high = (end for end in ends if end is not None)
    return low <= other_high and other_low <= high


@dataclass(frozen=True)
class ComparedSetting:
    """A setting that differs: its key, its value in each run, and which values stand out."""

    key: str
    values: tuple[str | None, ...]
    odd: tuple[bool, ...]


def differing(
    settings: Sequence[Mapping[str, Any]],
) -> tuple[list[ComparedSetting], list[ComparedSetting]]:
    """The settings that differ between runs, and those that only some of the runs have.

    A value stands out where it is not the most frequent one.
    """
    flat = [flattened(nested) for nested in settings]
    keys = dict.fromkeys(key for one in flat for key in one)
    differ: list[ComparedSetting] = []
    partial: list[ComparedSetting] = []
    for key in keys:
        values = tuple(one.get(key) for one in flat)
        if len(set(values)) < 2 or key in UNSAID:
            continue
        usual, count = Counter(value for value in values if value is not None).most_common(1)[0]
        odd = tuple(value is not None and (value != usual or count == 1) for value in values)
        (partial if None in values else differ).append(ComparedSetting(key, values, odd))
    return differ, partial


def flattened(nested: Mapping[str, Any], where: str = "") -> dict[str, str]:
    """Leaves of nested settings by dotted key, as text; parts are counted, being alike.

    >>> flattened({"a": {"b": 1, "c": None}, "d": {}, "e": [{"name": "loss"}]})
    {'a.b': '1', 'a.c': 'none', 'd': '{}', 'e': 'loss'}
    """
    found: dict[str, str] = {}
    for key, value in nested.items():
        if key == "parts" and isinstance(value, dict | list):
            found[f"{where}{key}"] = str(len(value))
        elif isinstance(value, dict) and value:
            found |= flattened(value, f"{where}{key}.")
        else:
            found[f"{where}{key}"] = _text(value)
    return found


def model_of(settings: Mapping[str, Any]) -> str:
    """What a run trains, in a few words; empty where the settings do not tell.

    >>> settings = {"model": {"name": "disconnected", "part": {"name": "vae"}}, "clusters": None}
    >>> model_of(settings), model_of({"model": {"name": "vae", "conditional": True}})
    ('disconnected vae', 'conditional vae')
    """
    clusters = settings.get("clusters")
    by = clusters.get("name") if isinstance(clusters, Mapping) else None
    model = _model_of(settings.get("model"))
    return f"{model} by {by}" if model and by else model


def _model_of(model: Any) -> str:
    if not isinstance(model, Mapping) or not isinstance(name := model.get("name"), str):
        return ""
    if "part" in model:
        name = f"{name} {_model_of(model['part'])}"
    elif "autoencoder" in model:
        name = " + ".join(_model_of(model.get(end)) for end in ("autoencoder", "density"))
    prior = model.get("prior")
    if isinstance(prior, Mapping) and prior.get("kind") == "mixture_of_gaussians":
        name = f"mixture-prior {name}"
    return f"conditional {name}" if model.get("conditional") else name


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, dict) and list(value) == ["name"]:
        return str(value["name"])
    return "none" if value is None else str(value)
