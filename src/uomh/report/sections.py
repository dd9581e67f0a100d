"""What the page shows of each thing, gathered for its template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from uomh.dimension.claims.core import Claim
from uomh.dimension.details import Details, Extreme
from uomh.dimension.values import DimensionEstimate
from uomh.metrics.values import Value
from uomh.report import boxes, forest, runcharts, setcharts
from uomh.report.charts import Chart, Instrument, number
from uomh.report.compare import ComparedSetting, MetricTable, compared, differing, model_of
from uomh.report.kept import kept_charts, kept_pictures, kinds_kept
from uomh.report.pictures import (
    Album,
    Ends,
    PageImage,
    absent,
    extremes_of,
    pairs_of,
    pictures_of,
)
from uomh.report.sources import PageRun, Verification

TITLES = {
    "labels_matter": "Labels matter",
    "dimensions_differ": "Dimensions differ",
    "groups_separated": "Groups are separated",
}
MEANINGS = {
    "labels_matter": "The groups' dimensions are not those of random groups of their sizes.",
    "dimensions_differ": "Two groups differ in true dimension, whatever their shape: by what "
    "groups of known dimension teach, beyond the errors, and by bands that do not overlap.",
    "groups_separated": "Points have neighbours of their own group, beyond chance.",
}


@dataclass(frozen=True)
class ClaimCard:
    """A claim in words and numbers."""

    title: str
    meaning: str
    status: str
    sentences: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, name: str, claim: Claim) -> ClaimCard:
        """Of any claim: what is a value by k is a table, the rest are facts."""
        by_k: dict[int, Any] = getattr(claim, "k", {})
        facts, columns, rows = [], [], []
        for entry in fields(claim):  # type: ignore[arg-type]  # claims are dataclasses
            value = getattr(claim, entry.name)
            if entry.name not in ("status", "reason", "k") and value not in (None, ()):
                facts.append((words(entry.name), in_words(value)))
        for k, numbers in by_k.items():
            columns = ["k", *(words(entry.name) for entry in fields(numbers))]
            values = (getattr(numbers, entry.name) for entry in fields(numbers))
            rows.append((str(k), *(in_words(value) for value in values)))
        rests = claim.row()
        if len(by_k) > 1 and rests != claim.reason:
            rests = f"at k = {', '.join(map(str, by_k))}: {rests}"
        texts = dict.fromkeys(text for text in (rests, claim.reason, claim.caveat()) if text)
        return cls(
            TITLES.get(name, words(name).capitalize()),
            MEANINGS.get(name, ""),
            claim.status,
            tuple(sentence(text) for text in texts),
            tuple(facts),
            tuple(columns),
            tuple(rows),
        )


@dataclass(frozen=True)
class VerificationSection:
    """What the page shows of a verification."""

    id: str
    verification: Verification
    claims: list[ClaimCard]
    charts: list[Chart]
    ends: list[Ends]
    pairs: list[PageImage]
    missing: list[str]

    @classmethod
    def of(cls, name: str, verification: Verification, album: Album) -> VerificationSection:
        """Charts and pictures of a verification."""
        instruments, report = verification.instruments, verification.report
        drawn = [boxes.boxes(name, instruments)]
        if report.groups:
            drawn.append(forest.forest(name, instruments))
        more = (setcharts.nulls, setcharts.scales, setcharts.purities, setcharts.sizes)
        drawn += [chart for make in more if (chart := make(name, instruments)) is not None]
        folder, details = next(
            (
                (folder, each.details)
                for folder, each in zip(verification.folders, instruments, strict=True)
                if each.details is not None
            ),
            (verification.folders[0], None),
        )
        ends = [] if details is None else extremes_of(folder, details, album)
        return cls(
            name,
            verification,
            [ClaimCard.of(claim, value) for claim, value in vars(report.claims).items()],
            drawn,
            ends,
            [] if details is None else pairs_of(folder, details, album),
            verification.missing,
        )

    def columns(self) -> list[list[Chart]]:
        """The charts below the first in two columns of about one height."""
        found: tuple[list[Chart], list[Chart]] = ([], [])
        heights = [0, 0]
        for chart in self.charts[1:]:
            shorter = heights.index(min(heights))
            found[shorter].append(chart)
            heights[shorter] += chart.height + 150
        return [column for column in found if column]

    @property
    def details(self) -> Details | None:
        """What stands behind the first estimator that has it kept, or None."""
        return next((i.details for i in self.verification.instruments if i.details), None)

    def odd_rows(self) -> list[tuple[str, str, str]]:
        """Groups and their rows of lowest and highest dimension, where there are no images."""
        if self.ends or self.details is None:
            return []
        return [
            (group.label or "the set", _listed(group.lowest), _listed(group.highest))
            for group in self.details.groups
            if group.lowest
        ]

    def rows(self) -> Iterator[tuple[str, Instrument, int, Any, DimensionEstimate]]:
        """Rows of the table: a state, its instrument and k, a group or None for the whole."""
        for instrument in self.verification.instruments:
            report = instrument.report
            for state, k in zip(instrument.states, report.whole.k, strict=True):
                yield state, instrument, k, None, report.whole.k[k]
                for group in report.groups:
                    yield state, instrument, k, group, group.k[k]


@dataclass(frozen=True)
class RunCard:
    """What the page shows of one run."""

    id: str
    run: PageRun
    pictures: list[PageImage]
    missing: list[str]
    charts: list[Chart]
    groups: list[str]
    group_metrics: list[str]
    facts: list[tuple[str, str]]
    model: str

    def of_group(self, metric: str, group: str) -> Value | None:
        """The number of a group."""
        found = self.run.record.metrics.values()
        return next(
            (value for value in found if (value.name, value.group) == (metric, group)), None
        )


@dataclass(frozen=True)
class RunsSection:
    """What the page shows of runs."""

    cards: list[RunCard]
    comparison: MetricTable
    curves: Chart | None
    differ: list[ComparedSetting]
    partial: list[ComparedSetting]

    @classmethod
    def of(cls, runs: Sequence[PageRun], album: Album) -> RunsSection:
        """Runs side by side, and each by itself."""
        records = [run.record for run in runs]
        differ, partial = differing([record.settings for record in records])
        return cls(
            [run_card(f"run{i}", run, album) for i, run in enumerate(runs, start=1)],
            compared(records),
            runcharts.curves({run.name: run.record for run in runs}),
            differ,
            partial,
        )


def run_card(name: str, run: PageRun, album: Album) -> RunCard:
    """What the page shows of one run."""
    record = run.record
    by_group = [v for v in record.metrics.values() if v.group is not None and v.value is not None]
    missing = [f"{p.piece} is {p.kind}: {p.reason}." for p in record.problems]
    model = model_of(record.settings)
    facts = [("Model", model), ("Folder", str(record.folder))]
    if record.data is not None:
        shape = " x ".join(map(str, record.data.shape))
        counts = ", ".join(f"{n:,} {split}" for split, n in record.data.sizes.items())
        facts.append(("Data", f"{record.data.name}: {shape}; {counts}"))
    if record.device:
        facts.append(("Device", record.device))
    if record.cost.total.epochs:
        facts.append(("Cost", sentence(record.cost.total.sentence())))
    facts.append(("Versions", ", ".join(f"{k} {v}" for k, v in record.versions.items())))
    pictures = list(kept_pictures(record.folder, run.name, album))
    drawn = [chart] if (chart := runcharts.real_against_generated(name, record)) else []
    drawn += kept_charts(record.folder, name)
    ours = kinds_kept(record.folder)
    return RunCard(
        name,
        run,
        [*pictures_of(record, run.name, album, ours), *pictures],
        missing + absent(record, ours),
        drawn,
        list(dict.fromkeys(v.group for v in by_group if v.group is not None)),
        list(dict.fromkeys(v.name for v in by_group)),
        [(key, value) for key, value in facts if value],
        model,
    )


def _listed(end: Sequence[Extreme]) -> str:
    return ", ".join(f"{point.row} ({number(point.dimension, 1)})" for point in end)


def in_words(value: Any) -> str:
    """Any plain value for a person.

    >>> in_words(True), in_words(None), in_words(0.1234), in_words(12345), in_words((1.5, 2.0))
    ('yes', 'n/a', '0.1234', '12,345', '1.5, 2')
    """
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {in_words(entry)}" for key, entry in value.items())
    return str(value)


def words(name: str) -> str:
    """The name of a field as words."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """A clause as a sentence."""
    return text[:1].upper() + text[1:] + "." * (not text.endswith("."))
